"""One page for people: what was seen, what was not, what is exposed, and who attacks.

sensor.reporting asks the store for the contents, plots.py draws, page.py puts both into page.html. Nothing in the page is
fetched from anywhere, its one script is named by its hash, and everything from the wire is text to it.
"""
