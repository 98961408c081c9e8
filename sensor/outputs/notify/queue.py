"""When alerts are sent: once as they are raised, again when they have grown much; never in the way of the sensor."""

import collections
import dataclasses
import json
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from sensor.core.severities import SEVERITIES
from sensor.outputs.notify.messages import FORMATS, RAISED, UPDATED, fitting_syslog
from sensor.outputs.notify.senders import Sender, SendError

WAITING = 1_000
"""Messages that wait for one receiver; then the oldest give way, and are counted."""
TRIES = 8
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds between tries, doubled from the first to the longest."""
GROWN, AGAIN = 2.0, 300.0
"""An alert is told again when it has so many times the transactions, and so many seconds have passed."""
REMEMBERED = 10_000


@dataclasses.dataclass
class _Told:
    transactions: int
    at: float
    severity: str


class Notifier:
    """One receiver. `alerts` never waits; a thread of its own sends."""

    def __init__(self, sender: Sender, form: str, least: str, is_syslog: bool, sensor: str, say: Callable[[str], None]):
        self._sender, self._form, self._least = sender, form, SEVERITIES.index(least)
        self._is_syslog, self._sensor, self._say = is_syslog, sensor, say
        self._told: collections.OrderedDict[str, _Told] = collections.OrderedDict()
        self._delivered: collections.OrderedDict[str, list] = collections.OrderedDict()
        self._waiting: collections.deque[tuple[str, bytes, dict[str, Any]]] = collections.deque()
        self._changed = threading.Condition()
        self._closing = False
        self._deadline = float("inf")
        self.sent = self.dropped = 0
        self._thread = threading.Thread(target=self._run, name="tapwatch-notify", daemon=True)
        self._thread.start()

    def alerts(self, rows: list[dict[str, Any]], rfc3339: Callable[[int], str]) -> None:
        """Take alerts (Alert.as_row) that are new or have grown."""
        for row in rows:
            event = self._event(row)
            if event:
                self._put(row, event, {name: rfc3339(row[name]) for name in ("first_seen", "last_seen", "raised_at")})

    def told(self) -> dict[str, list]:
        """What was delivered, alert to transactions and severity, for `take_up` of a later run. What waits is told anew."""
        with self._changed:
            return dict(self._delivered)

    def take_up(self, told: dict[str, list]) -> None:
        """An earlier run told of these: they are not raised again."""
        for alert_id, (transactions, severity) in told.items():
            self._told[alert_id] = _Told(transactions, time.monotonic(), severity)
            self._delivered[alert_id] = [transactions, severity]

    def close(self, patience: float) -> None:
        """Send what waits, for so many seconds at the most."""
        with self._changed:
            self._closing, self._deadline = True, time.monotonic() + patience
            self._changed.notify()
        self._thread.join(patience + 1.0)

    def _event(self, row: dict[str, Any]) -> str:
        """RAISED, UPDATED, or nothing."""
        if SEVERITIES.index(row["severity"]) < self._least:
            return ""
        told, now = self._told.get(row["alert_id"]), time.monotonic()
        graver = told is not None and SEVERITIES.index(row["severity"]) > SEVERITIES.index(told.severity)
        grown = told is not None and row["transactions"] >= GROWN * told.transactions and now - told.at >= AGAIN
        if told is not None and not graver and not grown:
            return ""
        self._told[row["alert_id"]] = _Told(row["transactions"], now, row["severity"])
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        return UPDATED if told else RAISED

    def _put(self, row: dict[str, Any], event: str, times: dict[str, str]) -> None:
        if self._is_syslog:
            body = fitting_syslog(row, self._form, event, self._sensor, socket.gethostname(), times)
        else:
            body = json.dumps(FORMATS[self._form](row, event, self._sensor, times)).encode()
        with self._changed:
            if len(self._waiting) >= WAITING:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append((f"{row['alert_id']}-{row['transactions']}", body, row))
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting and not self._closing:
                    self._changed.wait()
                if not self._waiting or time.monotonic() > self._deadline:
                    self.dropped += len(self._waiting)
                    break
                key, body, row = self._waiting.popleft()
            if self._deliver(key, body):
                self.sent += 1
                self._note_delivered(row)
            else:
                self.dropped += 1
        self._sender.close()

    def _note_delivered(self, row: dict[str, Any]) -> None:
        with self._changed:
            self._delivered[row["alert_id"]] = [row["transactions"], row["severity"]]
            if len(self._delivered) > REMEMBERED:
                self._delivered.popitem(last=False)

    def _deliver(self, key: str, body: bytes) -> bool:
        """Try until it is taken, refused for good, or has been tried often enough."""
        pause = FIRST_PAUSE
        for turn in range(TRIES):
            try:
                self._sender.send(body, key)
            except SendError as error:
                if turn == 0:
                    self._say(f"A notification was not taken: {error}")
                late = time.monotonic() + pause > self._deadline
                if error.final or late or turn == TRIES - 1:
                    return False
                with self._changed:
                    if not self._closing:
                        self._changed.wait_for(lambda: self._closing, pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                return True
        return False
