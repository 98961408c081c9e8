"""Small captures of one feature of HTTP or of the network each, with the transactions that a sensor should find.

Every builder is deterministic. `FEATURES` names them all. In labels, the sizes are those of bodies without chunk framing,
and a connection's bytes after CONNECT or an upgrade belong to no body.
"""

from sensor.simulate import feature_http, feature_http2, feature_links, feature_tcp
from sensor.simulate.feature_base import FEATURES, Feature, Label, label

__all__ = ["FEATURES", "Feature", "Label", "feature_http", "feature_http2", "feature_links", "feature_tcp", "label"]
