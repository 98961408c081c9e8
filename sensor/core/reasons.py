"""Everything the sensor counts, by name. A kernel is handed one uint64 array and adds at these indices."""

REASONS = (
    # capture
    "frames", "frame_bytes", "filtered", "kernel_frames", "kernel_dropped", "unwritten", "shed",
    # packets
    "tcp", "udp", "icmp", "other_protocol", "not_ip", "ip_fragment", "truncated_frame", "malformed",
    "unknown_link", "unreadable", "too_many_layers", "encap_overflow", "tunnelled", "duplicate",
    "bad_checksum", "checksum_looked_at", "checksum_wrong", "snapped",
    "fragments", "datagrams", "fragment_overlap", "fragment_timeout", "fragment_evicted", "fragment_overflow",
    # streams
    "connections", "retransmission", "overlap", "out_of_order", "gap", "gap_bytes", "out_of_window",
    "evicted_idle", "evicted_capacity", "ooo_overflow", "no_connection", "keep_alive", "reset", "reset_ignored",
    "false_fin", "overlap_conflict", "urgent", "scopes_united", "with_data", "one_sided",
    # http
    "requests", "responses", "transactions", "not_http", "resync", "head_overflow", "head_lost",
    "head_evicted", "block_overflow", "pending_overflow", "pending_evicted",
    "text_truncated", "upgraded", "tls", "tls_hello_lost", "tls_overflow", "body_dropped", "body_undecoded", "body_over_budget",
    # inventory
    "endpoint_overflow", "parameter_overflow",
    # store
    "store_dropped",
    # http/2
    "http2", "http2_evicted", "http2_frames", "http2_block_lost", "http2_orphan_frame", "http2_reset", "http2_push",
)  # fmt: skip
REASON = {name: index for index, name in enumerate(REASONS)}


def named(counters) -> dict[str, int]:
    """Counter array to a dictionary of those that are not zero."""
    return {name: int(value) for name, value in zip(REASONS, counters, strict=True) if value}
