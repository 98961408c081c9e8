"""Which endpoints the operator's OpenAPI documents name: what is called and stands in none is undocumented (API9:2023)."""

import dataclasses
import functools

from sensor.core.placeholders import PLACEHOLDER

UNTOLD = ("OPTIONS", "HEAD")
"""Methods that servers answer beside those that are documented."""


@dataclasses.dataclass(frozen=True)
class Documents:
    """All operations of the documents."""

    operations: frozenset[tuple[str, str, str]] = frozenset()
    """(host, empty for all; method; path with `{}` for each parameter)"""
    hosts: frozenset[str] = frozenset()
    """those of them"""

    def facts_of(self, host: str, method: str, template: str) -> list[str]:
        """`documented` or `undocumented`; nothing of hosts that no document names."""
        path = template.split("#", 1)[0]
        if not path.startswith("/") or method in UNTOLD:
            return []
        form = PLACEHOLDER.sub("{}", path)
        if {(host, method, form), ("", method, form)} & self.operations:
            return ["documented"]
        segments = form.split("/")
        for where, asked, documented in self._partial:
            if where in (host, "") and asked == method and len(documented) == len(segments):
                if all(map(_may_be, documented, segments)):
                    return []  # a part of a segment is a parameter: which template that is nobody can tell
        return ["undocumented"] if host in self.hosts else []

    @functools.cached_property
    def _partial(self) -> list[tuple[str, str, list[str]]]:
        """Operations with parameters that are parts of segments, as `/files/{name}.json`: (host, method, segments)."""
        found = [(host, method, form.split("/")) for host, method, form in self.operations]
        return [one for one in found if any("{}" in segment and segment != "{}" for segment in one[2])]


def _may_be(documented: str, segment: str) -> bool:
    """Whether a segment of a template is the documented one, or a parameter stands within that."""
    return documented == segment or ("{}" in documented and documented != "{}")
