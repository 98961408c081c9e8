"""Addresses of resources that lead inside: to the server itself, its network, its cloud's metadata, or its files."""

import ipaddress
import re
import urllib.parse

import numpy as np

from sensor.core.jit import kernel

METADATA, SCHEME, LOOPBACK, PRIVATE = range(4)
KINDS = ("the metadata service of a cloud", "a scheme other than http", "the server itself", "a private network")
"""What is asked for, as a sentence calls it. For the first two a client has no honest use."""
CERTAIN = (METADATA, SCHEME)
METADATA_HOSTS = ("metadata.google.internal", "metadata.goog", "metadata", "instance-data", "metadata.azure.internal")
METADATA_ADDRESSES = tuple(map(ipaddress.ip_address, ("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254")))
SCHEMES = ("file", "gopher", "dict", "ldap", "ldaps", "tftp", "jar", "netdoc", "php", "phar", "expect")
INNER_NAMES = re.compile(r"(?:^|\.)(?:internal|intranet|local|lan|corp|svc|cluster|localdomain)$")
REDIRECTS = re.compile(r"(?i)redirect|logout|return|callback")
"""Names of parameters by which programs on a desk ask to be called back on themselves (RFC 8252 7.3)."""
SHORTEST = 8
COLON, SLASH, PERCENT = 58, 47, 37


@kernel
def url_values(values, arena, found):
    """Numbers of the values that may be URLs (`://`, also percent-encoded), to found[:]: how many, as far as there is room."""
    count = 0
    for index in range(values.shape[0]):
        value = values[index]
        length = min(np.int64(value["len"]), 64)
        if length < SHORTEST or value["number"] >= 0:
            continue
        at = np.int64(value["at"])
        for k in range(at, at + min(length - 2, 12)):
            plain = arena[k] == COLON and arena[k + 1] == SLASH and arena[k + 2] == SLASH
            coded = arena[k] == PERCENT and arena[k + 1] == 51 and arena[k + 2] | 32 == 97
            if plain or coded:
                if count == found.shape[0]:
                    return count
                found[count] = index
                count += 1
                break
    return count


def kind_of(text: str, name: str) -> int | None:
    """Where a URL leads, None for outside and for what is no URL. name: of the parameter that bears it."""
    try:
        parts = urllib.parse.urlsplit(urllib.parse.unquote(text).strip())
        host = (parts.hostname or "").rstrip(".").lower()
    except ValueError:
        return None
    if parts.scheme.lower() in SCHEMES:
        return SCHEME
    if parts.scheme.lower() not in ("http", "https", "ftp", "ws", "wss") or not host:
        return None
    kind = _kind_of_host(host)
    return None if kind == LOOPBACK and REDIRECTS.search(name) else kind


def _kind_of_host(host: str) -> int | None:
    address = _address(host)
    if host in METADATA_HOSTS or (address is not None and address in METADATA_ADDRESSES):
        return METADATA
    if (
        host == "localhost"
        or host.endswith(".localhost")
        or (address is not None and (address.is_loopback or address.is_unspecified))
    ):
        return LOOPBACK
    if address is not None:
        return PRIVATE if address.is_private or address.is_link_local else None
    return PRIVATE if INNER_NAMES.search(host) else None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address, in the forms too that C libraries read: `2130706433`, `0x7f.1`, `127.1`, `0177.0.0.1`."""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        pass
    else:
        return getattr(found, "ipv4_mapped", None) or found
    parts = host.split(".")
    if not 1 <= len(parts) <= 4:
        return None
    try:
        numbers = [
            int(part, 16) if part[:2] == "0x" else int(part, 8) if part[:1] == "0" and len(part) > 1 else int(part)
            for part in parts
        ]
    except ValueError:
        return None
    *heads, last = numbers
    if any(not 0 <= head < 256 for head in heads) or not 0 <= last < 256 ** (5 - len(parts)):
        return None
    return ipaddress.IPv4Address(sum(head << 8 * (3 - k) for k, head in enumerate(heads)) + last)
