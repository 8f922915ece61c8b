"""CIFAR-10, CIFAR-100 and Tiny ImageNet are read from the files in which they are published."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from iadd.data.published_sets import read_published_set
from iadd.intake.errors import DatasetError
from tests.iadd.published_files import (
    WNIDS,
    cifar10_files,
    cifar100_files,
    draw,
    pack_tar,
    pack_zip,
    tiny_imagenet_files,
    unpack,
)


def _rows(images: torch.Tensor) -> set[bytes]:
    return {image.numpy().tobytes() for image in images}


def test_cifar_10_is_read_to_the_byte(tmp_path: Path) -> None:
    found = read_published_set(pack_tar(tmp_path / "cifar-10-binary.tar.gz", cifar10_files()))

    assert found.name == "CIFAR-10"
    assert found.images.classes[:2] == ("airplane", "automobile")
    assert len(found.images.classes) == 10
    assert found.images.images.shape == (140, 3, 32, 32)
    assert {
        name: set(found.images.part(name).count_by_class().values())
        for name in ("train", "validation", "test")
    } == {"train": {9}, "validation": {1}, "test": {4}}
    test = found.images.part("test")
    assert _rows(test.images[test.labels == 3]) == {
        draw(3, 1000 + n, 32).tobytes() for n in range(4)
    }
    learned = torch.cat([found.images.part(name).images for name in ("train", "validation")])
    assert _rows(learned) == {draw(k, n, 32).tobytes() for k in range(10) for n in range(10)}


def test_cifar_100_has_its_fine_labels(tmp_path: Path) -> None:
    found = read_published_set(pack_tar(tmp_path / "c.tar.gz", cifar100_files()))

    assert found.name == "CIFAR-100"
    assert found.images.classes == tuple(f"fine {n}" for n in range(6))
    test = found.images.part("test")
    assert _rows(test.images[test.labels == 5]) == {
        draw(5, 1000 + n, 32).tobytes() for n in range(3)
    }


def test_tiny_imagenet_takes_its_validation_images_as_test(tmp_path: Path) -> None:
    files = tiny_imagenet_files()
    found = read_published_set(pack_zip(tmp_path / "tiny-imagenet-200.zip", files))

    assert found.name == "Tiny ImageNet"
    assert found.images.classes == (
        "n01443537 goldfish",
        "n01629819 European fire salamander",
        "n02124075 Egyptian cat",
    )
    test = found.images.part("test")
    assert test.images.shape == (6, 3, 64, 64)
    expected = {
        np.asarray(Image.open(io.BytesIO(files[f"tiny-imagenet-200/val/images/val_{n}.JPEG"])))
        .transpose(2, 0, 1)
        .tobytes()
        for n in (1, 4)
    }
    assert _rows(test.images[test.labels == 1]) == expected
    first = found.images.images[0]
    assert torch.equal(first[0], first[1]), "a grey picture has three equal channels"
    counts = [sum(found.images.part(name).count_by_class().values()) for name in ("train", "test")]
    assert counts[1] == 6
    assert len(found.images) == 3 * 6 + 6


@pytest.mark.parametrize("make", [cifar10_files, cifar100_files, tiny_imagenet_files])
def test_a_set_is_the_same_however_it_is_packed(
    tmp_path: Path, make: Callable[[], dict[str, bytes]]
) -> None:
    files = make()
    one = read_published_set(pack_zip(tmp_path / "a.zip", files))
    backwards = dict(reversed(files.items()))
    other = read_published_set(pack_tar(tmp_path / "b.tar.gz", backwards))
    folder = read_published_set(unpack(tmp_path / "folder", files))
    assert one.images.to_bytes() == other.images.to_bytes() == folder.images.to_bytes()


def test_a_pickle_is_refused_unread(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
            return (Path.touch, (tmp_path / "burst",))  # type: ignore[return-value]

    files = {"cifar-10-batches-py/data_batch_1": pickle.dumps(Bomb())}
    with pytest.raises(DatasetError, match="take the binary version") as refused:
        read_published_set(pack_tar(tmp_path / "cifar-10-python.tar.gz", files))
    assert refused.value.code == "not_a_published_set"
    files = {f"cifar-100-python/{name}": pickle.dumps(Bomb()) for name in ("train", "test")}
    with pytest.raises(DatasetError, match="take the binary version"):
        read_published_set(pack_tar(tmp_path / "cifar-100-python.tar.gz", files))
    assert not (tmp_path / "burst").exists()


def test_another_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="tiny-imagenet-200"):
        read_published_set(pack_zip(tmp_path / "xrays.zip", {"COVID/1.png": b"x"}))


def _without_a_byte(files: dict[str, bytes]) -> None:
    files["cifar-10-batches-bin/test_batch.bin"] = files["cifar-10-batches-bin/test_batch.bin"][1:]


def _with_an_unknown_label(files: dict[str, bytes]) -> None:
    files["cifar-10-batches-bin/batches.meta.txt"] = b"airplane\n"


def _with_an_empty_test(files: dict[str, bytes]) -> None:
    files["cifar-10-batches-bin/test_batch.bin"] = b""


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (_without_a_byte, "whole number of records"),
        (_with_an_unknown_label, "not one of the 1"),
        (_with_an_empty_test, "no test images"),
    ],
)
def test_damaged_records_are_refused(
    tmp_path: Path, damage: Callable[[dict[str, bytes]], None], named: str
) -> None:
    files = cifar10_files(2, 1)
    damage(files)
    with pytest.raises(DatasetError, match=named) as refused:
        read_published_set(pack_zip(tmp_path / "c.zip", files))
    assert refused.value.code == "damaged_published_set"


def _jpeg_of(size: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (size, size)).save(file, format="JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({f"train/{WNIDS[0]}/images/{WNIDS[0]}_1.JPEG": _jpeg_of(65)}, "65×65 pixels"),
        ({f"train/{WNIDS[0]}/images/{WNIDS[0]}_1.JPEG": _jpeg_of(64)[:200]}, "not a JPEG"),
        ({"val/val_annotations.txt": b"val_0.JPEG\tn01443537\t0\t0\t1\t1\n"}, "val_1.JPEG"),
        ({"val/val_annotations.txt": b"val_0.JPEG\tn99999999\t0\t0\t1\t1\n"}, "n99999999"),
    ],
)
def test_damaged_pictures_and_annotations_are_refused(
    tmp_path: Path, changes: dict[str, bytes], named: str
) -> None:
    files = tiny_imagenet_files(2, 1)
    files |= {f"tiny-imagenet-200/{name}": data for name, data in changes.items()}
    with pytest.raises(DatasetError, match=named) as refused:
        read_published_set(pack_zip(tmp_path / "t.zip", files))
    assert refused.value.code == "damaged_published_set"
