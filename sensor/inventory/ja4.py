"""JA4, the fingerprint of a TLS client, as `t13d1516h2_8daaf6152771_e5627efa2ab1` (FoxIO; BSD-3-Clause)."""

import hashlib

import numpy as np

VERSIONS = {0x0304: "13", 0x0303: "12", 0x0302: "11", 0x0301: "10", 0x0300: "s3", 0x0002: "s2"}
VERSION_NAMES = {0x0304: "1.3", 0x0303: "1.2", 0x0302: "1.1", 0x0301: "1.0", 0x0300: "SSL 3"}
SERVER_NAME, ALPN = 0x0000, 0x0010
NOTHING = "0" * 12
MOST = 99
"""Two digits hold no more."""


def ja4(hello: np.void) -> str:
    """The fingerprint of a HELLO; empty where not all of it was read."""
    if not hello["whole"]:
        return ""
    ciphers = hello["cipher"][: hello["ciphers"]]
    extensions = hello["extension"][: hello["extensions"]]
    algorithms = hello["algorithm"][: hello["algorithms"]]
    shape = (
        "t" + VERSIONS.get(int(hello["version"]), "00") + ("d" if hello["named"] else "i")
        + f"{min(len(ciphers), MOST):02}{min(len(extensions), MOST):02}" + _alpn(hello)
    )  # fmt: skip
    others = [value for value in extensions.tolist() if value not in (SERVER_NAME, ALPN)]
    text = _hexed(others) + ("_" + _hexed(algorithms) if len(algorithms) else "")
    return f"{shape}_{_digest(_hexed(ciphers))}_{_digest(text) if len(extensions) else NOTHING}"


def _alpn(hello: np.void) -> str:
    """First and last character of the first protocol; digits of their bytes where one is neither letter nor digit."""
    if not hello["has_alpn"]:
        return "00"
    first, last = (int(byte) for byte in hello["alpn"])
    if all(byte < 128 and chr(byte).isalnum() for byte in (first, last)):
        return chr(first) + chr(last)
    return f"{first:02x}"[0] + f"{last:02x}"[1]


def _hexed(numbers) -> str:
    return ",".join(f"{int(value):04x}" for value in numbers)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12] if text else NOTHING
