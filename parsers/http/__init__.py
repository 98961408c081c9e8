"""What all versions of HTTP share: requests that wait for their response, and the rows made of them.

consume.py is the entry: it hands each connection's bytes to the parser of its version. fields.py keeps the fields that matter,
auth.py and target.py read two of them, pending.py keeps requests (queue.py: those of one connection; aging.py and eviction.py:
who gives way), rows.py writes them. state.py has all records and limits.
"""
