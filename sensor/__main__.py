"""`python -m sensor`: the command line."""

from sensor.cli import main

main()
