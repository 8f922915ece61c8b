"""An archive becomes a dataset with its report, a question, or a rejection with its reason."""

import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from iadd.data.image_set import ImageSet
from iadd.intake.decisions import Decisions
from iadd.intake.examine import IMAGES, REFUSED, SHEETS, THUMBNAILS, Outcome, examine
from iadd.intake.layout.mapping import Mapping
from iadd.intake.options import ReadOptions
from iadd.intake.read import load_pictures

OPTIONS = ReadOptions(key=b"k" * 32, image_size=16)


def pixels(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (20, 20), dtype=np.uint8)


def picture(seed: int) -> bytes:
    return encoded(pixels(seed))


def encoded(grey: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(grey).save(file, "PNG")
    return file.getvalue()


def archive_of(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def read(folder: Path, files: dict[str, bytes] | None, **more: object) -> Outcome:
    """Examine an archive of these files; None composes what was read before."""
    out = folder / "out"
    out.mkdir(exist_ok=True)
    source = None if files is None else archive_of(folder / "a.zip", files)
    return examine(source, out, options=OPTIONS, **more)


def classes(*names: str, each: int = 9) -> dict[str, bytes]:
    return {
        f"{name}/{i}.png": picture(100 * ord(name[0]) + i) for name in names for i in range(each)
    }


def codes(outcome: Outcome) -> dict[str, int]:
    return {one["code"]: one["count"] for one in outcome.quality["findings"]}


def test_an_archive_becomes_images_a_quality_report_and_thumbnails(tmp_path: Path) -> None:
    files = {f"data/COVID/{i}.png": picture(i) for i in range(20)}
    files |= {f"data/Normal/{i}.png": picture(100 + i) for i in range(60)}
    files |= {
        "data/Normal/again.png": picture(100),
        "data/Normal/DOE JANE.png": b"no picture",
        "data/Normal/masks/0.png": picture(7),
        "data/README.txt": b"hello",
    }
    outcome = read(tmp_path, files)

    assert outcome.status == "ready"
    image_set = ImageSet.load(tmp_path / "out" / IMAGES)
    assert image_set.count_by_class() == {"COVID": 20, "Normal": 60}
    assert outcome.classes == {
        "COVID": {"train": 14, "validation": 2, "test": 4},
        "Normal": {"train": 43, "validation": 5, "test": 12},
    }
    quality = json.loads(json.dumps(outcome.quality))
    assert quality["entries"] == 84
    assert quality["images"] == 80
    assert quality["refused_by_code"] == {"duplicate": 1, "not_an_image": 1}
    assert quality["ignored"] == [
        {"reason": "documents", "count": 1},
        {"reason": "masks", "count": 1},
    ]
    assert quality["largest_class_share"] == 0.75
    assert quality["split_by"] == "near_duplicates"
    assert quality["charts"]["sizes"] == {"20×20": 80}
    assert sum(quality["charts"]["brightness"]["COVID"]) == 20
    sheets = [Image.open(path) for path in sorted((tmp_path / "out" / THUMBNAILS).iterdir())]
    assert [(sheet.format, sheet.size) for sheet in sheets] == [
        ("PNG", (448, 112)),
        ("PNG", (448, 168)),
    ]


def test_every_entry_is_accounted_for(tmp_path: Path) -> None:
    files = classes("COVID", "Normal") | {
        "COVID/twice.png": picture(100 * ord("C")),
        "Normal/broken.png": b"\x89PNG\r\n\x1a\n",
        "Normal/lung masks/1.png": picture(1),
        "Thumbs.db": b"x",
        "stray.png": picture(2),
        "about.pdf": b"%PDF-1.4",
    }
    quality = read(tmp_path, files).quality
    ignored = sum(one["count"] for one in quality["ignored"])
    assert quality["images"] + quality["refused_count"] + ignored == quality["entries"] == 24


def test_names_that_could_be_a_patients_are_hashed_in_all_that_is_kept(tmp_path: Path) -> None:
    files = classes("COVID", "Normal") | {
        "COVID/Mustermann_Erika_19540312.png": picture(1),
        "COVID/Mustermann Erika/1.png": b"no picture",
        "Normal/Mustermann-copy.png": picture(100 * ord("N")),
    }
    outcome = read(tmp_path, files)
    assert outcome.quality["refused_count"] == 2
    kept = (
        b"".join(path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file())
        + json.dumps([outcome.quality, outcome.mapping, outcome.finding_files]).encode()
    )
    records = load_pictures(tmp_path / "out").records
    kept += json.dumps([record.shown for record in records]).encode()
    for planted in (b"ustermann", b"rika", b"19540312"):
        assert planted not in kept


def test_the_same_archive_twice_gives_the_same(tmp_path: Path) -> None:
    files = classes("A", "B")
    first = read(tmp_path, files)
    written = (tmp_path / "out" / IMAGES).read_bytes()
    assert read(tmp_path, files) == first
    assert (tmp_path / "out" / IMAGES).read_bytes() == written


def test_what_was_read_makes_the_same_dataset_without_the_archive(tmp_path: Path) -> None:
    first = read(tmp_path, classes("A", "B"))
    (tmp_path / "a.zip").unlink()
    assert read(tmp_path, None) == first


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty-archive"),
        (b"The patient is well.", "not-an-archive"),
        (b"PK\x03\x04" + os.urandom(500), "damaged-archive"),
    ],
)
def test_a_file_that_is_not_an_archive_is_rejected_with_a_problem(
    content: bytes, code: str, tmp_path: Path
) -> None:
    (tmp_path / "archive").write_bytes(content)
    outcome = examine(tmp_path / "archive", tmp_path, options=OPTIONS)
    assert outcome.status == "rejected"
    assert outcome.problem["code"] == code
    assert "upload" in outcome.problem["detail"]
    assert outcome.quality["images"] == 0


