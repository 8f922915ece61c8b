"""Writes and reads bundles: a distilled set as one file to view, verify and train with.

A bundle is a zip, the same byte for byte whenever the same result is packed: entries are stored in
the order of their names, dated 1980-01-01, and ``SHA256SUMS`` comes last; in a release,
``SIGNATURE`` after it. W, the trajectories, the images that the distillation started from and
figures of single images are never included.
"""

import io
import json
import math
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from iadd.bundle.card import render_card
from iadd.bundle.format import (
    CARD,
    CERTIFICATE,
    METADATA,
    SIGNATURE,
    SUMS,
    TENSORS,
    json_file,
    list_sums,
    read_sums,
    sha256_of,
)
from iadd.bundle.signature import signature_holds
from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset, History
from iadd.data.normalisation import Normalisation
from iadd.intake.containers.limits import Limits
from iadd.intake.containers.open import open_archive
from iadd.intake.errors import DatasetError, FileError
from iadd.intake.layout.class_names import class_name_problem
from iadd.runtime.checkpoint import write_atomically
from iadd.training.recipe import small_set_recipe

_MOST_FILES = 65_000  # A zip counts its files in 16 bits.
_LARGEST_BYTES = 2**32 - 2**24  # … and its bytes in 32.
# A bundle packs nothing, so nothing of it grows.
_LIMITS = Limits(entries=_MOST_FILES + 100, entry_bytes=2**30, total_bytes=2**32, ratio=1.0)
_LARGEST_DOCUMENTS = {METADATA: 2**20, SIGNATURE: 2**18, SUMS: 2**25}
"""Bytes. Parsed JSON takes forty times as much memory as its text, and these are small."""
_LARGEST_HEADER = 2**16
"""Bytes of the JSON that a file of tensors begins with, here of three."""
_DATE = (1980, 1, 1, 0, 0, 0)
_UNIX = 3


class BundleError(ValueError):
    """A bundle cannot be written or read. The message says why."""


class Bundle(NamedTuple):
    """The distilled set of a bundle, and the bundle's fingerprint.

    Attributes:
        distilled: The set, as :func:`load_bundle` returns it.
        fingerprint: SHA-256 of its ``SHA256SUMS``, and so of all that they list: 64 hexadecimal
            digits, as ``exchange verify`` prints them.
    """

    distilled: DistilledDataset
    fingerprint: str


def write_bundle(
    path: Path,
    distilled: DistilledDataset,
    *,
    report_html: bytes,
    report_json: Mapping[str, Any],
    report_pdf: bytes | None = None,
    certificate: Mapping[str, bytes] | None = None,
) -> None:
    """Pack a distilled set with its report.

    Args:
        path: The file to write; it appears whole or not at all.
        distilled: The set.
        report_html: The page for people.
        report_json: The public part of the report. The dataset's name and the versions in the
            bundle's card and metadata are taken from it.
        report_pdf: The report for print.
        certificate: The privacy certificate: content by name of its files, those of
            :data:`iadd.bundle.format.CERTIFICATE`.

    Raises:
        BundleError: When a class name cannot be a folder's name, or the set is too large, or
            whitened.
    """
    if len(distilled) > _MOST_FILES - 100:
        raise BundleError(f"a bundle holds at most {_MOST_FILES - 100:,} distilled images")
    if distilled.normalisation.whitening is not None:
        raise BundleError(
            "a whitened set is not packed: its whitening shows what the training images have in "
            "common; distill with whitening none"
        )
    metadata = describe(distilled, versions=report_json["versions"])
    files = {
        **_pictures(distilled),
        TENSORS: _tensors(distilled),
        METADATA: json_file(metadata),
        CARD: render_card(
            metadata, report_json, pdf=report_pdf is not None, certificate=bool(certificate)
        ).encode(),
        "report.html": report_html,
        "report.json": json_file(report_json),
    }
    if report_pdf is not None:
        files["report.pdf"] = report_pdf
    for name, content in (certificate or {}).items():
        if name not in CERTIFICATE.values():
            raise BundleError(f"a certificate has no file {name!r}")
        files[name] = content
    if sum(map(len, files.values())) > _LARGEST_BYTES:
        raise BundleError("a bundle holds at most 4 GiB: distill fewer images per class")
    write_atomically(path, _pack(files))


