"""The layers that the decoder knows by number, and the link types that a capture may begin with.

A layer is one function `(chunk, at, end, …) -> (next layer, at, end)`: it looks at chunk[at : end], and says what
lies inside and where. Numbers up to LAST_OUTCOME end the decoding of a frame.
"""

(
    DONE, NOT_IP, OTHER_PROTOCOL, UDP, ICMP, IP_FRAGMENT, TRUNCATED, MALFORMED, UNKNOWN_LINK, UNREADABLE, TOO_DEEP,
    ETHERNET, ETHERTYPE, SLL, SLL2, LOOPBACK, RAW_IP, IPV4, IPV6, TCP, DATAGRAM,
    LLC, MPLS, PPPOE, PPP, CISCO_HDLC, NSH, NFLOG, IEEE80211, RADIOTAP, PPI,
    GRE, ERSPAN1, ERSPAN2, ERSPAN3, ETHERIP, VXLAN, VXLAN_GPE, GENEVE, GTP_U, TEREDO, L2TP, L2TP_IP, AYIYA,
    FRAGMENT4, FRAGMENT6,
) = range(46)  # fmt: skip
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
    UNREADABLE: "unreadable",
    TOO_DEEP: "too_many_layers",
}

LINK_TYPES = {  # LINKTYPE_* of tcpdump.org/linktypes.html
    0: LOOPBACK,
    1: ETHERNET,
    9: PPP,
    12: RAW_IP,
    14: RAW_IP,
    50: PPP,
    51: PPPOE,
    101: RAW_IP,
    104: CISCO_HDLC,
    105: IEEE80211,
    108: LOOPBACK,
    113: SLL,
    127: RADIOTAP,
    192: PPI,
    228: IPV4,
    229: IPV6,
    239: NFLOG,
    276: SLL2,
}

TUNNELS = {  # name in the configuration: (layer, UDP ports that IANA assigned to it, or that are in common use)
    "vxlan": (VXLAN, (4789, 8472)),
    "vxlan_gpe": (VXLAN_GPE, (4790,)),
    "geneve": (GENEVE, (6081,)),
    "gtp_u": (GTP_U, (2152,)),
    "teredo": (TEREDO, (3544,)),
    "l2tp": (L2TP, (1701,)),
    "mpls": (MPLS, (6635,)),
    "ayiya": (AYIYA, (5072,)),
}
"""Tunnels over UDP."""
