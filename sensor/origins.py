"""Countries and networks that alerts come from, by databases in MaxMind's format, where some are given."""

import collections
import pathlib
from typing import Any

from sensor.config import ConfigError
from sensor.settings import Geo

MOST = 20
"""Countries and networks that are told of one alert, those with most addresses first."""
REMEMBERED = 100_000
"""Addresses that are looked up once."""
MOSTLY = 0.9
"""Share of the addresses in one network from which on the explanation names it."""

Row = dict[str, Any]


class Origins:
    """Looks up addresses. Raises ConfigError for a database that cannot be read."""

    def __init__(self, geo: Geo):
        self._readers = [_open(path) for path in (geo.country, geo.asn) if path]
        self._known: dict[str, tuple[str, str]] = {}

    def enrich(self, rows: list[Row]) -> list[Row]:
        """The alerts with `countries` and `networks`: addresses of each among their sources; empty where nothing is known."""
        return [self._enriched(row) for row in rows]

    def of(self, address: str) -> tuple[str, str]:
        """(ISO 3166 code of the country, network as `AS64500 Example`) of an address; empty where it is not known."""
        found = self._known.get(address)
        if found is None:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            found = self._known[address] = self._look_up(address)
        return found

    def _enriched(self, row: Row) -> Row:
        if not self._readers:
            return row | {"countries": {}, "networks": {}}
        found = [self.of(source) for source in row["sources"]]
        countries = collections.Counter(country for country, _ in found if country)
        networks = collections.Counter(network for _, network in found if network)
        told = row | {"countries": dict(countries.most_common(MOST)), "networks": dict(networks.most_common(MOST))}
        if len(found) > 1 and networks:
            network, count = networks.most_common(1)[0]
            if count >= MOSTLY * len(found):
                told["explanation"] += f" {count:,} of the {len(found):,} addresses belong to {network}."
        return told

    def _look_up(self, address: str) -> tuple[str, str]:
        country = network = ""
        for reader in self._readers:
            try:
                record = reader.get(address)
            except (ValueError, RuntimeError):  # IPv6 in a database of IPv4, no address; a place of the file that is damaged
                continue
            if isinstance(record, dict):
                country, network = country or _country(record), network or _network(record)
        return country, network


def _open(path: str) -> Any:
    import maxminddb

    try:
        return maxminddb.open_database(pathlib.Path(path))
    except OSError as error:
        raise ConfigError(f"`geo`: {path} cannot be read: {error.strerror}.") from None
    except (maxminddb.InvalidDatabaseError, ValueError):
        raise ConfigError(f"`geo`: {path} is no database in MaxMind's format (.mmdb).") from None


def _country(record: Row) -> str:
    """Of MaxMind's databases, and of those that have the code itself."""
    found = record.get("country") or record.get("registered_country") or record.get("country_code") or ""
    code = found.get("iso_code", "") if isinstance(found, dict) else found
    return code if isinstance(code, str) and len(code) == 2 else ""


def _network(record: Row) -> str:
    """Of MaxMind's databases, and of those that have `asn` and `as_name` or `name`."""
    number = record.get("autonomous_system_number") or record.get("asn")
    if not number:
        return ""
    name = record.get("autonomous_system_organization") or record.get("as_name") or record.get("name") or ""
    return f"AS{str(number).upper().removeprefix('AS')} {name}".strip()
