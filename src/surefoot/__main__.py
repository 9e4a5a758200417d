"""`python -m surefoot` is the same as `surefoot`."""

from surefoot.cli import main

main()
