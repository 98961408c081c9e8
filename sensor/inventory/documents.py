"""Which endpoints the operator's OpenAPI documents name: what is called and stands in none is undocumented (API9:2023)."""

import dataclasses

from sensor.core.placeholders import PLACEHOLDER

UNTOLD = ("OPTIONS", "HEAD")
"""Methods that servers answer beside those that are documented."""


@dataclasses.dataclass(frozen=True)
class Documents:
    """All operations of the documents."""

    operations: frozenset[tuple[str, str, str]] = frozenset()
    """(host, empty for all; method; path with `{}` for each parameter)"""
    hosts: frozenset[str] = frozenset()
    """those of them"""

    def facts_of(self, host: str, method: str, template: str) -> list[str]:
        """`documented` or `undocumented`; nothing of hosts that no document is about."""
        path = template.split("#", 1)[0]
        if not path.startswith("/") or method in UNTOLD:
            return []
        hosts = self.hosts & {host, ""}
        if not hosts:
            return []
        form = PLACEHOLDER.sub("{}", path)
        return ["documented" if any((name, method, form) in self.operations for name in hosts) else "undocumented"]
