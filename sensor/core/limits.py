"""Numbers that bind more than one stage."""

SLACK = 128
"""Readable bytes behind the valid part of every buffer, so that a wide load which starts inside never leaves the array."""
