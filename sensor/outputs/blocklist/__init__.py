"""Addresses of alerts for gateways."""
