"""The ledger of evidence: whatever is changed in it is found, and what is in it can be shown to somebody who has nothing else."""

import hashlib
import io
import json
import os
import resource
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sensor.ledger_differences import differences
from sensor.ledgering import open_ledger
from sensor.outputs import merkle
from sensor.outputs.anchors import Anchors
from sensor.outputs.ledger import Ledger, LedgerError, check, load_key, prove, verify
from sensor.settings import Config
from sensor.settings import Ledger as LedgerConfig


@pytest.fixture
def key(tmp_path):
    return load_key(tmp_path / "keys" / "ledger.key")


def rows(count, first=0):
    return [{"kind": "alert", "alert_id": f"{k:016x}", "text": "x" * (k % 50)} for k in range(first, first + count)]


def written(path, key, *sizes):
    ledger, first = Ledger(path, key), 0
    for size in sizes:
        ledger.append(rows(size, first), "2026-01-01T00:00:00Z")
        first += size
    ledger.close()
    return path


def verified(path, *given):
    with path.open("rb") as file:
        return verify(file, *given)


@pytest.mark.parametrize("size", range(1, 20))
def test_paths_lead_to_the_root_as_rfc_6962_defines_it(size):
    leaves = [merkle.leaf_hash(bytes([k])) for k in range(size)]

    def plain(part):
        if len(part) == 1:
            return part[0]
        split = 1 << (len(part) - 1).bit_length() - 1
        return merkle.node_hash(plain(part[:split]), plain(part[split:]))

    assert merkle.root(leaves) == plain(leaves)
    for index in range(size):
        path = merkle.path(leaves, index)
        assert merkle.root_of_path(leaves[index], index, size, path) == plain(leaves)
        assert merkle.root_of_path(leaves[index], index + 1, size, path) != plain(leaves) or size == 1
        assert merkle.root_of_path(leaves[index], index, size, [*path, b"x" * 32]) is None


def test_the_root_of_a_known_tree():
    """RFC 9162's own example data (as in the test vectors of certificate transparency)."""
    data = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [merkle.leaf_hash(bytes.fromhex(one)) for one in data]
    assert merkle.root(leaves).hex() == "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"
    assert merkle.root([]).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_a_ledger_is_verified_and_taken_up(tmp_path, key):
    path = written(tmp_path / "l", key, 3, 1, 7)
    found = verified(path)
    assert (found.rows, found.seals) == (11, 3)
    ledger = Ledger(path, key)
    ledger.append(rows(2, 100), "2026-01-02T00:00:00Z")
    ledger.close()
    again = verified(path, key.public_key().public_bytes_raw().hex(), found.anchor)
    assert (again.rows, again.seals) == (13, 4) and again.anchor != found.anchor


def test_rows_that_are_in_it_are_not_written_again(tmp_path, key):
    path = written(tmp_path / "l", key, 5)
    size = path.stat().st_size
    assert written(path, key, 5).stat().st_size == size
    assert verified(path).rows == 5


def test_any_byte_that_is_changed_is_found(tmp_path, key):
    whole = written(tmp_path / "l", key, 2, 3).read_bytes()
    anchor = verified(tmp_path / "l").anchor
    for at in range(len(whole)):
        for value in {whole[at] ^ 1, whole[at] ^ 32, 10, 255} - {whole[at]}:
            (tmp_path / "c").write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
            with pytest.raises(LedgerError):
                verified(tmp_path / "c", None, anchor)
                pytest.fail(f"byte {at} as {value}")


def test_a_changed_byte_is_found_without_an_anchor_too(tmp_path, key):
    """Upper-case digits of the last signature say the same, and are a change all the same."""
    whole = written(tmp_path / "l", key, 2).read_bytes()
    for at in range(len(whole)):
        (tmp_path / "c").write_bytes(whole[:at] + bytes([whole[at] ^ 32]) + whole[at + 1 :])
        with pytest.raises(LedgerError):
            verified(tmp_path / "c")
            pytest.fail(f"byte {at}")


