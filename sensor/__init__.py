"""Tapwatch's sensor: mirrored packets in, API endpoints and explained alerts out."""

__version__ = "0.1.0"
