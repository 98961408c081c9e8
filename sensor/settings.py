"""All settings with their defaults: one frozen value, a class a section of the file."""

import datetime

import msgspec

from sensor.core.limits import DUPLICATE_WINDOW_MS, REQUEST_SAMPLE, RESPONSE_SAMPLE


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


class Feeds(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[feeds]: whom no decision feed names"""

    own: tuple[str, ...] = ()
    """your own networks: offices, gateways, monitoring"""
    allow: tuple[str, ...] = ()
    """networks of others that are to be let through: partners, crawlers that are wanted; --allow adds to them"""


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """[retention]: days that rows are kept since they were written, set when the sensor opens the store; 0: always"""

    transactions: int | None = None
    """as the store has it where nothing is said here: 14 at first"""
    minutes: int | None = None
    """400 at first"""
    actors: int | None = None
    """90 at first"""
    alerts: int | None = None
    """730 at first, as all below"""
    endpoints: int | None = None
    parameters: int | None = None
    schemas: int | None = None
    encrypted: int | None = None
    stats: int | None = None


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
    feeds: Feeds = Feeds()
    retention: Retention = Retention()
    geo: Geo = Geo()
    detectors: dict[str, dict[str, float]] = {}
    """settings of detectors by name, as [detectors.enumeration]"""