@settings(max_examples=60)
@given(st.data())
def test_lines_removed_inserted_and_moved_are_found(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("ledger")
    lines = written(folder / "l", load_key(folder / "key"), 2, 3, 2).read_bytes().splitlines(keepends=True)
    a, b = data.draw(st.integers(0, len(lines) - 1)), data.draw(st.integers(0, len(lines) - 1))
    change = data.draw(st.sampled_from(["remove", "insert", "swap"]))
    changed = list(lines)
    if change == "remove":
        del changed[a]
    elif change == "insert":
        changed.insert(b, lines[a])
    else:
        changed[a], changed[b] = changed[b], changed[a]
    (folder / "l").write_bytes(b"".join(changed))
    if changed == lines:
        assert verified(folder / "l").rows == 7
    elif change == "remove" and a == len(lines) - 1:
        with pytest.raises(LedgerError, match="prove nothing"):
            verified(folder / "l")
    else:
        with pytest.raises(LedgerError):
            verified(folder / "l")


def test_a_whole_end_that_is_cut_off_is_found_by_an_anchor(tmp_path, key):
    path = written(tmp_path / "l", key, 2, 3)
    anchor, lines = verified(path).anchor, path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]))
    assert verified(path).rows == 2
    with pytest.raises(LedgerError, match="rewritten, or cut off"):
        verified(path, None, anchor)


def test_a_whole_end_that_is_cut_off_is_found_where_it_was_written(tmp_path, key):
    anchors, path = Anchors(tmp_path / "anchors"), tmp_path / "l"

    def appended(start):
        ledger = Ledger(path, key, anchors)
        ledger.append(rows(2, start), "2026-01-01T00:00:00Z")
        ledger.close()
        return path.read_bytes()

    one, two = appended(0), appended(100)
    first, last = (hashlib.sha256(raw.splitlines(keepends=True)[-1]).hexdigest() for raw in (one, two))
    assert anchors.last_of(path, first) == last == verified(path).anchor and verified(path).first == first
    path.write_bytes(one)
    with pytest.raises(LedgerError, match="ends before the last seal"):
        appended(200)
    assert path.read_bytes() == one, "nothing is written behind it"
    path.write_bytes(one.splitlines(keepends=True)[0])
    with pytest.raises(LedgerError, match="ends before the last seal"):
        appended(200)
    path.rename(tmp_path / "moved").write_bytes(two)
    assert anchors.last_of(tmp_path / "moved", first) == last, "known by its first seal wherever it lies"
    assert appended(300) and verified(path).rows == 2, "another one may begin in its place"
    assert anchors.last_of(tmp_path / "moved", first) == last, "the one before is not forgotten"
    path.write_bytes(b"")
    with pytest.raises(LedgerError, match="was emptied"):
        appended(400)
    path.unlink()
    assert appended(400), "who removes it begins another"
    Anchors(tmp_path / "anchors" / "none").keep(path, first, last)  # where nothing can be written nothing is said
    for spoilt in (b"", b"[", b'[{"path": 1}]'):
        (tmp_path / "anchors").write_bytes(spoilt)
        assert anchors.last_of(path, first) is None


def test_another_key_is_found(tmp_path, key):
    other = load_key(tmp_path / "other")
    path = written(tmp_path / "l", other, 2)
    with pytest.raises(LedgerError, match="another key"):
        verified(path, key.public_key().public_bytes_raw().hex())
    with pytest.raises(LedgerError, match="another key"):
        Ledger(path, key)


def test_what_a_killed_run_left_behind_is_put_aside(tmp_path, key):
    path = written(tmp_path / "l", key, 2)
    whole = path.read_bytes()
    path.write_bytes(whole + b'{"kind":"alert","half')
    ledger = Ledger(path, key)
    assert ledger.torn == 21
    ledger.append(rows(1, 50), "2026-01-01T00:00:00Z")
    ledger.close()
    assert verified(path).rows == 3 and (tmp_path / "l.torn").read_bytes() == b'{"kind":"alert","half'


def test_a_ledger_that_was_changed_is_not_gone_on_with(tmp_path, key):
    path = written(tmp_path / "l", key, 2, 2)
    path.write_bytes(path.read_bytes().replace(b"0000000000000001", b"0000000000000009", 1))
    with pytest.raises(LedgerError, match="not those that were sealed"):
        Ledger(path, key)


