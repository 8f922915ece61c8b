"""From an archive to an image set: files that are read or rejected, and the split."""

import io
import os
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from iadd.data.image_set import ImageSet
from iadd.data.loading import DatasetError, Reading, load_images, read_images
from iadd.intake.splits import SPLITS
from iadd.runtime.progress import Progress

SIZE = 16
HERE = Path(__file__).resolve()


def noise(seed: int, size: int = 24) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (size, size), dtype=np.uint8)


def encoded(pixels: npt.NDArray[np.generic], kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


def pictures(*classes: str, each: int = 5, root: str = "", folder: str = "") -> dict[str, bytes]:
    return {
        f"{root}{name}/{folder}{number}.png": encoded(noise(1000 * index + number))
        for index, name in enumerate(classes)
        for number in range(each)
    }


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def read(tmp_path: Path, files: dict[str, bytes], seed: int = 0) -> Reading:
    return read_images(packed(tmp_path / "a.zip", files), image_size=SIZE, seed=seed)


def refused(tmp_path: Path, files: dict[str, bytes]) -> dict[str, str]:
    return codes(read(tmp_path, pictures("A", "B") | files))


def codes(reading: Reading) -> dict[str, str]:
    assert all(file["reason"].endswith(".") for file in reading.quality["refused"])
    return {file["name"]: file["code"] for file in reading.quality["refused"]}


def ignored(reading: Reading) -> dict[str, int]:
    return {one["reason"]: one["count"] for one in reading.quality["ignored"]}


def rejected(tmp_path: Path, files: dict[str, bytes]) -> DatasetError:
    with pytest.raises(DatasetError) as caught:
        read(tmp_path, files)
    assert caught.value.title
    assert str(caught.value).endswith(".")
    return caught.value


# --------------------------------------------------------------------------------- the image set


def test_a_saved_set_comes_back_and_equal_sets_give_equal_bytes(tmp_path: Path) -> None:
    image_set = read(tmp_path, pictures("COVID", "Normal")).image_set
    image_set.save(tmp_path / "set.safetensors")
    again = ImageSet.load(tmp_path / "set.safetensors")
    assert again.classes == ("COVID", "Normal")
    for name in ("images", "labels", "split", "groups"):
        assert torch.equal(getattr(again, name), getattr(image_set, name))
    assert {again.to_bytes() for _ in range(20)} == {image_set.to_bytes()}
    loaded = load_images(tmp_path / "set.safetensors", image_size=SIZE)
    assert torch.equal(loaded.images, image_set.images)


def test_a_saved_set_of_another_size_is_not_mistaken(tmp_path: Path) -> None:
    read(tmp_path, pictures("A", "B")).image_set.save(tmp_path / "set.safetensors")
    with pytest.raises(ValueError, match="16 pixels wide, 112 were requested"):
        load_images(tmp_path / "set.safetensors")


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\xff" * 64, struct.pack("<Q", 2) + b"{}"])
def test_bytes_that_are_no_image_set_are_named(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"not a saved image set|were cut off"):
        ImageSet.from_bytes(data)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("images", torch.zeros(2, 1, 4, 4)),
        ("labels", torch.zeros(3, dtype=torch.int64)),
        ("labels", torch.tensor([0, 2])),
        ("labels", torch.tensor([0, -1])),
        ("split", torch.zeros(2)),
        ("split", torch.tensor([0, 3], dtype=torch.int8)),
        ("groups", torch.zeros(3, dtype=torch.int64)),
        ("groups", torch.zeros(2)),
        ("groups", torch.tensor([0, -1])),
        ("unit", "patient"),
        ("unit", "person"),
    ],
)
def test_an_image_set_that_does_not_fit_together_is_refused(
    field: str, value: torch.Tensor
) -> None:
    parts = {
        "images": torch.zeros(2, 1, 4, 4, dtype=torch.uint8),
        "labels": torch.tensor([0, 1]),
        "split": torch.zeros(2, dtype=torch.int8),
    }
    ImageSet(classes=("a", "b"), **parts)
    with pytest.raises(ValueError, match=field):
        ImageSet(classes=("a", "b"), **(parts | {field: value}))


