"""Values from ClickHouse as JSON knows them: text, numbers, booleans, lists and objects."""

import datetime
import ipaddress
from collections.abc import Iterable
from typing import Any

_AS_IS = (int, float, str, bool, type(None))


def timestamp(nanoseconds: int) -> str:
    """RFC 3339 in UTC with microseconds, as `2026-01-31T12:00:00.000001Z`."""
    seconds, rest = divmod(nanoseconds // 1000, 1_000_000)
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=seconds)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest:06d}Z"


def address(value: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """An address as text; one that maps IPv4 is printed as IPv4."""
    mapped = getattr(value, "ipv4_mapped", None)
    return str(mapped or value)


def plain(value: Any) -> Any:
    """One value as JSON knows it. Bytes that are no UTF-8 stay visible as `\\xff`."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, _AS_IS):
        return value
    if isinstance(value, datetime.datetime):
        if value.tzinfo is not None:
            value = value.astimezone(datetime.UTC).replace(tzinfo=None)
        return value.isoformat(timespec="microseconds") + "Z"
    if isinstance(value, (ipaddress.IPv4Address, ipaddress.IPv6Address)):
        return address(value)
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return str(value)


def plain_rows(rows: Iterable[Iterable[Any]]) -> list[tuple]:
    """Rows of `plain` values."""
    return [tuple([value if type(value) in _AS_IS else plain(value) for value in row]) for row in rows]
