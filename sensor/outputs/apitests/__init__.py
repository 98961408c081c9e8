"""Tests of an API that incidents and inventory suggest: cases.py says which, forms.py writes them, runner.py is a part of them.

No value that was seen is in them: identifiers are made up by type, credentials come from whoever runs the tests.
"""
