"""`python -m iadd.cli` is the `iadd` command."""

from iadd.cli import main

main()
