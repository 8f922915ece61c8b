"""An uploaded archive is accepted, or rejected with a problem."""

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iadd.data.image_set import ImageSet
from worker.datasets.read_archive import Accepted, Rejected, examine


def picture(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (20, 20), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def archive_of(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def test_an_archive_becomes_images_a_quality_report_and_thumbnails(tmp_path: Path) -> None:
    files = {f"data/COVID/{i}.png": picture(i) for i in range(20)}
    files |= {f"data/Normal/{i}.png": picture(100 + i) for i in range(60)}
    files |= {
        "data/Normal/again.png": picture(100),
        "data/Normal/DOE JANE.png": b"no picture",
        "data/Normal/masks/0.png": picture(7),
        "data/README.txt": b"hello",
    }
    result = examine(archive_of(tmp_path / "a.zip", files), image_size=16)

    assert isinstance(result, Accepted)
    image_set = ImageSet.from_bytes(result.images)
    assert image_set.count_by_class() == {"COVID": 20, "Normal": 60}
    assert result.classes == {
        "COVID": {"train": 14, "validation": 2, "test": 4},
        "Normal": {"train": 43, "validation": 5, "test": 12},
    }
    assert json.loads(json.dumps(result.quality)) == {
        "images": 80,
        "image_size": 16,
        "classes": result.classes,
        "splits": {"train": 57, "validation": 7, "test": 16},
        "largest_class_share": 0.75,
        "refused": [
            {
                "name": "data/Normal/DOE JANE.png",
                "code": "not_an_image",
                "reason": "It is not a PNG, JPEG, TIFF or BMP picture.",
            },
            {
                "name": "data/Normal/again.png",
                "code": "duplicate",
                "reason": "It shows the same pixels as another picture.",
            },
        ],
        "refused_count": 2,
        "refused_by_code": {"duplicate": 1, "not_an_image": 1},
        "duplicates": 1,
        "ignored": [{"reason": "documents", "count": 1}, {"reason": "masks", "count": 1}],
    }
    sheets = [Image.open(io.BytesIO(sheet)) for sheet in result.thumbnails]
    assert [(sheet.format, sheet.size) for sheet in sheets] == [
        ("PNG", (448, 112)),
        ("PNG", (448, 168)),
    ]


def test_the_same_archive_twice_gives_the_same(tmp_path: Path) -> None:
    files = {f"{name}/{i}.png": picture(ord(name) * 100 + i) for name in "AB" for i in range(9)}
    path = archive_of(tmp_path / "a.zip", files)
    assert examine(path, image_size=16) == examine(path, image_size=16)


@pytest.mark.parametrize(
    ("content", "problem_type"),
    [
        (b"", "empty-archive"),
        (b"The patient is well.", "not-an-archive"),
        (b"PK\x03\x04" + os.urandom(500), "damaged-archive"),
    ],
)
def test_a_file_that_is_not_an_archive_is_rejected_with_a_problem(
    content: bytes, problem_type: str, tmp_path: Path
) -> None:
    (tmp_path / "archive").write_bytes(content)
    result = examine(tmp_path / "archive")
    assert isinstance(result, Rejected)
    assert result.problem["type"] == f"urn:iadd-exchange:problem:{problem_type}"
    assert result.problem["status"] == 422
    assert "upload" in result.problem["detail"]
    assert result.quality["images"] == 0


NINE = {f"A/{i}.png": picture(i) for i in range(9)}


@pytest.mark.parametrize(
    ("files", "problem_type", "said"),
    [
        ({}, "no-images", "one folder per class"),
        ({"A/notes.txt": b"x", "B/list.csv": b"y"}, "no-images", "No file in it"),
        (NINE, "one-class", "two classes at least"),
        ({Path(name).name: content for name, content in NINE.items()}, "no-classes", "folders"),
        ({**NINE, "B/0.png": picture(100)}, "too-few-images", "“B” has 1 that can be used"),
        (
            {f"{c}/{i}.png": picture(i + 9 * ord(c))[:200] for c in "AB" for i in range(9)},
            "no-images",
            "damaged or cut short",
        ),
    ],
    ids=["nothing", "no image", "one class", "no folders", "a small class", "truncated images"],
)
def test_images_that_cannot_be_trained_on_are_rejected_with_a_problem(
    files: dict[str, bytes], problem_type: str, said: str, tmp_path: Path
) -> None:
    result = examine(archive_of(tmp_path / "archive", files), image_size=16)
    assert isinstance(result, Rejected)
    assert result.problem["type"] == f"urn:iadd-exchange:problem:{problem_type}"
    assert said in result.problem["detail"]
    assert "upload" in result.problem["detail"]


def test_a_rejected_dataset_keeps_the_list_of_refused_files(tmp_path: Path) -> None:
    result = examine(archive_of(tmp_path / "a.zip", {"A/x.png": b"text", "B/y.png": b""}))
    assert isinstance(result, Rejected)
    assert result.problem["type"].endswith(":no-images")
    assert result.quality["refused_by_code"] == {"empty_file": 1, "not_an_image": 1}
    assert "x.png" not in json.dumps(result.problem)  # problems travel further than the report