NINE = classes("A")


@pytest.mark.parametrize(
    ("files", "code", "said"),
    [
        ({}, "no-images", "one folder per class"),
        ({"A/notes.txt": b"x", "B/list.csv": b"y"}, "no-images", "No file in it"),
        (NINE, "one-class", "one folder per class"),
        ({Path(name).name: content for name, content in NINE.items()}, "no-classes", "folder"),
        (
            {f"{c}/{i}.png": picture(i + 9 * ord(c))[:200] for c in "AB" for i in range(9)},
            "no-images",
            "18 × The picture is damaged or cut short",
        ),
    ],
    ids=["nothing", "no image", "one class", "no folders", "truncated images"],
)
def test_images_that_cannot_be_trained_on_are_rejected_with_a_problem(
    files: dict[str, bytes], code: str, said: str, tmp_path: Path
) -> None:
    outcome = read(tmp_path, files)
    assert outcome.status == "rejected"
    assert outcome.problem["code"] == code
    assert said in outcome.problem["detail"]


def test_the_problem_of_a_rejection_names_no_file(tmp_path: Path) -> None:
    files = {f"{c}/x{i}.png": b"text" for c in "AB" for i in range(3)}
    outcome = read(tmp_path, files)
    assert outcome.quality["refused_by_code"] == {"not_an_image": 6}
    assert "x1.png" in (tmp_path / "out" / REFUSED).read_text()
    assert "x1.png" not in json.dumps(outcome.problem)  # it travels further than the report


def test_an_unclear_layout_becomes_a_question_and_its_answer_a_dataset(tmp_path: Path) -> None:
    files = {f"General/{name}": data for name, data in classes("COVID", "Normal").items()}
    files |= {f"StMary/{name}": data for name, data in classes("Asthma", "Pneumonia").items()}
    outcome = read(tmp_path, files)
    assert outcome.status == "awaiting_mapping"
    assert outcome.quality is None
    assert outcome.layout["questions"]

    mapping = Mapping.from_dict({"levels": ["site", "class"]})
    answered = read(tmp_path, files, mapping=mapping)
    assert answered.status == "ready"
    assert set(answered.classes) == {"Asthma", "COVID", "Normal", "Pneumonia"}


def test_a_mapping_that_names_what_is_not_there_is_rejected(tmp_path: Path) -> None:
    columns = {"file": "file", "label": "label"}
    mapping = Mapping.from_dict({"csv": {"file": "none.csv", "columns": columns}})
    outcome = read(tmp_path, classes("A", "B"), mapping=mapping)
    assert outcome.status == "rejected"
    assert outcome.problem["code"] == "mapping-does-not-fit"


def near(seed: int) -> bytes:
    """Nearly the picture of this seed: one grey level brighter."""
    return encoded(np.minimum(pixels(seed), 254) + np.uint8(1))


def test_near_duplicates_stay_in_one_part_and_can_be_left_out(tmp_path: Path) -> None:
    files = classes("A", "B", each=12)
    files |= {f"A/again{i}.png": near(100 * ord("A") + i) for i in range(4)}
    outcome = read(tmp_path, files)
    assert codes(outcome)["near_duplicate"] == 4
    assert "near_duplicate_across_splits" not in codes(outcome)
    assert (tmp_path / "out" / SHEETS / "near_duplicate.png").is_file()

    left_out = frozenset(outcome.finding_files["near_duplicate"])
    assert len(left_out) == 4
    again = read(tmp_path, None, decisions=Decisions(leave_out=left_out))
    assert "near_duplicate" not in codes(again)
    assert again.quality["images"] == 24
    assert {"reason": "left out by a decision", "count": 4} in again.quality["ignored"]


