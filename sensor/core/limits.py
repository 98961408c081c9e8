"""Numbers that bind more than one stage."""

DUPLICATE_WINDOW_MS = 5.0
"""Copies of a mirror port are microseconds apart, those of two taps a few milliseconds; retransmissions 200 ms and more."""

SLACK = 128
"""Readable bytes behind the valid part of every buffer, so that a wide load which starts inside never leaves the array."""

REQUEST_SAMPLE, RESPONSE_SAMPLE = 16 << 10, 64 << 10
"""Bytes that are looked at of a request's and of a response's body, unless configured otherwise."""
SAMPLE_LIMIT = 256 << 10
"""Bytes that can be configured."""
