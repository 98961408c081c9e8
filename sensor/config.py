"""The configuration as it is read: a TOML file, checked, and where lasting things are kept."""

import ipaddress
import os
import pathlib
import re
import tomllib
import urllib.parse

import msgspec

from sensor.core.limits import SAMPLE_LIMIT
from sensor.core.records import FLOW
from sensor.core.severities import SEVERITIES
from sensor.outputs.notify.messages import FORMATS
from sensor.packets.layers import TUNNELS
from sensor.settings import Config, Notify, Suppress

MOST_DAYS = 3_650


class ConfigError(Exception):
    """A configuration that cannot be used; the text is a sentence for the user."""


def load_config(path: str | None) -> Config:
    """The configuration of a file, or the defaults. Raises ConfigError."""
    if path is None:
        return Config()
    try:
        config = msgspec.convert(tomllib.loads(pathlib.Path(path).read_text("utf-8")), Config)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is no TOML: {error}.") from None
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_plain(str(error))}.") from None
    if not 1 <= config.workers <= 64:
        raise ConfigError(f"{path}: `workers` must be from 1 to 64.")
    if not 0 <= config.live.fanout <= 64:
        raise ConfigError(f"{path}: `live.fanout` must be from 1 to 64, or 0.")
    if config.limits.connections and not 1_024 <= config.limits.connections <= 16_777_216:
        raise ConfigError(f"{path}: `limits.connections` must be from 1024 to 16777216, or 0.")
    if config.bodies.per_endpoint < 0:
        raise ConfigError(f"{path}: `bodies.per_endpoint` must not be negative.")
    for size in (config.bodies.request_bytes, config.bodies.response_bytes):
        if not 0 <= size <= SAMPLE_LIMIT:
            raise ConfigError(f"{path}: sizes in `bodies` must be from 0 to {SAMPLE_LIMIT}.")
    if config.metrics.listen and not re.fullmatch(r".+:\d{1,5}", config.metrics.listen):
        raise ConfigError(f"{path}: `metrics.listen` must be ADDRESS:PORT, or empty.")
    for key, flow in config.flows.items():
        if flow not in FLOW or not re.fullmatch(r"[A-Z]+ \S*/\S*", key):
            raise ConfigError(
                f'{path}: `flows` takes lines as "POST /v1/enter" = "login"; flows are {", ".join(filter(None, FLOW))}.'
            )
    _check_networks(config.proxies.trusted, "proxies.trusted", path)
    _check_networks(config.proxies.protocol, "proxies.protocol", path)
    _check_networks(config.feeds.own, "feeds.own", path)
    _check_networks(config.feeds.allow, "feeds.allow", path)
    if any(days is not None and not 0 <= days <= MOST_DAYS for days in msgspec.structs.astuple(config.retention)):
        raise ConfigError(f"{path}: days in `retention` must be from 0 to {MOST_DAYS}.")
    if config.proxies.header not in ("x-forwarded-for", "forwarded"):
        raise ConfigError(f"{path}: `proxies.header` must be x-forwarded-for or forwarded.")
    for receiver in config.notify:
        _check_receiver(receiver, path)
    for rule in config.suppress:
        _check_rule(rule, path)
    for name, ports in config.capture.tunnel_ports.items():
        if name not in TUNNELS or any(not 0 < port < 65_536 for port in ports):
            raise ConfigError(f"{path}: `capture.tunnel_ports` takes lists of UDP ports for {', '.join(sorted(TUNNELS))}.")
    return config


def _check_receiver(receiver: Notify, path: str) -> None:
    parts = urllib.parse.urlsplit(receiver.url)
    if parts.scheme not in ("http", "https", "udp", "tcp", "tls") or not parts.hostname:
        raise ConfigError(f"{path}: `notify.url` must be https://…, or udp://, tcp:// or tls://HOST:PORT.")
    if receiver.format not in FORMATS:
        raise ConfigError(f"{path}: `notify.format` must be one of {', '.join(FORMATS)}.")
    if receiver.severity not in SEVERITIES:
        raise ConfigError(f"{path}: `notify.severity` must be one of {', '.join(SEVERITIES)}.")


def _check_rule(rule: Suppress, path: str) -> None:
    """Raises ConfigError for a rule that fits everything, or names no network."""
    if not (rule.detector or rule.host or rule.method or rule.endpoint or rule.actor or rule.sources):
        raise ConfigError(f"{path}: a rule of `suppress` must name a detector, host, method, endpoint, actor or sources.")
    _check_networks(rule.sources, "suppress", path)


def _check_networks(texts: tuple[str, ...], where: str, path: str) -> None:
    for text in texts:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ConfigError(f"{path}: `{where}` names {text!r}, which is no address or network.") from None


def _plain(message: str) -> str:
    return message.replace("Object contains unknown field", "there is no setting").replace("`$.", "`").replace(" - at `$`", "")


def state_folder() -> pathlib.Path:
    """Where lasting things are kept: $STATE_DIRECTORY (systemd), $XDG_STATE_HOME/tapwatch or ~/.local/state/tapwatch."""
    given = os.environ.get("STATE_DIRECTORY", "").split(":")[0]
    if given:
        return pathlib.Path(given)
    home = os.environ.get("XDG_STATE_HOME")
    return pathlib.Path(home) / "tapwatch" if home else pathlib.Path("~/.local/state/tapwatch").expanduser()


def hash_key(config: Config) -> tuple[tuple[int, int], bool]:
    """(key of the hashes of credentials, whether it will be the same next time).

    TAPWATCH_KEY (32 hex digits), else the key file, which is made on first use. Where it can be neither read nor
    written the key is random, and hashes of this run match those of no other.
    """
    given = os.environ.get("TAPWATCH_KEY")
    if given:
        try:
            raw = bytes.fromhex(given)
        except ValueError:
            raw = b""
        if len(raw) != 16:
            raise ConfigError("TAPWATCH_KEY must be 32 hexadecimal digits.")
        return _as_pair(raw), True
    path = pathlib.Path(config.privacy.key_file) if config.privacy.key_file else state_folder() / "hash.key"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(os.urandom(16))
        except FileExistsError:
            pass
        raw = path.read_bytes()
    except OSError:
        return _as_pair(os.urandom(16)), False
    if len(raw) != 16:
        raise ConfigError(f"The key file {path} must hold 16 bytes; remove it to have one made, and hashes will change.")
    return _as_pair(raw), True


def _as_pair(raw: bytes) -> tuple[int, int]:
    return int.from_bytes(raw[:8], "little"), int.from_bytes(raw[8:], "little")
