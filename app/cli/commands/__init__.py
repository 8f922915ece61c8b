"""The commands of `exchange`, a module per group; `app.cli` mounts them.

Each command imports what it needs when it runs, so that `exchange --help` is fast, and so that
the commands that use a remote portal work on the base install.
"""
