"""Bytes of streams in, transactions out. Knows no socket, no file, no clock but the packets', and no store."""