def tensors_sha256(distilled: DistilledDataset) -> str:
    """Compute the SHA-256 of the bundle's ``distilled.safetensors``, which names the set.

    Returns:
        64 hexadecimal digits.
    """
    return sha256_of(_tensors(distilled))


def describe(distilled: DistilledDataset, *, versions: Mapping[str, str]) -> dict[str, Any]:
    """Make the bundle's ``metadata.json``: all that is needed to train with the images.

    Training a fresh network by ``recipe``, with ``augmentation``, reproduces the reported accuracy;
    :func:`iadd.evaluate` on the loaded bundle with its own ``config`` does that.
    """
    config = distilled.config
    settings = config.to_dict()
    return {
        "format": 1,
        "classes": list(distilled.classes),
        "image_size": distilled.images.shape[-1],
        "channels": distilled.images.shape[1],
        "images_per_class": config.distillation.images_per_class,
        "normalisation": {
            "mean": list(distilled.normalisation.mean),
            "std": list(distilled.normalisation.std),
        },
        "network": {
            "name": config.network.network,
            "depth": config.network.depth,
            "width": config.network.width,
        },
        "augmentation": settings["augmentation"],
        "recipe": describe_recipe(config, distilled.syn_lr),
        "best_iteration": distilled.best_iteration,
        "config": settings,
        "versions": dict(versions),
    }


def describe_recipe(config: Config, lr: float) -> dict[str, Any]:
    """Describe the recipe of a small set for ``metadata.json``."""
    recipe = small_set_recipe(config, lr)
    return {
        "optimizer": "SGD",
        "lr": recipe.lr,
        "momentum": recipe.momentum,
        "epochs": recipe.epochs,
        "batch_size": recipe.batch_size,
        "schedule": "a tenth of lr from half the epochs on",
        "loss": "cross entropy",
        "networks": config.evaluation.evaluation_networks,
    }


def load_bundle(path: Path | str) -> DistilledDataset:
    """Read a bundle after checking every file in it against its sums, and its signature if any.

    The check shows that nobody changed it after it was signed, not who signed it. The result has
    no W, no history and no initial images: a bundle does not contain them.

        distilled = iadd.load_bundle("bundle.zip")
        evaluation = iadd.evaluate(distilled, my_images, distilled.config)

    Raises:
        BundleError: When the file is not a bundle, or not as it was packed.
        OSError: When it cannot be opened.
    """
    return open_bundle(path).distilled


def open_bundle(path: Path | str) -> Bundle:
    """Read a bundle as :func:`load_bundle` does, and compute its fingerprint.

    Raises:
        BundleError: When the file is not a bundle, or not as it was packed.
        OSError: When it cannot be opened.
    """
    path = Path(path)
    try:
        needed = _read_checked(path)
    except (DatasetError, UnicodeDecodeError) as error:
        raise BundleError(f"{path.name} is not a bundle that can be read: {error}") from error
    try:
        distilled = _assemble(json.loads(needed[METADATA]), needed[TENSORS])
    # json, safetensors and float() raise different errors for invalid metadata and tensors.
    except (
        *(SafetensorError, KeyError, TypeError, ValueError, AttributeError),
        *(OverflowError, RecursionError, RuntimeError),
    ) as error:
        raise BundleError(f"{path.name} does not hold a distilled set that can be read") from error
    if problems := _problems(distilled):
        raise BundleError(f"{path.name} holds {' and '.join(problems)} that cannot be used")
    return Bundle(distilled, sha256_of(needed[SUMS]))


def _pictures(distilled: DistilledDataset) -> dict[str, bytes]:
    """Encode one PNG per distilled image: ``images/<class>/<nnn>.png``, counted from 1."""
    for name in distilled.classes:
        if problem := class_name_problem(name):
            raise BundleError(f"the class name {name!r} {problem}")
    if len({name.casefold() for name in distilled.classes}) < len(distilled.classes):
        raise BundleError("two classes have names that differ in capitals alone")
    digits = max(3, len(str(len(distilled))))
    numbers = dict.fromkeys(distilled.classes, 0)
    pictures = {}
    for image, label in zip(
        distilled.normalisation.invert(distilled.images), distilled.labels.tolist(), strict=True
    ):
        name = distilled.classes[label]
        numbers[name] += 1
        pictures[f"images/{name}/{numbers[name]:0{digits}}.png"] = encode_png(image)
    return pictures


