"""Who may be behind an actor."""

PERSON, GOOD_BOT, BAD_AUTOMATION = INTENTS = ("person", "good_bot", "bad_automation")
UNKNOWN = "unknown"
"""Instead of these, where none is likely enough."""
