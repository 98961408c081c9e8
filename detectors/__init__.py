"""Transactions in, alerts out: one detector a file. Knows the transaction batch, and nothing of packets or storage."""
