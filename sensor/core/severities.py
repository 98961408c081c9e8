"""How grave incidents and findings are, the lightest first."""

SEVERITIES = ("low", "medium", "high", "critical")
