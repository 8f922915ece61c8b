"""Keeps the private seed of a run beside its files, for its owner alone to read."""

import secrets
from pathlib import Path
from typing import Annotated

import typer

from iadd.config import Config, ConfigError
from iadd.runtime.checkpoint import write_atomically

PublishedSeed = Annotated[
    bool,
    typer.Option(
        "--published-seed",
        help="Draw all from the setting seed, so that anybody can repeat the run; for experiments "
        "on public images alone.",
    ),
]

_BITS = 128

SECRET = "Drawn from a private seed: the published one repeats nothing that touched the images."  # noqa: S105
PUBLISHED = (
    "Drawn from the published seed: whoever holds candidate images can repeat the run. Do not "
    "release what is made of it unless the images are public."
)


def private_seed_path(folder: Path) -> Path:
    """Return the file that holds the private seed of the teachers in a folder."""
    return Path(folder) / "private_seed"


def read_private_seed(path: Path) -> int | None:
    """Read a private seed; None where there is no such file.

    Raises:
        ConfigError: When the file holds something else. The message does not show it.
    """
    if not path.exists():
        return None
    try:
        return int(path.read_text(), 16)
    except ValueError:
        raise ConfigError(
            f"{path} holds no private seed: the run cannot go on as it began. Remove its folder "
            "and start anew."
        ) from None


def keep_private_seed(path: Path) -> int:
    """Read the private seed of a run, or draw it and write it with mode 0600.

    Raises:
        ConfigError: When the file holds something else.
    """
    found = read_private_seed(path)
    if found is None:
        found = secrets.randbits(_BITS)
        # A temporary file that takes the name: it was never readable by others.
        write_atomically(path, f"{found:0{_BITS // 4}x}\n".encode())
    return found


def with_randomness(
    config: Config, path: Path, *, published: bool, begun: bool, anew: str
) -> Config:
    """Return the settings of a run with the private seed that belongs to it, or without one.

    Args:
        config: The settings.
        path: File of the private seed.
        published: Whether the published seed is to serve instead.
        begun: Whether files of the run are there already.
        anew: How to start anew, in words.

    Raises:
        ConfigError: When the run began with the other kind of randomness.
    """
    found = read_private_seed(path)
    if published and found is not None:
        raise ConfigError(
            f"This run began with a private seed ({path.name}): go on without --published-seed, or "
            f"{anew}."
        )
    if begun and not published and found is None:
        raise ConfigError(
            f"This run began with the published seed: go on with --published-seed, or {anew}."
        )
    return config if published else config.with_private_seed(keep_private_seed(path))
