"""What stands in a template for a value: `{int}`, `{uuid}`, or a name that the operator gave it."""

import re

CLASSES = (
    "", "int", "uuid", "ulid", "ksuid", "objectid", "hex", "base64url", "date", "email", "ip", "phone", "locale", "number",
    "jwt", "text", "slug", "ipv6", "boolean", "null",
)  # fmt: skip
"""Lexical classes of values (sensor.inventory.lexical); the first stands for words, the last two are JSON's alone."""
PLACEHOLDER = re.compile(r"\{([\w.-]+)\}")


def form_of(path: str) -> str:
    """A path of a document without the names of its parameters: those that differ in them alone are the same to OpenAPI."""
    return re.sub(r"\{[^}]*\}", "{}", path)