def test_two_writers_do_not_share_a_ledger(tmp_path, key):
    path = written(tmp_path / "l", key, 2)
    first = Ledger(path, key)
    with pytest.raises(LedgerError, match="another process"):
        Ledger(path, key)
    first.close()
    Ledger(path, key).close()


def test_a_block_that_finds_no_room_leaves_nothing_behind(tmp_path, key):
    path = written(tmp_path / "l", key, 2)
    ledger, before = Ledger(path, key), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, before[1]))
    try:
        with pytest.raises(OSError):
            ledger.append(rows(50, 10), "2026-01-01T00:00:00Z")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    ledger.append(rows(1, 99), "2026-01-01T00:00:00Z")
    assert verified(path).rows == 3


def test_a_proof_is_enough(tmp_path, key):
    path = written(tmp_path / "l", key, 3, 6)
    with path.open("rb") as file:
        proof = prove(file, b"0000000000000007")
    raw = json.dumps({name: getattr(proof, name) for name in proof.__struct_fields__ if name != "seal"} | {
        "seal": {name: getattr(proof.seal, name) for name in proof.seal.__struct_fields__}
    }).encode()  # fmt: skip
    assert check(raw, key.public_key().public_bytes_raw().hex())["alert_id"] == "0000000000000007"
    for before, behind in (
        (b"0000000000000007", b"0000000000000008"),
        (b'"index": 4', b'"index": 3'),
        (b'"rows": 6', b'"rows": 7'),
    ):
        assert before in raw
        with pytest.raises(LedgerError):
            check(raw.replace(before, behind))
    with pytest.raises(LedgerError, match="another key"):
        check(raw, "00" * 32)
    for nonsense in (b"", b"{}", b"\xff", b'{"public_key": 1}'):
        with pytest.raises(LedgerError):
            check(nonsense)


@given(st.binary(max_size=300))
def test_nonsense_is_no_ledger(raw):
    with pytest.raises(LedgerError):
        verify(io.BytesIO(raw))


def alert(number, transactions, **more):
    return {
        "alert_id": f"{number:016x}", "sensor": "tapwatch", "detector": "d", "owasp": "o", "host": "h", "method": "GET", "endpoint": "/",
        "severity": "high", "actor": "a", "actors": 1, "sources": ["192.0.2.1"], "explanation": "e", "threshold": 1.0, "transactions": transactions, "statistic": {"name": "s", "value": 2.0},
        "first_seen": 0, "last_seen": 0, "raised_at": 0, "confidence": 0.75,
    } | more  # fmt: skip


def test_alerts_are_written_when_they_have_grown_and_at_the_end(tmp_path):
    config = Config(ledger=LedgerConfig(file=str(tmp_path / "l"), key_file=str(tmp_path / "k")))
    evidence = open_ledger(config, print)
    for count in range(10, 100):
        evidence.alerts([alert(1, count)])
    evidence.close()
    told = [json.loads(line)["transactions"] for line in (tmp_path / "l").read_text().splitlines() if "alert_id" in line]
    assert told == [10, 20, 40, 80, 99]


def test_a_store_that_says_otherwise_is_told(tmp_path):
    config = Config(ledger=LedgerConfig(file=str(tmp_path / "l"), key_file=str(tmp_path / "k")))
    evidence = open_ledger(config, print)
    evidence.alerts([alert(1, 10), alert(2, 10), alert(3, 10)])
    evidence.close()
    times = dict.fromkeys(("first_seen", "last_seen", "raised_at"), "1970-01-01T00:00:00.000000Z")

    def told(*stored):
        with (tmp_path / "l").open("rb") as file:
            return differences(file, [row | times for row in stored])

    assert told(alert(1, 10), alert(2, 10), alert(3, 30, severity="critical")) == []
    assert "not in the store" in told(alert(1, 10), alert(2, 10))[0]
    assert "not in the ledger" in told(*(alert(k, 10) for k in range(1, 5)))[0]
    assert told(alert(1, 10, sources=[]), alert(2, 10), alert(3, 10)) == [
        "Alert 0000000000000001 has another sources in the store than in the ledger."
    ]
    assert "another confidence" in told(alert(1, 10, confidence=0.1), alert(2, 10), alert(3, 10))[0]
    assert "another statistic" in told(alert(1, 10, statistic={"name": "s", "value": 1.0}), alert(2, 10), alert(3, 10))[0]
    assert "fewer" in told(alert(1, 9), alert(2, 10), alert(3, 10))[0]
    assert "another endpoint" in told(alert(1, 50, endpoint="/x"), alert(2, 10), alert(3, 10))[0]
    assert told(alert(1, 10), alert(2, 10), alert(3, 10), alert(9, 1, sensor="another")) == []


