"""HTTP/1.x as an observer must read it: RFC 9112 decides, oddities are flagged, nothing is refused.

head.py reads one message head, recognise.py tells whether bytes begin one, stored.py keeps heads that lie in several segments,
message.py says what a head sets going, body.py how long its body is, flow.py walks one direction's bytes whatever way they are
cut. pending.py pairs requests with responses (queue.py: those that wait), rows.py writes them, eviction.py and aging.py make
room, doubt.py knows when pairs can no longer be counted off. consume.py is the entry.
"""
