"""The server of tests as a cluster of one shard, and as one of two that are the same (what counts, counts twice there).

    python tests/cluster_server.py DIRECTORY     prints the port that it listens on

Distributed tables are ClickHouse's own, over a cluster of its configuration; the embedded engine listens to no other server, so
there is one shard. What needs a Keeper is left out: a statement ON CLUSTER is one of this server, and engines are not Replicated.
"""

import pathlib
import re
import sys

from clickhouse_server import Handler, main

CLUSTER, OF_TWO = "one", "two"
CONFIG = (
    "<clickhouse><tcp_port>9000</tcp_port><remote_servers>"
    f"<{CLUSTER}><shard><replica><host>localhost</host><port>9000</port></replica></shard></{CLUSTER}>"
    f"<{OF_TWO}><shard><replica><host>localhost</host><port>9000</port></replica></shard>"
    f"<shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard></{OF_TWO}>"
    "</remote_servers></clickhouse>"
)


class ClusterHandler(Handler):
    def run(self, text, body, asked):
        here = re.sub(f" ON CLUSTER '({CLUSTER}|{OF_TWO})'", "", text)
        if here != text:
            text = re.sub(r"\bReplicated(\w*MergeTree)", r"\1", here)
        return super().run(text, body, asked)


if __name__ == "__main__":
    configuration = pathlib.Path(sys.argv[1]).with_suffix(".xml")
    configuration.write_text(CONFIG)
    sys.exit(main(ClusterHandler, {"config-file": str(configuration)}))
