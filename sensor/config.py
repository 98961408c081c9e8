"""The configuration: a TOML file, the environment and flags, in one frozen value. Every default stands here."""

import datetime
import ipaddress
import os
import pathlib
import re
import tomllib
import urllib.parse

import msgspec

from sensor.core.limits import DUPLICATE_WINDOW_MS, REQUEST_SAMPLE, RESPONSE_SAMPLE, SAMPLE_LIMIT
from sensor.core.records import FLOW
from sensor.core.severities import SEVERITIES
from sensor.outputs.notify.messages import FORMATS
from sensor.packets.layers import TUNNELS


class ConfigError(Exception):
    """A configuration that cannot be used; the text is a sentence for the user."""


class Capture(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[capture]"""

    vlan_separates: bool = True
    """connections with equal addresses in different VLANs are different; false for taps that tag one direction only"""
    tunnel_separates: bool = True
    """the same for tunnels with a network id (VXLAN, Geneve, PPPoE, NSH, 802.1ah)"""
    duplicate_window_ms: float = DUPLICATE_WINDOW_MS
    """an equal packet within so many milliseconds is a copy made by the mirror port; 0 keeps all"""
    verify_checksums: bool = False
    """drop segments with a wrong TCP checksum; off, since offload makes wrong ones ordinary where one host captures itself"""
    tunnel_ports: dict[str, tuple[int, ...]] = {}
    """UDP ports by tunnel (vxlan, vxlan_gpe, geneve, gtp_u, teredo, l2tp, mpls, ayiya), instead of the usual ones"""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[limits]"""

    memory: str = "512M"
    """what the whole process may use, the embedded store apart; all tables are sized from it"""
    connections: int = 0
    """connections tracked at once, over all workers; 0: as many as the memory is good for"""


class Bodies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[bodies]: how much of each is looked at. None of it is stored."""

    request_bytes: int = REQUEST_SAMPLE
    response_bytes: int = RESPONSE_SAMPLE
    """bytes of a sample, before and after decoding; 0 for none"""
    per_endpoint: int = 60
    """samples of one endpoint that are looked at in a minute; operations are read in every request"""


class Inventory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[inventory]: what you know of paths and hosts goes before what is learned"""

    templates: tuple[str, ...] = ()
    """paths with placeholders, as `/v1/shops/{shop}` for all hosts or `api.example.com/v1/shops/{shop}` for one"""
    openapi: tuple[str, ...] = ()
    """OpenAPI documents whose paths are templates, too"""
    names: tuple[str, ...] = ()
    """templates behind which words are names and no values, as `/v1/products`: undoes what was learned of them"""
    hosts: tuple[str, ...] = ()
    """hosts that are one service, as `{tenant}.example.com`: this stands for them, in transactions, too"""


class Privacy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[privacy]"""

    key_file: str | None = None
    """16 bytes that key the hashes of credentials; made on first use. Default: hash.key in the state folder"""


class Live(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[live]"""

    interfaces: tuple[str, ...] = ()
    """what is captured on; -i goes first"""
    filter: str | None = None
    """BPF expression that packets must fit; -f goes first"""
    ring: str = "64M"
    """memory that each interface shares with the operating system, apart from limits.memory"""
    fanout: int = 0
    """rings of each interface, between which the operating system shares packets out by connection; 0: one for each worker.
    1 where traffic comes through tunnels over UDP whose ports differ by direction"""
    write: str | None = None
    """packets are kept in files of this name, numbered and with their time; -w goes first"""
    write_file: str = "256M"
    """bytes after which the next file is begun"""
    write_seconds: float = 3600.0
    """seconds after which it is, however small the last one is"""
    write_total: str = "4G"
    """bytes of all files; the oldest are removed"""
    spool: str = "1G"
    """bytes that rows may take on disk while the server of the store is away; 0 for none"""
    hardware_clock: bool = False
    """time stamps of the network card, where it makes them; its clock must be kept right by somebody (phc2sys)"""


class Metrics(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[metrics]"""

    listen: str = "127.0.0.1:9477"
    """address and port of /metrics, /healthz and /readyz of a live sensor; empty for none"""


class Notify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[[notify]]: a receiver of alerts of a live sensor."""

    url: str
    """https:// or http:// for a webhook; udp://, tcp:// or tls:// HOST:PORT for syslog"""
    format: str = "json"
    """json, ocsf, ecs, or slack"""
    severity: str = "medium"
    """the least"""
    secret_file: str | None = None
    """signs the messages of a webhook"""
    ca_file: str | None = None
    """certificates that a receiver of tls:// is held against; the system's otherwise"""


class Proxies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[proxies]"""

    trusted: tuple[str, ...] = ()
    """networks of load balancers and gateways that append to the header below"""
    header: str = "x-forwarded-for"
    """which they write: x-forwarded-for or forwarded; the other is the client's word"""
    protocol: tuple[str, ...] = ()
    """networks of load balancers that speak the PROXY protocol"""


class Geo(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[geo]: databases in MaxMind's format (.mmdb), from which alerts say where their addresses are"""

    country: str | None = None
    """countries, or cities"""
    asn: str | None = None
    """autonomous systems"""


class Ledger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[ledger]"""

    file: str | None = None
    """alerts, new endpoints and what is learned of paths are written there, signed; --ledger goes first; None: nowhere"""
    key_file: str | None = None
    """32 bytes, an Ed25519 key; made on first use. Default: ledger.key in the state folder"""


class Suppress(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[[suppress]]: alerts that are not told. All that is named must fit."""

    detector: str = ""
    host: str = ""
    method: str = ""
    endpoint: str = ""
    """template, as `/v1/products/{int}`"""
    actor: str = ""
    sources: tuple[str, ...] = ()
    """networks or addresses that hold all of the alert's"""
    until: datetime.date | None = None
    """the last day on which the rule is in force, in packet time"""
    reason: str = ""


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All settings."""

    store: str | None = None
    """DSN; None: the embedded store in the state folder"""
    sensor: str = "tapwatch"
    """name of this sensor in every row"""
    workers: int = 1
    """threads that take connections"""
    capture: Capture = Capture()
    limits: Limits = Limits()
    bodies: Bodies = Bodies()
    inventory: Inventory = Inventory()
    privacy: Privacy = Privacy()
    live: Live = Live()
    metrics: Metrics = Metrics()
    flows: dict[str, str] = {}
    """what endpoints do, where their names do not tell: `"POST /v1/enter" = "login"` (a host may stand before the path)"""
    proxies: Proxies = Proxies()
    notify: tuple[Notify, ...] = ()
    """receivers of alerts"""
    suppress: tuple[Suppress, ...] = ()
    """alerts that are not told"""
    ledger: Ledger = Ledger()
    geo: Geo = Geo()
    detectors: dict[str, dict[str, float]] = {}
    """settings of detectors by name, as [detectors.enumeration]"""


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