def test_parts_hold_the_images_of_one_split(tmp_path: Path) -> None:
    image_set = read(tmp_path, pictures("A", "B", each=20)).image_set
    parts = {name: image_set.part(name) for name in SPLITS}
    assert {name: part.count_by_class() for name, part in parts.items()} == {
        "train": {"A": 14, "B": 14},
        "validation": {"A": 2, "B": 2},
        "test": {"A": 4, "B": 4},
    }
    assert len(image_set) == 40 == sum(map(len, parts.values()))
    with pytest.raises(ValueError, match="tuple"):
        image_set.part("holdout")


# ------------------------------------------------------------------------------ layout and split


@pytest.mark.parametrize(
    "files",
    [
        pictures("A", "B"),
        pictures("A", "B", root="COVID-19_Radiography_Dataset/"),
        pictures("A", "B", root="one/two/"),
        pictures("A", "B", root="root/", folder="images/"),
        pictures("A", "B", folder="patient/"),
        pictures("A", "B", root="./"),
        {name.replace("/", "\\"): data for name, data in pictures("A", "B", root="r/").items()},
    ],
    ids=["plain", "root", "roots", "public", "patients", "dot", "windows"],
)
def test_class_folders_are_found(files: dict[str, bytes], tmp_path: Path) -> None:
    reading = read(tmp_path, files)
    assert reading.image_set.count_by_class() == {"A": 5, "B": 5}
    assert codes(reading) == {}


def test_masks_documents_and_system_files_are_counted_not_read(tmp_path: Path) -> None:
    root = "Dataset/"
    mask = {f"{root}{name}/masks/0.png": encoded(noise(7)) for name in "AB"}
    other = {
        f"{root}README.md.txt": b"hello",
        f"{root}A.metadata.xlsx": b"PK\x03\x04",
        f"{root}LICENSE": b"free",
        "__MACOSX/Dataset/A/._0.png": b"\0\5",
        f"{root}A/.DS_Store": b"\0",
        f"{root}A/Thumbs.db": b"\0",
    }
    reading = read(tmp_path, pictures("A", "B", root=root, folder="images/") | mask | other)
    assert reading.image_set.count_by_class() == {"A": 5, "B": 5}
    assert ignored(reading) == {"documents": 3, "masks": 2, "system files": 3}
    assert codes(reading) == {}


@pytest.mark.parametrize("level", ["{split}/{name}", "{name}/{split}", "root/{split}/{name}"])
def test_a_split_in_the_folders_is_honoured(level: str, tmp_path: Path) -> None:
    files = {}
    for part, (folder, count) in enumerate((("Train", 6), ("val", 2), ("test", 3))):
        for number in range(count):
            for index, name in enumerate("AB"):
                key = f"{level.format(split=folder, name=name)}/{number}.png"
                files[key] = encoded(noise(100 * part + 10 * index + number))
    image_set = read(tmp_path, files).image_set
    assert [image_set.part(name).count_by_class() for name in SPLITS] == [
        {"A": 6, "B": 6},
        {"A": 2, "B": 2},
        {"A": 3, "B": 3},
    ]


def test_a_missing_validation_part_is_taken_from_the_training_images(tmp_path: Path) -> None:
    train = pictures("A", "B", each=10, root="train/")
    test = {f"test/{name}/x.png": encoded(noise(9000 + i)) for i, name in enumerate("AB")}
    image_set = read(tmp_path, train | test).image_set
    assert [image_set.part(name).count_by_class()["A"] for name in SPLITS] == [9, 1, 1]


def test_a_given_split_without_test_images_of_a_class_is_rejected(tmp_path: Path) -> None:
    files = pictures("A", "B", each=1, root="train/") | {
        "test/A/x.png": encoded(noise(9000)),
        "test/A/y.png": encoded(noise(9001)),
        "test/B/x.png": encoded(noise(9002)),
        "test/B/y.png": encoded(noise(9003)),
    }
    error = rejected(tmp_path, files)
    assert error.code == "too_few_images"
    assert "validation" in str(error)


def test_the_split_depends_on_pixels_and_seed_alone(tmp_path: Path) -> None:
    files = pictures("A", "B", each=30)
    renamed = {f"other/{name[0]}/{i:03}.png": data for i, (name, data) in enumerate(files.items())}
    shuffled = dict(sorted(renamed.items(), key=lambda item: hash(item[1])))
    first = read(tmp_path, files).image_set
    assert first.to_bytes() == read(tmp_path, shuffled).image_set.to_bytes()
    other_seed = read(tmp_path, files, seed=1).image_set
    assert torch.equal(first.images, other_seed.images)
    assert not torch.equal(first.split, other_seed.split)


