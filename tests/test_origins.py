"""Where the addresses of alerts are, from databases that the operator gives."""

import json
import pathlib
import subprocess
import sys

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from sensor.config import ConfigError
from sensor.origins import Origins
from sensor.settings import Geo

ROOT = pathlib.Path(__file__).resolve().parent.parent
TAPWATCH = pathlib.Path(sys.executable).with_name("tapwatch")


def write(path: pathlib.Path, records: dict[str, dict]) -> str:
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True)
    for network, record in records.items():
        writer.insert_network(IPSet([network]), record)
    writer.to_db_file(str(path))
    return str(path)


@pytest.fixture(scope="module")
def geo(tmp_path_factory) -> Geo:
    folder = tmp_path_factory.mktemp("geo")
    country = {
        "192.0.2.0/24": {"country": {"iso_code": "NO", "names": {"en": "Norway"}}},
        "198.51.100.0/24": {"registered_country": {"iso_code": "DE"}},
        "2001:db8::/32": {"country": "FR"},
        "203.0.113.0/24": {"country": {"iso_code": 7}},
    }
    asn = {
        "192.0.2.0/24": {"autonomous_system_number": 64500, "autonomous_system_organization": "Example"},
        "2001:db8::/32": {"asn": "AS64501", "as_name": "Other"},
    }
    return Geo(write(folder / "country.mmdb", country), write(folder / "asn.mmdb", asn))


def test_addresses_are_looked_up(geo):
    origins = Origins(geo)
    found = {
        address: origins.of(address)
        for address in ("192.0.2.7", "198.51.100.7", "203.0.113.9", "2001:db8::1", "10.0.0.1", "no address")
    }
    assert found == {
        "192.0.2.7": ("NO", "AS64500 Example"), "198.51.100.7": ("DE", ""), "203.0.113.9": ("", ""),
        "2001:db8::1": ("FR", "AS64501 Other"), "10.0.0.1": ("", ""), "no address": ("", ""),
    }  # fmt: skip


def test_the_explanation_names_a_network_that_holds_most(geo):
    def row(*sources):
        return {"sources": list(sources), "explanation": "Much."}

    many, one, none = Origins(geo).enrich(
        [row(*(f"192.0.2.{k}" for k in range(30)), "198.51.100.1"), row("192.0.2.1"), row("10.0.0.1", "192.0.2.1")]
    )
    assert many["explanation"] == "Much. 30 of the 31 addresses belong to AS64500 Example."
    assert (many["countries"], many["networks"]) == ({"NO": 30, "DE": 1}, {"AS64500 Example": 30})
    assert one["explanation"] == none["explanation"] == "Much."
    assert Origins(Geo()).enrich([row("192.0.2.1")]) == [row("192.0.2.1") | {"countries": {}, "networks": {}}]


def test_what_is_no_database_is_told(tmp_path):
    (tmp_path / "text.mmdb").write_text("no database")
    for path, says in ((str(tmp_path / "text.mmdb"), "MaxMind"), (str(tmp_path / "none.mmdb"), "cannot be read")):
        with pytest.raises(ConfigError, match=says):
            Origins(Geo(asn=path))


def test_a_damaged_database_is_no_end(geo, tmp_path):
    raw = bytearray(pathlib.Path(geo.asn).read_bytes())
    for at in range(0, len(raw) - 200, 3):  # its description, at the end, is left as it is
        raw[at] ^= 0xFF
    (tmp_path / "damaged.mmdb").write_bytes(raw)
    origins = Origins(Geo(asn=str(tmp_path / "damaged.mmdb")))
    for k in range(256):
        country, network = origins.of(f"{k}.0.2.{k}")
        assert isinstance(country, str) and isinstance(network, str)


def test_alerts_in_the_store_have_them(geo, tmp_path):
    (tmp_path / "c.toml").write_text(f'[geo]\ncountry = "{geo.country}"\nasn = "{geo.asn}"\n')
    store = f"chdb://{tmp_path}/store"
    done = subprocess.run(
        [TAPWATCH, "replay", str(ROOT / "pcaps/storefront.pcap"), "--store", store, "-c", str(tmp_path / "c.toml")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    listed = subprocess.run([TAPWATCH, "alerts", "--store", store, "--json"], capture_output=True, text=True, check=True).stdout
    found = {row["detector"]: (row["countries"], row["networks"]) for row in map(json.loads, listed.splitlines())}
    assert found == {"enumeration": ({"DE": 1}, {}), "credential_stuffing": ({"NO": 1}, {"AS64500 Example": 1})}
