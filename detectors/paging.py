"""Parameters that name no thing."""

PAGING = (
    "page", "offset", "limit", "cursor", "start", "size", "per_page", "pagesize", "skip", "count", "from", "to", "since",
    "until", "after", "before", "_", "t", "ts", "time", "timestamp", "cb", "rand", "nocache",
)  # fmt: skip
"""Names of parameters that count pages or time, also as variables of GraphQL: everybody walks through them."""
