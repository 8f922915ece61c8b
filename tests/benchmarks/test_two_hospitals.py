"""Two hospitals with disjoint halves: dealt, distilled, shared, compared, and gone on with."""

import json
from pathlib import Path

import pytest
import torch

from benchmarks.two_hospitals import cases, deal, main, read_arguments, settings_of
from iadd.bundle.bundle import load_bundle
from iadd.data.image_set import SPLITS, ImageSet
from tests.fixtures.noisy_pictures import write_noisy_pictures

TINY = [
    *("--preset", "cpu_demo", "--device", "cpu", "--threads", "1", "--own", "3", "all"),
    *("--set", "image_size=16", "--set", "depth=2", "--set", "width=4", "--set", "teachers=1"),
    *("--set", "teacher_epochs=3", "--set", "max_start_epoch=2", "--set", "iterations=2"),
    *("--set", "syn_steps=2", "--set", "images_per_class=2", "--set", "validation_networks=1"),
    *("--set", "evaluation_networks=2", "--set", "evaluation_epochs=2"),
    *("--set", "baseline_lrs=0.01", "--set", "initialisation=noise"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_noisy_pictures(tmp_path / "xrays", each=40)


def test_no_image_is_with_both_hospitals_and_none_is_lost() -> None:
    count = 60
    images = ImageSet(
        torch.arange(count, dtype=torch.uint8).view(count, 1, 1, 1),
        torch.arange(count) % 2,
        ("one", "other"),
        (torch.arange(count) // 2 % 3).to(torch.int8),
    )
    halves = deal(images, seed=0)
    mine, theirs = (set(halves[name].images.flatten().tolist()) for name in ("a", "b"))
    assert not mine & theirs
    assert mine | theirs == set(range(count))
    for name in SPLITS:
        counts = [halves[h].part(name).count_by_class() for h in ("a", "b")]
        assert counts == [{"one": 5, "other": 5}] * 2
    again, other = deal(images, seed=0), deal(images, seed=1)
    assert torch.equal(again["a"].images, halves["a"].images)
    assert not torch.equal(other["a"].images, halves["a"].images)


@pytest.mark.slow
def test_the_study_leaves_a_table_and_two_releases_and_goes_on_where_it_was(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    words = ["--data", str(folder), "--out", str(out), *TINY]
    main(words)
    table = (out / "table.md").read_text()
    assert "| a reader | A + B | 0 | received | 8 |" in table
    assert "| hospital B | A | 3 | own | 6 |" in table
    assert "| hospital B | A | 3 | own + received | 10 |" in table
    assert "| hospital B | A | all | own + received |" in table
    assert table in capsys.readouterr().out + "\n"
    assert load_bundle(out / "a" / "bundle.zip").classes == ("bright", "dark")
    results = json.loads((out / "results.json").read_text())
    assert len(results["comparisons"]) == 5

    for kept in (out / "a" / "bundle.zip", out / "comparisons" / "reader-receives-b.json"):
        kept.unlink()
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    main(words)
    assert (out / "table.md").read_text() == table
    touched = {p.name for p, time in before.items() if p.stat().st_mtime_ns != time}
    assert touched == {"table.md", "results.json"}


def test_a_study_of_other_settings_is_not_mixed_in(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study").mkdir()
    words = ["--data", str(folder), "--out", str(tmp_path / "study"), *TINY]
    settings = settings_of(read_arguments(words)).override({"iterations": 3}).to_dict()
    (tmp_path / "study" / "settings.json").write_text(json.dumps(settings))
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 1
    assert "a study of other settings" in " ".join(capsys.readouterr().err.split())


def test_each_hospital_may_receive_from_the_other() -> None:
    found = cases(["a", "b"], ["all"])
    assert [(c.hospital, c.receives) for c in found[3:]] == [("a", ("b",)), ("b", ("a",))]


def test_the_small_setting_is_that_of_the_results_page() -> None:
    config = settings_of(read_arguments(["--data", "x", "--out", "y", "--set", "seed=4"]))
    assert (config.image_size, config.network.depth, config.network.width) == (56, 4, 16)
    assert (config.preset, config.seed) == ("cpu_small", 4)
