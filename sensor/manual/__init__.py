"""The manual: pages that are written (*.md beside this file), and pages that follow from the program (pages.py)."""