# --------------------------------------------------------------------------------- class names


@pytest.mark.parametrize("name", ["<b>bold</b>", "x" * 81, "dot.", "bell\a", "CON"])
def test_a_bad_class_folder_rejects_the_dataset(name: str, tmp_path: Path) -> None:
    error = rejected(tmp_path, pictures("A", name))
    assert error.code == "class_name"
    assert str(error).isprintable()


def test_class_folders_that_differ_in_capitals_are_asked_about(tmp_path: Path) -> None:
    error = rejected(tmp_path, pictures("Covid", "COVID", "Normal"))
    assert error.code == "unclear_layout"
    assert "one class" in str(error)


def test_two_spellings_of_one_unicode_name_are_one_class(tmp_path: Path) -> None:
    composed, decomposed = "Pneumonie\u0301", "Pneumoni\u00e9"
    files = pictures("A", composed) | {f"{decomposed}/x.png": encoded(noise(5))}
    assert read(tmp_path, files).image_set.count_by_class() == {"A": 5, "Pneumoni\u00e9": 6}


def test_a_folder_per_patient_is_not_taken_for_a_class_each(tmp_path: Path) -> None:
    error = rejected(tmp_path, pictures(*(f"p{number}" for number in range(101)), each=1))
    assert error.code == "no_classes"
    assert "patients" in str(error)


# ------------------------------------------------------------------------------- refused files


