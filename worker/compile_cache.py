"""Cache of compiled steps: the first job of a kind compiles them, later ones load them.

Torch keys an entry by source, shapes, device and version, so that the folder may outlive an
upgrade, be shared by the workers of a machine, and be deleted at any time.
"""

import os
from pathlib import Path


def keep_compiled(folder: Path) -> None:
    """Set the cache folders of torch and Triton, for this process and those it forks.

    A variable that the operator has set stays as it is.

    Args:
        folder: Created where it is missing, for this user alone: code is run from it.
    """
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder / "inductor"))
    os.environ.setdefault("TRITON_CACHE_DIR", str(folder / "triton"))
