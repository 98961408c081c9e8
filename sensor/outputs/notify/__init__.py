"""Alerts on their way to people and other systems: messages.py says what is sent, senders.py how, queue.py when.

A receiver that is slow or away costs the sensor nothing: messages wait in a bounded queue of their own thread.
"""
