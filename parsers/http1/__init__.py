"""HTTP/1.x as an observer must read it: RFC 9112 decides, oddities are flagged, nothing is refused.

head.py reads one message head, recognise.py tells whether bytes begin one, message.py decides how long its body is,
flow.py walks one direction's bytes whatever way they are cut, pending.py pairs requests with responses and writes rows.
"""
