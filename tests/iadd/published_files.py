"""Draws small sets of images in the files in which CIFAR and Tiny ImageNet are published."""

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def draw(label: int, number: int, size: int, *, hard: float = 30) -> np.ndarray:
    """A coloured stripe whose place and colour tell the class, in noise: uint8 (3, S, S)."""
    generator = np.random.default_rng((label, number, size))
    image = generator.normal(110, hard, (3, size, size))
    stripe = slice(label % 4 * size // 4, (label % 4 + 1) * size // 4)
    image[label % 3, stripe] += 90
    return image.clip(0, 255).astype(np.uint8)


def cifar10_files(per_class: int = 10, test_per_class: int = 4) -> dict[str, bytes]:
    """Ten classes, in five batches and a test batch."""
    names = ("airplane", "automobile", "bird", "cat", "deer")
    names += ("dog", "frog", "horse", "ship", "truck")
    train = [_record((label,), draw(label, n, 32)) for n in range(per_class) for label in range(10)]
    files = {f"data_batch_{batch + 1}.bin": b"".join(train[batch::5]) for batch in range(5)}
    test = [
        _record((label,), draw(label, 1000 + n, 32))
        for n in range(test_per_class)
        for label in range(10)
    ]
    files["test_batch.bin"] = b"".join(test)
    files["batches.meta.txt"] = ("\n".join(names) + "\n\n").encode()
    files["readme.html"] = b"<html></html>"
    return {f"cifar-10-batches-bin/{name}": data for name, data in files.items()}


def cifar100_files(classes: int = 6, per_class: int = 10) -> dict[str, bytes]:
    """Fine labels, each behind its coarse one."""

    def records(first: int, count: int) -> bytes:
        return b"".join(
            _record((label // 5, label), draw(label, first + n, 32))
            for n in range(count)
            for label in range(classes)
        )

    files = {
        "train.bin": records(0, per_class),
        "test.bin": records(1000, 3),
        "fine_label_names.txt": "".join(f"fine {n}\n" for n in range(classes)).encode(),
        "coarse_label_names.txt": b"coarse 0\ncoarse 1\n",
    }
    return {f"cifar-100-binary/{name}": data for name, data in files.items()}


WNIDS = ("n01443537", "n01629819", "n02124075")


def tiny_imagenet_files(per_class: int = 6, val_per_class: int = 2) -> dict[str, bytes]:
    """Pictures as JPEG, the first of them grey; test pictures without labels."""
    files = {
        "wnids.txt": "\n".join(reversed(WNIDS)).encode(),
        "words.txt": (
            b"n01443537\tgoldfish, Carassius auratus\n"
            b"n01629819\tEuropean fire salamander, Salamandra salamandra\n"
            b"n02124075\tEgyptian cat\n"
        ),
        "test/images/test_0.JPEG": _jpeg(draw(0, 5000, 64)),
    }
    for label, wnid in enumerate(WNIDS):
        boxes = "".join(f"{wnid}_{n}.JPEG\t0\t0\t62\t62\n" for n in range(per_class))
        files[f"train/{wnid}/{wnid}_boxes.txt"] = boxes.encode()
        for n in range(per_class):
            files[f"train/{wnid}/images/{wnid}_{n}.JPEG"] = _jpeg(
                draw(label, n, 64), grey=(label, n) == (0, 0)
            )
    lines = []
    for n in range(val_per_class * len(WNIDS)):
        label = n % len(WNIDS)
        files[f"val/images/val_{n}.JPEG"] = _jpeg(draw(label, 1000 + n, 64))
        lines.append(f"val_{n}.JPEG\t{WNIDS[label]}\t0\t32\t44\t62\n")
    files["val/val_annotations.txt"] = "".join(lines).encode()
    return {f"tiny-imagenet-200/{name}": data for name, data in files.items()}


def pack_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    """A .tar.gz."""
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def pack_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """A .zip, in the order of the files."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def unpack(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The files in a folder."""
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def _record(labels: tuple[int, ...], image: np.ndarray) -> bytes:
    return bytes(labels) + image.tobytes()


def _jpeg(image: np.ndarray, *, grey: bool = False) -> bytes:
    file = io.BytesIO()
    picture = Image.fromarray(image.transpose(1, 2, 0))
    (picture.convert("L") if grey else picture).save(file, format="JPEG", quality=95)
    return file.getvalue()