def encode_png(image: Tensor) -> bytes:
    """Write one uint8 image (C, H, W), grey or with three channels, as PNG."""
    file = io.BytesIO()
    pixels = image[0] if len(image) == 1 else image.permute(1, 2, 0)
    Image.fromarray(pixels.contiguous().numpy()).save(file, format="PNG")
    return file.getvalue()


def _tensors(distilled: DistilledDataset) -> bytes:
    return save_tensors(
        {
            "images": distilled.images.float().contiguous(),
            "labels": distilled.labels.contiguous(),
            "syn_lr": torch.tensor(distilled.syn_lr, dtype=torch.float32),
        }
    )


def _pack(files: Mapping[str, bytes]) -> bytes:
    ordered = dict(sorted(files.items()))
    ordered[SUMS] = list_sums({name: sha256_of(content) for name, content in ordered.items()})
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in ordered.items():
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system = _UNIX
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, content)
    return packed.getvalue()


def _read_checked(path: Path) -> dict[str, bytes]:
    """Read the files that a loader needs, after hashing all of them."""
    hashes: dict[str, str] = {}
    needed: dict[str, bytes] = {}
    with open_archive(path, _LIMITS) as archive:
        for entry in archive.entries:
            if entry.name in hashes:
                raise BundleError(f"{path.name} is damaged or forged: a file is there twice")
            try:
                content = entry.read()
            except FileError as error:
                raise BundleError(f"{path.name} is damaged or forged: {error}") from error
            if len(content) > _LARGEST_DOCUMENTS.get(entry.name, len(content)):
                raise BundleError(f"{path.name} is forged: its {entry.name} is far too large")
            hashes[entry.name] = sha256_of(content)
            if entry.name in (SUMS, METADATA, TENSORS, SIGNATURE):
                needed[entry.name] = content
    missing = [name for name in (SUMS, METADATA, TENSORS) if name not in needed]
    if missing:
        raise BundleError(f"{path.name} is not a bundle: it holds no {' and no '.join(missing)}")
    listed = read_sums(needed[SUMS])
    del hashes[SUMS]
    if SIGNATURE not in listed:
        hashes.pop(SIGNATURE, None)
    if listed != hashes or list_sums(listed) != needed[SUMS]:
        raise BundleError(
            f"{path.name} is damaged or forged: its files are not the ones that {SUMS} lists. "
            "`exchange verify` says which"
        )
    if SIGNATURE in needed and not signature_holds(needed[SIGNATURE], needed[SUMS]):
        raise BundleError(
            f"{path.name} is damaged or forged: its {SIGNATURE} was not made for these files"
        )
    return needed


def _assemble(metadata: Mapping[str, Any], tensors: bytes) -> DistilledDataset:
    if int.from_bytes(tensors[:8], "little") > _LARGEST_HEADER:
        raise ValueError("the header of its tensors is far too large")
    loaded = load_tensors(tensors)
    mean, std = (tuple(map(float, metadata["normalisation"][key])) for key in ("mean", "std"))
    return DistilledDataset(
        images=loaded["images"],
        labels=loaded["labels"],
        classes=tuple(map(str, metadata["classes"])),
        syn_lr=loaded["syn_lr"].item(),
        importance_weights=None,
        history=History(),
        config=Config.from_dict(metadata["config"]),
        normalisation=Normalisation(mean, std),
        initial_images=None,
        best_iteration=int(metadata["best_iteration"]),
    )


def _problems(distilled: DistilledDataset) -> list[str]:
    """List the parts that would break training, or mislead it."""
    images, labels, classes = distilled.images, distilled.labels, distilled.classes
    mean, std = distilled.normalisation.mean, distilled.normalisation.std
    size = distilled.config.image_size
    good = {
        "classes": bool(classes) and not any(map(class_name_problem, classes)),
        "images": images.dtype == torch.float32
        and images.shape == (labels.numel(), len(mean), size, size)
        and bool(images.isfinite().all()),
        "labels": labels.dtype == torch.int64
        and labels.ndim == 1
        and labels.numel() > 0
        and bool(((labels >= 0) & (labels < len(classes))).all()),
        "a learning rate": math.isfinite(distilled.syn_lr) and distilled.syn_lr > 0,
        "a normalisation": len(mean) == len(std)
        and all(map(math.isfinite, mean + std))
        and min(std, default=0) > 0,
    }
    return [name for name, is_good in good.items() if not is_good]
