"""Real HTTP/2 and gRPC peers on loopback, captured with tcpdump: the server's own log says what must come out."""

import collections
import concurrent.futures
import json

import pytest
from capturing import free_port, needs, nginx, run, sniffing

grpc = pytest.importorskip("grpc", reason="needs grpcio")
pytestmark = needs("nginx", "curl", "nghttp", "h2load")

SERVER = """
  server {{
    listen 127.0.0.1:{port} http2; root {folder}/www;
    location /api/ {{ default_type application/json; return 200 '{{"path":"$request_uri"}}'; }}
    location /nothing {{ return 204; }}
  }}
"""


def told(rows):
    return collections.Counter(
        (row["client_port"], row["method"].decode(), target_of(row), row["status"], row["response_bytes"]) for row in rows
    )


def target_of(row):
    query = row["query"].decode()
    return row["path"].decode() + ("?" + query if query else "")


@pytest.mark.parametrize("client", ["curl", "nghttp", "h2load"])
def test_what_nginx_logs_of_http2_is_what_is_told(client, tmp_path):
    port = free_port()
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "big.txt").write_text("A line of a large file.\n" * 3_000)
    base = f"http://127.0.0.1:{port}"
    calls = {
        "curl": [  # one request a connection: curl 7.88 and nginx 1.22 fail each other at the second
            *(["--http2-prior-knowledge", "-sS", f"{base}/api/items/{k}?page=2"] for k in range(10)),
            ["--http2-prior-knowledge", "-sS", f"{base}/big.txt"],
            ["--http2-prior-knowledge", "-sS", f"{base}/nothing"],
            ["--http2-prior-knowledge", "-sS", "-H", "X-Long: " + "~" * 6_000, f"{base}/api/long"],
        ],
        "nghttp": [["-n", f"{base}/big.txt", f"{base}/api/1", f"{base}/nothing", "-p", "32", "-H", "x-a: b"]],
        "h2load": [["-n", "300", "-c", "3", "-m", "20", "-H", "x-request-id: 7", f"{base}/api/a", f"{base}/big.txt"]],
    }
    with nginx(tmp_path, SERVER, port), sniffing(port, tmp_path) as found:
        (tmp_path / "access.log").write_text("")
        for call in calls[client]:
            run(client, *call)
    lines = [json.loads(line) for line in (tmp_path / "access.log").read_text().splitlines()]
    logged = collections.Counter((line["port"], line["method"], line["target"], line["status"], line["body"]) for line in lines)
    assert len(lines) >= {"curl": 13, "nghttp": 3, "h2load": 300}[client]
    assert told(found.rows) == logged
    assert not [row for row in found.rows if row["completeness"] or row["weird"] or row["version"] != 20]
    assert {row["user_agent"].decode() for row in found.rows} == {line["agent"] for line in lines}


class Shop(grpc.GenericRpcHandler):
    """Procedures that take and give bytes, and a log of what was called."""

    def __init__(self):
        self.log = []

    def service(self, details):
        kind = details.method.rsplit("/", 1)[1]
        make = {
            "Echo": grpc.unary_unary_rpc_method_handler(self.echo),
            "Refuse": grpc.unary_unary_rpc_method_handler(self.refuse),
            "Count": grpc.unary_stream_rpc_method_handler(self.count),
            "Talk": grpc.stream_stream_rpc_method_handler(self.talk),
        }
        return make.get(kind)

    def note(self, method, asked, answered, code=0):
        self.log.append(
            (f"/shop.v1.Test/{method}", len(asked), sum(map(len, asked)), len(answered), sum(map(len, answered)), code)
        )

    def echo(self, request, context):
        self.note("Echo", [request], [request])
        return request

    def refuse(self, request, context):
        self.note("Refuse", [request], [], 8)
        context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "sold out")

    def count(self, request, context):
        answers = [b"%d" % k * 30 for k in range(int(request))]
        self.note("Count", [request], answers)
        yield from answers

    def talk(self, requests, context):
        asked = []
        for request in requests:
            asked.append(request)
            yield request * 2
        self.note("Talk", asked, [request * 2 for request in asked])


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_what_a_grpc_server_did_is_what_is_told(compression, tmp_path):
    shop, port = Shop(), free_port()
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4), handlers=[shop])
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    coding = grpc.Compression.Gzip if compression else grpc.Compression.NoCompression
    try:
        with sniffing(port, tmp_path) as found, grpc.insecure_channel(f"127.0.0.1:{port}", compression=coding) as channel:
            for size in (0, 1, 300, 40_000):
                channel.unary_unary("/shop.v1.Test/Echo")(b"e" * size)
            for number in (b"0", b"1", b"25"):
                list(channel.unary_stream("/shop.v1.Test/Count")(number))
            list(channel.stream_stream("/shop.v1.Test/Talk")(iter([b"a", b"bb" * 500, b""])))
            with pytest.raises(grpc.RpcError):
                channel.unary_unary("/shop.v1.Test/Refuse")(b"no")
    finally:
        server.stop(1).wait()
    names = ["request_messages", "request_message_bytes", "response_messages", "response_message_bytes", "grpc_status"]
    if compression:  # the server's log knows no compressed sizes
        names = [name for name in names if not name.endswith("_bytes")]
        shop.log = [(entry[0], entry[1], entry[3], entry[5]) for entry in shop.log]
    assert sorted((row["path"].decode(), *(row[name] for name in names)) for row in found.rows) == sorted(shop.log)
    assert not [row for row in found.rows if row["completeness"] or row["status"] != 200]
