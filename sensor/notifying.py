"""Receivers of a live sensor's alerts, as the configuration names them."""

import hashlib
from collections.abc import Callable

from sensor.config import ConfigError
from sensor.outputs.notify.queue import Notifier
from sensor.outputs.notify.senders import sender_for
from sensor.settings import Config


class Notifiers:
    """All of them. Raises ConfigError for a file that cannot be read."""

    def __init__(self, config: Config, say: Callable[[str], None]):
        self._all: list[Notifier] = []
        self._names: list[str] = []
        """a hash of each URL, which may hold what is secret, and its format"""
        for receiver in config.notify:
            try:
                sender = sender_for(receiver.url, receiver.secret_file, receiver.ca_file)
            except OSError as error:
                raise ConfigError(f"{error.filename or 'notify'} cannot be read: {error.strerror}.") from None
            is_syslog = not receiver.url.startswith("http")
            self._names.append(hashlib.blake2b(f"{receiver.format} {receiver.url}".encode(), digest_size=8).hexdigest())
            self._all.append(Notifier(sender, receiver.format, receiver.severity, is_syslog, config.sensor, say))

    def alerts(self, rows: list[dict], rfc3339: Callable[[int], str]) -> None:
        """Take alerts that are new or have grown."""
        for notifier in self._all:
            notifier.alerts(rows, rfc3339)

    def told(self) -> dict[str, dict[str, list]]:
        """What each receiver was told of, for `take_up` of a later run."""
        return {name: notifier.told() for name, notifier in zip(self._names, self._all, strict=True)}

    def take_up(self, told: dict[str, dict[str, list]]) -> None:
        """What an earlier run told is not raised again."""
        for name, notifier in zip(self._names, self._all, strict=True):
            notifier.take_up(told.get(name, {}))

    def close(self, patience: float) -> None:
        """Send what waits, for so many seconds each at the most."""
        for notifier in self._all:
            notifier.close(patience)

    def counted(self) -> dict[str, int]:
        """Messages that were taken, and that were given up."""
        return {
            "notified": sum(notifier.sent for notifier in self._all),
            "not_notified": sum(notifier.dropped for notifier in self._all),
        }
