"""What the operator says of paths and hosts, from the configuration and the OpenAPI documents that it names."""

import re

from sensor.config import ConfigError
from sensor.core.placeholders import PLACEHOLDER, form_of
from sensor.inventory.documents import Documents
from sensor.inventory.patterns import LONGEST, SEGMENTS, Patterns, new_patterns
from sensor.outputs.documents import DocumentError, read_document
from sensor.outputs.specdiff import hosts_of, operations_of
from sensor.settings import Config

HOST = re.compile(r"\{[\w-]+\}(\.[a-z0-9-]+){2,}")


def said_of(config: Config) -> tuple[Patterns, Documents]:
    """Templates, kept names and joined hosts; operations of the documents. Raises ConfigError."""
    said = config.inventory
    templates = [_split(text, "inventory.templates") for text in said.templates]
    for host, path in templates:
        if not _is_template(path):
            raise ConfigError(
                f"`inventory.templates` names {host + path!r}: placeholders of a template, as {{id}}, are whole segments."
            )
    documented = [operation for name in said.openapi for operation in _documented(name)]
    templates += [(host, path) for host, _, path in documented if path != "/" and _is_template(path)]
    operations = frozenset((host, method, form_of(path)) for host, method, path in documented)
    for host in said.hosts:
        if not HOST.fullmatch(host):
            raise ConfigError(f"`inventory.hosts` names {host!r}: write hosts that are one as {{tenant}}.example.com.")
    kept = [_split(text, "inventory.names") for text in said.names]
    patterns = new_patterns(templates, [(host, path.rstrip("/")) for host, path in kept], said.hosts)
    return patterns, Documents(operations, frozenset(host for host, _, _ in operations))


def _split(text: str, where: str) -> tuple[str, str]:
    """(host or empty, path)"""
    host, slash, path = text.partition("/")
    if not slash or " " in text:
        raise ConfigError(f"`{where}` names {text!r}: write /PATH for all hosts, or HOST/PATH for one.")
    return host.lower(), slash + path


def _is_template(path: str) -> bool:
    segments = path.split("/")[1:]
    fits = all(PLACEHOLDER.fullmatch(segment) or not re.search(r"[{}?#]", segment) for segment in segments)
    return fits and len(segments) <= SEGMENTS and len(path.encode()) <= LONGEST


def _documented(name: str) -> list[tuple[str, str, str]]:
    """(host, empty where it names none; method; path) of the operations of an OpenAPI document."""
    try:
        document = read_document(name)
        operations = operations_of(document)
    except DocumentError as error:
        raise ConfigError(f"`inventory.openapi`: {error}") from None
    found = []
    for operation in operations:
        own = operation.path.split("/")[1:]
        path = "/" + "/".join([*operation.segments[: len(operation.segments) - len(own)], *own])
        found += [(host, operation.method, path) for host in hosts_of(document) or [""]]
    return found
