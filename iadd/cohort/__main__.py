"""Draws a cohort into a zip: ``python -m iadd.cohort --out cohort.zip``."""

import argparse
import sys
from pathlib import Path

from iadd.cohort import CLASSES, write_archive


def main(words: list[str] | None = None) -> int:
    """Draw a cohort into a zip; return 0, or 1 when the file cannot be written."""
    parser = argparse.ArgumentParser(
        prog="python -m iadd.cohort", description="Draw a synthetic cohort of chest X-rays."
    )
    parser.add_argument("--out", type=Path, required=True, help="the zip file to write")
    parser.add_argument("--images-per-class", type=_positive, default=200, metavar="N")
    parser.add_argument("--image-size", type=_positive, default=224, metavar="PIXELS")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args(words)
    try:
        write_archive(
            arguments.out,
            arguments.images_per_class,
            image_size=arguments.image_size,
            seed=arguments.seed,
        )
    except OSError as error:
        sys.stderr.write(f"{arguments.out} cannot be written: {error.strerror}\n")
        return 1
    images = arguments.images_per_class * len(CLASSES)
    sys.stdout.write(f"{images} synthetic chest X-rays in {arguments.out}\n")
    return 0


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("must be 1 or more")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
