"""The blocks of a TPACKET_V3 ring: layouts of linux/if_packet.h, and the kernel that finds the frames in a block.

The kernel of the operating system fills blocks of the ring in turn and hands each over as a whole. Nothing is copied: a
frame is an offset into the ring.
"""

import numpy as np

from sensor.core.jit import kernel
from sensor.core.wide import load_le16, load_le32

BLOCK_HEADER, STATUS, FRAMES, FIRST = 48, 8, 12, 16
"""Bytes of a block's header (tpacket_block_desc), and offsets in it: who owns it, frames in it, where the first lies."""
NEXT, SECONDS, NANOSECONDS, CAPTURED, WIRE, FRAME_STATUS, AT, TAG, TAG_TYPE = 0, 4, 8, 12, 16, 20, 24, 32, 36
"""Offsets in a frame's header (tpacket3_hdr)."""
OURS = 1
"""Bit of a block's status (TP_STATUS_USER): it may be read."""
HAS_TAG, HAS_TAG_TYPE = 0x10, 0x40
"""Bits of a frame's status: a VLAN tag was taken out of it; of which type."""
IEEE_8021Q, TAG_BYTES, ADDRESS_BYTES = 0x8100, 4, 12
SECOND = 1_000_000_000
ETHERNET = 1


@kernel
def put_tag_back(ring, at, tag, kind):
    """Move the addresses of the Ethernet frame at ring[at:] forward, and write the tag that was taken out behind them.

    The socket leaves TAG_BYTES of room before each frame. Returns the frame's new offset.
    """
    to = at - TAG_BYTES
    for k in range(ADDRESS_BYTES):
        ring[to + k] = ring[at + k]
    to += ADDRESS_BYTES
    ring[to] = kind >> 8
    ring[to + 1] = kind & 255
    ring[to + 2] = tag >> 8
    ring[to + 3] = tag & 255
    return at - TAG_BYTES


@kernel
def index_block(ring, block, link, frames):
    """Frames of the block at ring[block:], which must be ours, into frames (FRAME[capacity]): how many."""
    count = min(np.int64(load_le32(ring, block + FRAMES)), np.int64(frames.shape[0]))
    header = block + np.int64(load_le32(ring, block + FIRST))
    for index in range(count):
        frame = frames[index]
        at = header + np.int64(load_le16(ring, header + AT))
        captured, wire = np.int64(load_le32(ring, header + CAPTURED)), np.int64(load_le32(ring, header + WIRE))
        status = np.int64(load_le32(ring, header + FRAME_STATUS))
        if status & HAS_TAG and link == ETHERNET and captured >= ADDRESS_BYTES:
            kind = np.int64(load_le16(ring, header + TAG_TYPE)) if status & HAS_TAG_TYPE else np.int64(IEEE_8021Q)
            at = put_tag_back(ring, at, np.int64(load_le16(ring, header + TAG)), kind)
            captured += TAG_BYTES
            wire += TAG_BYTES
        frame["at"] = at
        frame["captured"] = captured
        frame["wire"] = max(wire, captured)
        frame["ts"] = np.int64(load_le32(ring, header + SECONDS)) * SECOND + np.int64(load_le32(ring, header + NANOSECONDS))
        frame["link"] = link
        header += np.int64(load_le32(ring, header + NEXT))
    return count
