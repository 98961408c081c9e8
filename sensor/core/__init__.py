"""What every other folder stands on: the kernel decorator, wide loads, hashing and the record layouts.

Imports nothing else of the project.
"""