def test_endpoints_and_what_was_learned_are_held_against_the_store(tmp_path):
    config = Config(ledger=LedgerConfig(file=str(tmp_path / "l"), key_file=str(tmp_path / "k")))
    evidence = open_ledger(config, print)
    made = [{"host": "h", "method": "GET", "endpoint": path, "first_seen": 0} for path in ("/a", "/b", "/c/x")]
    learned = {"ts": 0, "host": "h", "prefix": "/c", "names": ["n"], "endpoints": 12, "reason": "r"}
    evidence.endpoints(made)
    evidence.changes([learned])
    evidence.close()
    zero, later = "1970-01-01T00:00:00.000000Z", "1970-01-01T00:00:01.000000Z"
    rows = [row | {"first_seen": zero} for row in made]
    change = learned | {"ts": zero, "sensor": "tapwatch"}

    def told(endpoints, changes):
        with (tmp_path / "l").open("rb") as file:
            return differences(file, [], endpoints, changes)

    assert told(rows, [change]) == told(rows[:2], [change]) == [], "/c/x became a part of /c/{slug}"
    assert told(rows[1:], [change]) == ["Endpoint GET h/a is in the ledger and not in the store."]
    assert "first seen later" in told([rows[0] | {"first_seen": later}, *rows[1:]], [change])[0]
    assert told(rows, []) == [f"What was learned of h/c at {zero} is in the ledger and not in the store."]
    assert len(told(rows, [change | {"endpoints": 13}])) == 2
    assert told(rows, [change, change | {"sensor": "another", "endpoints": 13}]) == []


def test_the_commands(tmp_path):
    store, path = f"chdb://{tmp_path / 'store'}", tmp_path / "l"
    environment = os.environ | {"XDG_STATE_HOME": str(tmp_path / "state")}

    def tapwatch(*words):
        return subprocess.run(
            [sys.executable, "-m", "sensor", *map(str, words)], capture_output=True, text=True, timeout=600, env=environment
        )

    assert tapwatch("replay", "pcaps/storefront.pcap", "--store", store, "--ledger", path).returncode == 0
    key = tapwatch("ledger", "key").stdout.strip()
    first = tapwatch("ledger", "verify", path, "--public-key", key, "--against-store", "--store", store, "--json")
    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    assert found["rows"] > 2 and found["differences"] == []
    assert tapwatch("replay", "pcaps/storefront.pcap", "--store", store, "--ledger", path).returncode == 0
    again = tapwatch("ledger", "verify", path, "--anchor", found["anchor"], "--json")
    assert json.loads(again.stdout)["rows"] == found["rows"], "a replay adds nothing"
    proof = tapwatch("ledger", "prove", path, "a211cf05bfd6f518")
    (tmp_path / "proof.json").write_text(proof.stdout)
    checked = tapwatch("ledger", "check", tmp_path / "proof.json", "--public-key", key)
    assert json.loads(checked.stdout)["detector"] == "enumeration"
    whole = path.read_bytes().splitlines(keepends=True)
    sealed = [k for k, line in enumerate(whole) if line.startswith(b'{"seal":')]
    path.write_bytes(b"".join(whole[: sealed[-2] + 1]))
    cut = tapwatch("ledger", "verify", path)
    assert cut.returncode == 1 and "it was cut off" in cut.stderr and "Traceback" not in cut.stderr
    path.write_bytes(b"".join(whole))
    assert tapwatch("ledger", "verify", path).returncode == 0
    path.write_bytes(path.read_bytes().replace(b"198.51.100.77", b"198.51.100.78", 1))
    bad = tapwatch("ledger", "verify", path)
    assert bad.returncode == 1 and bad.stderr.startswith("tapwatch: The rows of seal") and "Traceback" not in bad.stderr
