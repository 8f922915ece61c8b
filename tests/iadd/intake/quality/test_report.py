import json
import subprocess
import sys

import numpy as np
import pytest

from iadd.cohort import CLASSES, draw_image
from iadd.intake.quality.findings import FINDINGS, Finding
from iadd.intake.quality.report import compare, find_pairs
from iadd.runtime.progress import Progress


def cohort(count: int) -> np.ndarray:
    return np.stack(
        [draw_image(CLASSES[i % len(CLASSES)], i, image_size=64, seed=9) for i in range(count)]
    )


def report(pixels, splits=None, patients=None, labels=None, **more) -> dict[str, Finding]:
    count = len(pixels)
    found = compare(
        pixels,
        labels if labels is not None else [image % 2 for image in range(count)],
        [picture.tobytes() for picture in pixels],
        patients,
        splits,
        [f"{image:03}.png" for image in range(count)],
        **more,
    )
    assert len({finding.code for finding in found}) == len(found)
    return {finding.code: finding for finding in found}


def test_a_clean_set_has_no_findings() -> None:
    assert report(cohort(40), splits=[0] * 40, patients=[str(i) for i in range(40)]) == {}


def test_each_fault_is_found_where_it_is_and_nowhere_else() -> None:
    pixels = cohort(40)
    pixels[3] = 255 - pixels[3]
    pixels[4] = 9
    pixels[5] = 120 + pixels[5] // 16
    pixels[6] = np.where(np.indices((64, 64))[1] // 20 % 2, 255, 0)
    pixels[7] = np.rot90(pixels[7])
    pixels[39] = np.clip(pixels[8].astype(int) + 3, 0, 255)
    found = report(pixels, views=["PA"] * 20 + ["L", "lateral", None, "LL", "AP"] * 4)
    assert {code: finding.indices for code, finding in found.items()} == {
        "near_duplicate": (39,),
        "inverted": (3,),
        "outlier": (7,),
        "lateral": tuple(sorted({20, 21, 23, 25, 26, 28, 30, 31, 33, 35, 36, 38})),
        "low_contrast": (5,),
        "blank": (4,),
        "mask_like": (6,),
    }
    assert found["inverted"].names == ("003.png",)
    assert found["lateral"].count == 12
    assert len(found["lateral"].names) == 5


def test_near_duplicates_are_shown_in_pairs_and_those_across_splits_keep_the_test_image() -> None:
    pixels = cohort(24)
    pixels[20:24] = np.clip(pixels[:4].astype(int) * 0.9 + 5, 0, 255)
    splits = [2, 0, 1, 0] + [0] * 16 + [0, 2, 0, 0]
    found = report(pixels, splits=splits)
    every, across = found["near_duplicate"], found["near_duplicate_across_splits"]
    assert [(pair.first, pair.second) for pair in every.pairs] == [(i, 20 + i) for i in range(4)]
    assert every.indices == (1, 20, 22, 23)
    assert [(pair.first, pair.second) for pair in across.pairs] == [(0, 20), (1, 21), (2, 22)]
    assert across.indices == (1, 20, 22)
    shown = json.loads(json.dumps(across.to_dict()))
    assert shown["pairs"][0]["names"] == ["000.png", "020.png"]
    assert shown["pairs"][0]["correlation"] >= 0.99
    assert shown["severity"] == "warn"


def test_patients_in_two_splits_are_counted_as_patients() -> None:
    patients = ["a", "a", "b", "b", None, None, "c", "d"]
    found = report(cohort(8), splits=[0, 2, 0, 0, 0, 2, 1, 0], patients=patients)
    assert found["patient_across_splits"].count == 1
    assert found["patient_across_splits"].indices == (0,)


@pytest.mark.parametrize(("largest", "reported"), [(15, False), (16, True)])
def test_classes_are_out_of_balance_beyond_five_to_one(largest: int, reported: bool) -> None:
    labels = [0] * largest + [1] * 3
    found = report(cohort(largest + 3), labels=labels, classes=["COVID", "Normal"])
    assert ("imbalance" in found) is reported
    if reported:
        assert found["imbalance"].names == ("Normal",)


def test_pairs_found_before_the_split_are_not_looked_for_again() -> None:
    pixels = cohort(10)
    pixels[9] = pixels[0] // 2 + 7
    steps: list[Progress] = []
    pairs = find_pairs(pixels, [bytes([i]) for i in range(10)], steps.append)
    assert [(step.phase, step.done, step.total) for step in steps] == [("comparing", 10, 10)]
    found = report(pixels, pairs=pairs, on_progress=steps.append)
    assert found["near_duplicate"].count == 1
    assert len(steps) == 1


def test_every_kind_of_finding_says_what_it_means() -> None:
    for code, kind in FINDINGS.items():
        shown = Finding(code, 7, names=("a",) * 9).to_dict()
        assert shown["names"] == ["a"] * 5
        assert kind.meaning.endswith(".")
        assert kind.action in {"leave_out", "turn", "merge", "accept"}
        assert kind.severity in {"info", "warn", "hold"}
    holds = {code for code, kind in FINDINGS.items() if kind.severity == "hold"}
    assert holds == {"text_in_picture", "patient_shaped_class"}
    with pytest.raises(ValueError, match="no finding"):
        Finding("unheard_of", 1)


def test_a_set_on_disk_does_not_stay_in_memory(tmp_path) -> None:
    coarse = np.random.default_rng(0).integers(0, 255, (700, 16, 16), dtype=np.uint8)
    pixels = np.lib.format.open_memmap(tmp_path / "set.npy", "w+", np.uint8, (700, 256, 256))
    for image in range(len(pixels)):
        pixels[image] = coarse[image].repeat(16, axis=0).repeat(16, axis=1)
    pixels.flush()
    code = (
        "import sys, numpy as np, resource\n"
        "from iadd.intake.quality.report import compare\n"
        "resident = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024\n"
        "few = np.random.default_rng(0).integers(0, 255, (140, 256, 256), dtype=np.uint8)\n"
        "report = lambda p: compare(p, [0] * len(p), range(len(p)), None, None, ['x'] * len(p))\n"
        "report(few)\n"
        "before = resident()\n"
        "report(np.load(sys.argv[1], mmap_mode='r'))\n"
        "print(resident() - before)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "set.npy")]
    grown = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(grown.stdout) < 30  # of 44 megabytes


def test_the_comparison_loads_no_torch() -> None:
    code = "import iadd.intake.quality.report, sys; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
