"""The connection table and TCP reassembly: segments in, in-order deliveries out.

Knows nothing of what the bytes mean. Everything has a fixed size; what does not fit is given up and counted.
"""
