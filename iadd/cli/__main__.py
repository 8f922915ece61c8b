"""Runs the `iadd` command as `python -m iadd.cli`."""

from iadd.cli import main

main()