def test_classes_are_merged_and_pictures_turned_by_a_decision(tmp_path: Path) -> None:
    read(tmp_path, classes("A", "B", "C"))
    before = load_pictures(tmp_path / "out")
    turned = before.records[0].path
    outcome = read(tmp_path, None, decisions=Decisions(merge={"C": "B"}, turn=frozenset({turned})))
    assert {name: sum(parts.values()) for name, parts in outcome.classes.items()} == {
        "A": 9,
        "B": 18,
    }
    images = ImageSet.load(tmp_path / "out" / IMAGES).images.numpy()[:, 0]
    assert any(np.array_equal(image, 255 - before.pixels[0]) for image in images)
    assert not any(np.array_equal(image, before.pixels[0]) for image in images)


def test_a_box_painted_black_hides_what_was_below_it(tmp_path: Path) -> None:
    read(tmp_path, classes("A", "B"))
    before = load_pictures(tmp_path / "out")
    boxes = {before.records[0].path: ((0, 0, 500, 250),)}
    read(tmp_path, None, decisions=Decisions(blank=boxes))
    images = ImageSet.load(tmp_path / "out" / IMAGES).images.numpy()[:, 0]
    (found,) = [image for image in images if np.array_equal(image[8:], before.pixels[0][8:])]
    assert not found[:4, :8].any()


def test_a_class_whose_files_are_all_damaged_is_reported(tmp_path: Path) -> None:
    files = classes("A", "B") | {f"Viral/{i}.png": picture(i)[:100] for i in range(4)}
    outcome = read(tmp_path, files)
    assert set(outcome.classes) == {"A", "B"}
    assert codes(outcome)["lost_class"] == 1


def test_images_of_one_patient_alone_are_split_all_the_same_and_said_so(tmp_path: Path) -> None:
    rows = [f"{name},{name[0]},{'1' if name[0] == 'A' else name}" for name in classes("A", "B")]
    table = "\n".join(["file,label,patient", *rows]).encode()
    outcome = read(tmp_path, classes("A", "B") | {"manifest.csv": table})
    assert outcome.quality["split_by"] == "image"
    assert codes(outcome)["patient_across_splits"] == 1


def test_a_patient_stays_in_one_part(tmp_path: Path) -> None:
    files = classes("A", "B", each=20)
    rows = [f"{name},{name[0]},{int(name[2:-4]) // 2}{name[0]}" for name in files]
    table = "\n".join(["file,label,patient", *rows]).encode()
    outcome = read(tmp_path, files | {"manifest.csv": table})
    assert (outcome.quality["split_by"], outcome.quality["patients"]) == ("patient", 20)
    assert "patient_across_splits" not in codes(outcome)
    images = ImageSet.load(tmp_path / "out" / IMAGES)
    assert images.unit == "patient"
    assert sorted(images.groups.bincount().tolist()) == [2] * 20
    for patient in range(20):
        assert len(images.split[images.groups == patient].unique()) == 1


def test_without_patients_the_unit_is_a_cluster_of_near_duplicates(tmp_path: Path) -> None:
    again = np.clip(pixels(100 * ord("A")).astype(int) + 1, 0, 255).astype(np.uint8)
    read(tmp_path, classes("A", "B") | {"A/again.png": encoded(again)})
    images = ImageSet.load(tmp_path / "out" / IMAGES)
    assert images.unit == "image"
    assert sorted(images.groups.bincount().tolist()) == [1] * 17 + [2]
    assert set(images.groups.tolist()) == set(range(18))


def test_a_picture_that_is_left_out_does_not_come_back_under_another_name(tmp_path: Path) -> None:
    files = classes("A", "B") | {"A/0again.png": picture(100 * ord("A"))}
    read(tmp_path, files)
    records = load_pictures(tmp_path / "out").records
    (path,) = [record.path for record in records if record.shown == "A/0.png"]
    outcome = read(tmp_path, None, decisions=Decisions(leave_out=frozenset({path})))
    assert sum(outcome.classes["A"].values()) == 8


def test_text_in_one_of_two_equal_files_is_a_finding_whichever_is_used(tmp_path: Path) -> None:
    files = classes("A", "B") | {"A/0again.png": picture(100 * ord("A"))}
    read(tmp_path, files)
    for record in load_pictures(tmp_path / "out").records:
        if record.digest == load_pictures(tmp_path / "out").records[0].digest:
            outcome = read(tmp_path, None, texts=frozenset({record.path}))
            assert codes(outcome)["text_in_picture"] == 1
