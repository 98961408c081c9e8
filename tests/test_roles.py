"""What each role may do on a server (sensor/store/roles.sql), and where passwords come from."""

import pathlib
import re
import subprocess
import sys

import pytest
from clickhouse_server import Server

from sensor.store import StoreError, migrations, open_store
from sensor.store.dsn import parse

CAPTURE = pathlib.Path(__file__).parent.parent / "pcaps/storefront.pcap"
TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")


def tapwatch(*words: str) -> subprocess.CompletedProcess:
    return subprocess.run([TAPWATCH, *words], capture_output=True, text=True, timeout=300, check=False)


def grants_of(role: str) -> tuple[str, ...]:
    return tuple(
        re.sub(rf" TO {role}$", "", one)
        for one in migrations.statements(migrations.roles_text())
        if one.endswith(f" TO {role}") and one.startswith("GRANT")
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A server's data, with the schema and one capture."""
    found = tmp_path_factory.mktemp("roles") / "data"
    server = Server(found)
    assert tapwatch("replay", "--store", server.dsn, str(CAPTURE)).returncode == 0
    server.process.terminate()
    server.kill()
    return found


@pytest.fixture
def served(folder, request):
    server = Server(folder, grants=grants_of(request.param))
    yield server
    server.kill()


@pytest.mark.parametrize("served", ["tapwatch_sensor"], indirect=True)
def test_a_sensor_adds_rows_and_changes_no_schema(served):
    done = tapwatch("replay", "--store", served.dsn, str(CAPTURE), "--each")
    assert done.returncode == 0, done.stderr
    assert served.rows(
        "SELECT count(), (SELECT sum(transactions) FROM tapwatch.endpoint_activity) FROM tapwatch.transactions"
    ) == [[4500, 4500]]
    done = tapwatch("store", "keep", "--days", "3", "--store", served.dsn)
    assert done.returncode == 1 and "Traceback" not in done.stderr


@pytest.mark.parametrize("served", ["tapwatch_analyst"], indirect=True)
def test_an_analyst_reads_and_marks(served):
    for words in (
        ["query", "walkers"],
        ["alerts"],
        ["endpoints"],
        ["findings"],
        ["sql", "SELECT * FROM open_alerts"],
        ["report", "-o", "/dev/null"],
    ):
        done = tapwatch(*words, "--store", served.dsn)
        assert done.returncode == 0, (words, done.stderr)
    assert tapwatch("alert", "a211cf05bfd6f518", "--mark", "benign", "--store", served.dsn).returncode == 0
    for words in (["replay", str(CAPTURE)], ["store", "vacuum"]):
        done = tapwatch(*words, "--store", served.dsn)
        assert done.returncode == 1 and "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 2, done.stderr


@pytest.mark.parametrize("served", ["tapwatch_reader"], indirect=True)
def test_a_dashboard_reads(served):
    assert tapwatch("query", "walkers", "--store", served.dsn).returncode == 0
    assert tapwatch("alert", "a211cf05bfd6f518", "--mark", "benign", "--store", served.dsn).returncode == 1


def test_clickhouse_understands_the_roles():
    with open_store("chdb://:memory:") as store:
        for cluster in (None, "c1"):
            for statement in migrations.statements(migrations.roles_text("traffic", cluster)):
                assert store.rows("SELECT formatQuery({sql:String})", {"sql": statement})
                assert "tapwatch." not in statement and ("ON CLUSTER" in statement) == (cluster is not None)


def test_passwords_come_from_the_dsn_a_file_or_the_environment(tmp_path, monkeypatch):
    file = tmp_path / "password"
    file.write_text("of the file\n")
    monkeypatch.setenv("TAPWATCH_STORE_PASSWORD", "of the environment")
    assert parse("http://u:own@h").arguments["password"] == "own"
    assert parse("http://u@h").arguments["password"] == "of the environment"
    assert parse(f"http://u@h/?password_file={file}").arguments["password"] == "of the file"
    monkeypatch.setenv("TAPWATCH_STORE_PASSWORD_FILE", str(file))
    assert parse("http://u@h").arguments["password"] == "of the file"
    with pytest.raises(StoreError, match="cannot be read"):
        parse("http://u@h/?password_file=/no/such/file")


def test_parameters_of_a_server():
    found = parse("https://u@h/d?connect_timeout=3&timeout=20&http_proxy=p:3128&verify=false").arguments
    assert (found["connect_timeout"], found["send_receive_timeout"], found["http_proxy"], found["verify"]) == (
        3,
        20,
        "p:3128",
        "false",
    )
    for text, message in (
        ("pasword_file=x", "no parameter 'pasword_file'"),
        ("timeout=soon", "number of seconds"),
        ("timeout=0", "number of seconds"),
    ):
        with pytest.raises(StoreError, match=message):
            parse(f"http://u@h/?{text}")
