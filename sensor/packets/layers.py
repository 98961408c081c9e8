"""The layers that the decoder knows by number, and the link types that a capture may begin with.

A layer is one function `(chunk, at, end, …) -> (next layer, at, end)`: it looks at chunk[at : end], and says what
lies inside and where. Numbers up to LAST_OUTCOME end the decoding of a frame.
"""

(
    DONE, NOT_IP, OTHER_PROTOCOL, UDP, ICMP, IP_FRAGMENT, TRUNCATED, MALFORMED, UNKNOWN_LINK, TOO_DEEP,
    ETHERNET, ETHERTYPE, SLL, SLL2, LOOPBACK, RAW_IP, IPV4, IPV6, TCP,
) = range(19)  # fmt: skip
LAST_OUTCOME = TOO_DEEP

OUTCOMES = {  # reason counted for each way in which a frame ends without a TCP segment
    NOT_IP: "not_ip",
    OTHER_PROTOCOL: "other_protocol",
    UDP: "udp",
    ICMP: "icmp",
    IP_FRAGMENT: "ip_fragment",
    TRUNCATED: "truncated_frame",
    MALFORMED: "malformed",
    UNKNOWN_LINK: "unknown_link",
    TOO_DEEP: "too_many_layers",
}

LINK_TYPES = {  # LINKTYPE_* of tcpdump.org/linktypes.html
    0: LOOPBACK,
    1: ETHERNET,
    12: RAW_IP,
    14: RAW_IP,
    101: RAW_IP,
    108: LOOPBACK,
    113: SLL,
    228: IPV4,
    229: IPV6,
    276: SLL2,
}
