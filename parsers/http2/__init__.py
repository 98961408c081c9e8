"""HTTP/2 as an observer must read it (RFC 9113, RFC 7541): exact where the bytes were seen, unknown where they were not.

frames.py says what a frame's header may be, and finds one in the midst of a connection. table.py keeps the dynamic table of one
direction, huffman.py and fields.py decode a header block, headers.py says what it sets going, payload.py takes a frame's bytes
whatever way they are cut, streams.py finds a stream's transaction, grpc.py counts its messages, loss.py knows what a gap
leaves, connection.py walks one direction. An endpoint's state machine would balk at what it did not send; here nothing is
refused.
"""
