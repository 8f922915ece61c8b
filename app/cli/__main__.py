"""`python -m app.cli` is the `exchange` command."""

from app.cli import main

main()
