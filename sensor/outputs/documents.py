"""Documents as text: JSON or YAML, by the name of their file."""

import json
import pathlib
import urllib.parse
from typing import Any

from sensor.core.inert import inert_bytes

REFERENCES = 32
"""References in a row that are followed."""


class DocumentError(Exception):
    """A document that cannot be read; the text is a sentence for the user."""


def document_text(document: dict[str, Any], name: str) -> str:
    """A document for a file of that name: YAML for .yaml and .yml, else JSON."""
    if pathlib.Path(name).suffix in (".yaml", ".yml"):
        import yaml

        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
        if text.replace("\n", "").isprintable():
            return text
        return yaml.safe_dump(document, sort_keys=False, allow_unicode=False, width=120)
    return inert_bytes(json.dumps(document, indent=2, ensure_ascii=False).encode("utf-8", "surrogatepass")).decode() + "\n"


def read_document(path: str) -> dict[str, Any]:
    """A JSON or YAML file that holds one object. Raises DocumentError."""
    import yaml

    try:
        text = pathlib.Path(path).read_text("utf-8")
    except OSError as error:
        raise DocumentError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise DocumentError(f"{path} is no text: give a JSON or YAML file.") from None
    try:
        found = json.loads(text) if text.lstrip().startswith("{") else yaml.safe_load(text)
    except (json.JSONDecodeError, yaml.YAMLError, RecursionError) as error:
        where = str(error).splitlines()[0] if str(error) else "nested too deep"
        raise DocumentError(f"{path} is neither JSON nor YAML: {where}.") from None
    if not isinstance(found, dict):
        raise DocumentError(f"{path} holds no object: give an OpenAPI document.")
    return found


def resolve(document: dict[str, Any], value: Any) -> dict[str, Any]:
    """A value, local references (`#/…`) followed; an empty one where they lead nowhere."""
    for _ in range(REFERENCES):
        if not isinstance(value, dict):
            return {}
        reference = value.get("$ref")
        if not isinstance(reference, str):
            return value
        value = document
        for part in reference.removeprefix("#/").split("/"):
            name = urllib.parse.unquote(part).replace("~1", "/").replace("~0", "~")
            value = value.get(name) if isinstance(value, dict) else None
    return {}


def as_list(value: Any) -> list:
    """A value that ought to be a list; an empty one where it is none."""
    return value if isinstance(value, list) else []
