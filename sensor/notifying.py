"""Receivers of a live sensor's alerts, as the configuration names them."""

from collections.abc import Callable

from sensor.config import ConfigError
from sensor.outputs.notify.queue import Notifier
from sensor.outputs.notify.senders import sender_for
from sensor.settings import Config


class Notifiers:
    """All of them. Raises ConfigError for a file that cannot be read."""

    def __init__(self, config: Config, say: Callable[[str], None]):
        self._all = []
        for receiver in config.notify:
            try:
                sender = sender_for(receiver.url, receiver.secret_file, receiver.ca_file)
            except OSError as error:
                raise ConfigError(f"{error.filename or 'notify'} cannot be read: {error.strerror}.") from None
            is_syslog = not receiver.url.startswith("http")
            self._all.append(Notifier(sender, receiver.format, receiver.severity, is_syslog, config.sensor, say))

    def alerts(self, rows: list[dict], rfc3339: Callable[[int], str]) -> None:
        """Take alerts that are new or have grown."""
        for notifier in self._all:
            notifier.alerts(rows, rfc3339)

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
