"""Packets of an interface by scapy, for systems without AF_PACKET: slow, and only as good as scapy is there."""

import select
import time

import numpy as np

from sensor.capture.blocks import ETHERNET
from sensor.capture.files import BUFFERS, CaptureError, Chunk
from sensor.capture.index import MAX_CAPTURED
from sensor.core.records import FRAME
from sensor.core.wide import SLACK

FRAMES_AT_ONCE = 512
BUFFER = 1 << 20


class Sniffer:
    """The same as `ring.Ring`, filled packet by packet. Raises CaptureError where it cannot be opened."""

    def __init__(self, interface: str, expression: str | None):
        from sensor.scapy_bridge import open_sniffer

        self.name, self.link, self.blocks, self.filled = interface, ETHERNET, 1, 0
        self._turn = self._seen = 0
        self._buffers = [np.zeros(BUFFER + MAX_CAPTURED + SLACK, np.uint8) for _ in range(BUFFERS)]
        self._frames = [np.zeros(FRAMES_AT_ONCE, FRAME) for _ in range(BUFFERS)]
        self._open = True
        try:
            self._socket = open_sniffer(interface, expression)
        except PermissionError:
            raise CaptureError("Capturing needs the rights of an administrator here: run as root.") from None
        except OSError as error:
            raise CaptureError(f"No packets can be had of {interface}: {error.strerror or error}.") from None

    def fileno(self) -> int:
        """For `select.poll`."""
        return self._socket.fileno()

    def take(self) -> Chunk | None:
        """What came since the last time, None when nothing did."""
        buffer, frames = self._buffers[self._turn], self._frames[self._turn]
        count, at = 0, 0
        while count < len(frames) and at < BUFFER and self._open and select.select([self._socket], [], [], 0)[0]:
            _, data, seconds = self._socket.recv_raw()
            if data is None:
                break
            captured = min(len(data), MAX_CAPTURED)
            buffer[at : at + captured] = np.frombuffer(data[:captured], np.uint8)
            ts = int((time.time() if seconds is None else float(seconds)) * 1e6) * 1000
            frames[count] = (at, captured, len(data), ts, self.link)
            at += captured
            count += 1
        self._seen += count
        if not count:
            return None
        self._turn = (self._turn + 1) % BUFFERS
        return Chunk(buffer, frames[:count])

    def give_back(self) -> None:
        """Nothing to do: buffers are used in turn, and there are as many as may be in work."""

    def no_more(self) -> None:
        """What comes from here on is not taken."""
        self._open = False

    def statistics(self) -> tuple[int, int]:
        """(packets since the last call, 0: what was dropped is not known here)."""
        seen, self._seen = self._seen, 0
        return seen, 0

    def trouble(self) -> str:
        """Not known here."""
        return ""

    def filter_by(self, program: list | None) -> None:
        """A filter cannot be changed here."""

    def close(self) -> None:
        self._socket.close()
