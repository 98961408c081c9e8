"""What the transactions tell about the API: endpoints, their templates and profiles; and what must not be told.

Works on merged batches in packet order, so that its results do not depend on the number of workers.
"""
