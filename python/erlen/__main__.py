"""`python -m erlen` is the command `erlen`."""

from .cli import main

main(prog_name="erlen")
