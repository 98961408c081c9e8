"""Seeded captures: ordinary API traffic, labelled attacks, single features and load."""