def png_of_size(width: int, height: int) -> bytes:
    """A PNG whose header promises pixels that the file does not hold."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">L", len(data)) + kind + data + struct.pack(">L", zlib.crc32(kind + data))
        )

    header = struct.pack(">LLBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty_file"),
        (b"The patient is well.", "not_an_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"),
        (encoded(noise(1), "GIF"), "gif"),
        (encoded(noise(1))[:200], "truncated"),
        (encoded(noise(1), "JPEG")[:300], "truncated"),
        (encoded(noise(1), "TIFF")[:300], "truncated"),
        (png_of_size(6000, 6000), "too_large"),
        (png_of_size(100_000, 100_000), "too_large"),
        (png_of_size(2_000_000_000, 2_000_000_000), "too_large"),
        (png_of_size(64, 64), "truncated"),
        (encoded(noise(1, 15)), "too_small"),
        (encoded(np.full((24, 24), 7, dtype=np.uint8)), "blank"),
        (b"\0" * 128 + b"DICM" + b"\0" * 100, "dicom_no_pixels"),
        (b"PK\x03\x04" + b"\0" * 100, "nested_archive"),
        (b"\x1f\x8b" + b"\0" * 100, "nested_archive"),
        (b"\0" * 257 + b"ustar\0" + b"\0" * 249, "nested_archive"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_with_its_reason(
    data: bytes, code: str, tmp_path: Path
) -> None:
    assert refused(tmp_path, {"A/x.png": data}) == {"A/x.png": code}


def test_a_picture_inside_an_archive_inside_the_archive_stays_there(tmp_path: Path) -> None:
    inner = packed(tmp_path / "inner.zip", pictures("C")).read_bytes()
    assert refused(tmp_path, {"A/1000.zip": inner}) == {"A/1000.zip": "nested_archive"}


def test_names_that_point_outside_are_refused(tmp_path: Path) -> None:
    data = encoded(noise(77))
    names = ["../A/x.png", "A/../../x.png", "..\\x.png"]
    assert set(refused(tmp_path, dict.fromkeys(names, data)).values()) == {"unsafe_name"}
    assert list(tmp_path.iterdir()) == [tmp_path / "a.zip"]


def test_links_in_a_tar_are_refused_by_name(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as archive:
        for name, data in pictures("A", "B").items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
        link = tarfile.TarInfo("A/0099.png")
        link.type = tarfile.SYMTYPE
        link.linkname = "/etc/passwd"
        archive.addfile(link)
    reading = read_images(tmp_path / "a.tar", image_size=SIZE)
    assert codes(reading) == {"A/0099.png": "not_a_file"}


def test_a_picture_in_no_class_folder_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, {"77.png": encoded(noise(77))}) == {"77.png": "no_class"}


def test_the_same_pixels_twice_are_kept_once(tmp_path: Path) -> None:
    pixels = noise(77)
    files = {"A/y.png": encoded(pixels), "A/z.bmp": encoded(pixels, "BMP")}
    assert refused(tmp_path, files) == {"A/z.bmp": "duplicate"}


def test_the_same_picture_in_two_classes_is_refused_in_both(tmp_path: Path) -> None:
    pixels = encoded(noise(77))
    expected = {"A/y.png": "conflicting_label", "B/z.png": "conflicting_label"}
    assert refused(tmp_path, {"A/y.png": pixels, "B/z.png": pixels}) == expected


def test_an_archive_of_contradictions_alone_is_told_so(tmp_path: Path) -> None:
    for folder in ("A", "B"):
        (tmp_path / folder).mkdir()
        for number in range(3):
            (tmp_path / folder / f"{number}.png").write_bytes(encoded(noise(number)))
    with pytest.raises(DatasetError, match="each picture in its one class") as rejected:
        read_images(tmp_path)
    assert rejected.value.code == "conflicting_labels"


def test_names_are_made_printable_and_short(tmp_path: Path) -> None:
    names = refused(tmp_path, {"A/\x1b[31mred.png": b"text", f"A/{'x' * 500}.png": b"text"})
    assert all(name.isprintable() and len(name) <= 200 for name in names)
    assert len(names) == 2


# ---------------------------------------------------------------------------- rejected datasets


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({}, "no_images"),
        ({f"{name}/{i}.png": b"text" for name in "AB" for i in range(3)}, "no_images"),
        ({"README.md": b"text"}, "no_images"),
        ({"x.png": encoded(noise(1)), "y.png": encoded(noise(2))}, "no_classes"),
        (pictures("A"), "one_class"),
        (pictures("A", root="root/", folder="images/"), "one_class"),
        (pictures("A", "B") | {"C/1.png": encoded(noise(5))}, "unclear_layout"),
    ],
)
def test_a_dataset_of_no_use_is_rejected(
    files: dict[str, bytes], code: str, tmp_path: Path
) -> None:
    assert rejected(tmp_path, files).code == code


def test_an_archive_behind_a_password_says_so(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", pictures("A", "B"))
    content = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        start = -1
        while (start := content.find(signature, start + 1)) >= 0:
            content[start + flags] |= 1
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="without a password") as caught:
        read_images(path)
    assert caught.value.code == "encrypted"


# ------------------------------------------------------------------------------------- progress


def test_progress_goes_up_to_its_total_and_can_stop_the_reading(tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", pictures("A", "B", each=60))
    reports: list[Progress] = []
    read_images(path, image_size=SIZE, on_progress=reports.append)
    assert [(r.done, r.total, r.unit) for r in reports if r.phase == "reading"] == [
        (1, 120, "files"),
        (51, 120, "files"),
        (101, 120, "files"),
        (120, 120, "files"),
    ]
    assert {r.phase for r in reports} == {"listing", "reading", "comparing"}

    def stop(_: Progress) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        read_images(path, image_size=SIZE, on_progress=stop)


# ------------------------------------------------------------------------------------ real X-rays


@pytest.fixture(scope="module")
def real_data() -> Path:
    folder = Path(os.environ.get("EXCHANGE_REALDATA", HERE.parents[3].parent / "shared" / "data"))
    if not (folder / "covid-radiography-112.zip").is_file():
        pytest.skip(f"no research X-rays in {folder}; EXCHANGE_REALDATA names another folder")
    return folder


@pytest.mark.realdata
def test_the_public_layout_is_read_without_its_masks(real_data: Path) -> None:
    reading = read_images(real_data / "covid-radiography-sample.zip")
    assert reading.image_set.count_by_class() == {"COVID": 40, "Normal": 40, "Viral Pneumonia": 40}
    assert ignored(reading) == {"documents": 1, "masks": 15}
    assert codes(reading) == {}
    assert reading.image_set.images.shape == (120, 1, 112, 112)


@pytest.mark.realdata
@pytest.mark.slow
def test_fifteen_thousand_real_images_are_read_whole(real_data: Path) -> None:
    reading = read_images(real_data / "covid-radiography-112.zip")
    assert reading.quality["refused_by_code"] == {"duplicate": 52}
    assert reading.image_set.count_by_class() == {
        "COVID": 3565,
        "Normal": 10191,
        "Viral Pneumonia": 1338,
    }
