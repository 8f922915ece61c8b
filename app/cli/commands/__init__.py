"""The commands of `exchange`, a module per group; `app.cli` mounts them.

Each command imports what it needs when it runs, so that `exchange --help` is fast, and so that
whatever asks a portal elsewhere works on the base install.
"""
