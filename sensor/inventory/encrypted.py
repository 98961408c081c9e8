"""Endpoints that cannot be read: who offers TLS under which name, and with what clients ask for it."""

import collections

import numpy as np

from sensor.core.addresses import address_text
from sensor.core.reasons import REASON
from sensor.core.records import HELLO
from sensor.inventory.ja4 import VERSION_NAMES, ja4

SERVICES = 16_384
"""Rows, all in all."""
NAMES_OF_SERVER, CLIENTS_OF_NAME = 256, 16
"""Names of one address and port, and fingerprints of one name, that are told apart: both are the client's to make up, and one
server may have a quarter of all rows."""
KNOWN_HELLOS = 65_536
"""ClientHellos whose row is remembered; then they are looked at anew."""
SERVICE = np.dtype([
    ("server_hi", "<u8"), ("server_lo", "<u8"), ("server_port", "<u2"),
    ("name", "S255"),        # the server_name; empty: none, or one too many
    ("ja4", "S36"),          # of the client; empty: not read whole, or one too many
    ("version", "<u2"),      # the highest offered, as on the wire
    ("connections", "<u8"),
    ("first_seen", "<i8"), ("last_seen", "<i8"),  # ns
])  # fmt: skip
R_OVERFLOW = REASON["tls_overflow"]
WHO = HELLO.fields["server_hi"][1]  # type: ignore[index]
"""Where in a HELLO begins what makes it one of the same: behind when it was, and from whom."""


class Encrypted:
    """The inventory of TLS services."""

    def __init__(self) -> None:
        self.rows = np.zeros(SERVICES, SERVICE)
        self.control = np.zeros(1, np.int64)
        """rows in use"""
        self._index: dict[tuple, int] = {}
        self._names: collections.Counter[tuple] = collections.Counter()
        self._clients: collections.Counter[tuple] = collections.Counter()
        self._places: dict[bytes, int] = {}

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything that is kept, by name."""
        return {"rows": self.rows, "control": self.control}

    def update(self, hellos: np.ndarray, counters: np.ndarray) -> None:
        """Take HELLO[n] in the order in which they came."""
        if len(self._index) != self.control[0]:  # the arrays were filled from a checkpoint
            self._build_index()
        blob, size = hellos.tobytes(), HELLO.itemsize
        for k, hello in enumerate(hellos):
            identity = blob[k * size + WHO : (k + 1) * size]
            place = self._places.get(identity)
            if place is None:
                place = self._find(hello)
                if len(self._places) >= KNOWN_HELLOS:
                    self._places.clear()
                self._places[identity] = place
            if place < 0:
                counters[R_OVERFLOW] += np.uint64(1)
                continue
            row, ts = self.rows[place], hello["ts"]
            row["connections"] += np.uint64(1)
            row["first_seen"] = min(row["first_seen"], ts)
            row["last_seen"] = max(row["last_seen"], ts)
            row["version"] = max(row["version"], hello["version"])

    def services(self) -> list[dict]:
        """Rows of the store's `encrypted_services`, in the order in which they were first seen."""
        return [
            {
                "server_ip": address_text(int(row["server_hi"]), int(row["server_lo"])),
                "server_port": int(row["server_port"]),
                "server_name": row["name"].decode(),
                "ja4": row["ja4"].decode(),
                "tls_version": VERSION_NAMES.get(int(row["version"]), "other"),
                "connections": int(row["connections"]),
                "first_seen": int(row["first_seen"]),
                "last_seen": int(row["last_seen"]),
            }
            for row in self.rows[: self.control[0]]
        ]

    def _find(self, hello: np.void) -> int:
        """The row of a ClientHello, made where there is none yet; -1 where there is no room."""
        server = int(hello["server_hi"]), int(hello["server_lo"]), int(hello["server_port"])
        name, client = bytes(hello["name"][: hello["name_len"]]), ja4(hello).encode()
        if (*server, name, client) not in self._index:
            if (server, name) not in self._clients and self._names[server] >= NAMES_OF_SERVER:
                name = b""
            if self._clients[server, name] >= CLIENTS_OF_NAME:
                client = b""
        found = self._index.get((*server, name, client))
        if found is None and self.control[0] < SERVICES:
            found = int(self.control[0])
            row = self.rows[found]
            row["server_hi"], row["server_lo"], row["server_port"] = server
            row["name"], row["ja4"] = name, client
            row["first_seen"] = row["last_seen"] = hello["ts"]
            self.control[0] += 1
            self._enter(server, name, client, found)
        return -1 if found is None else found

    def _enter(self, server: tuple, name: bytes, client: bytes, place: int) -> None:
        self._index[(*server, name, client)] = place
        self._names[server] += (server, name) not in self._clients
        self._clients[server, name] += 1

    def _build_index(self) -> None:
        for kept in (self._index, self._names, self._clients, self._places):
            kept.clear()
        for place, row in enumerate(self.rows[: self.control[0]]):
            server = int(row["server_hi"]), int(row["server_lo"]), int(row["server_port"])
            self._enter(server, bytes(row["name"]), bytes(row["ja4"]), place)
