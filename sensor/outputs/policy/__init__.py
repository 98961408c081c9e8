"""Policies for gateways, from what ordinary clients do: rules.py derives the rules, forms.py writes them for each gateway."""
