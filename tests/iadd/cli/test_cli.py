"""The command line, from a folder of images to a table, as a person would use it."""

import json
import re
import stat
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from iadd.cli import app
from tests.fixtures.noisy_pictures import write_noisy_pictures

TINY = [
    *("--set", "image_size=16", "--set", "depth=2", "--set", "width=4"),
    *("--set", "teachers=1", "--set", "teacher_epochs=3", "--set", "teacher_batch_size=16"),
    *("--set", "max_start_epoch=2", "--set", "iterations=2", "--set", "syn_steps=2"),
    *("--set", "images_per_class=2", "--set", "validation_networks=1"),
    *("--set", "evaluation_networks=2", "--set", "evaluation_epochs=2"),
    *("--set", "full_epochs=1", "--set", "baseline_lrs=0.01,0.03"),
    *("--set", "augmentation=crop,rotate"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty noisy pictures in two classes."""
    return write_noisy_pictures(tmp_path / "xrays", each=30)


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return result.output


def test_teach_distill_evaluate_and_show(folder: Path, tmp_path: Path) -> None:
    teachers, distilled = tmp_path / "teachers", tmp_path / "distilled.safetensors"
    sheet, figures = tmp_path / "sheet.png", tmp_path / "figures.json"
    assert "1 teachers of 3 epochs" in run("teach", folder, "--out", teachers, *TINY)
    across = ("--set", "cross_networks=alexnet")
    said = run("distill", folder, "--teachers", teachers, "--out", distilled, *TINY, *across)
    assert "4 images of 2 classes" in said
    assert not distilled.with_suffix(".checkpoint").exists()
    table = run("evaluate", folder, "--distilled", distilled, "--json", figures)
    assert "distilled" in table
    assert "with alexnet" in table
    found = json.loads(figures.read_text())
    assert set(found) == {"distilled", "start", "random", "full", "networks"}
    assert found["networks"]["alexnet"]["distilled"]["training_images"] == 4
    assert "bright, dark" in run("show", distilled, "--out", sheet)
    with Image.open(sheet) as picture:
        assert picture.size == (2 * 20 + 4, 2 * 20 + 4)


@pytest.mark.slow
def test_a_robust_evaluation_repeats_itself_without_augmentation_and_scores_both(
    folder: Path, tmp_path: Path
) -> None:
    teachers, distilled = tmp_path / "teachers", tmp_path / "distilled.safetensors"
    figures = tmp_path / "figures.json"
    run("teach", folder, "--out", teachers, *TINY)
    run("distill", folder, "--teachers", teachers, "--out", distilled, *TINY)
    said = run("evaluate", folder, "--distilled", distilled, "--robust", "--json", figures)
    assert "without augmentation" in said
    assert "label-robust score" in " ".join(said.split())
    found = json.loads(figures.read_text())
    assert set(found["without_augmentation"]) == {"distilled", "random", "full"}
    assert all(0 <= found["dd_ranking"][name] <= 1 for name in ("lrs", "ars"))
    refused = run(
        "evaluate", folder, "--distilled", distilled, "--robust", "--no-baselines", code=1
    )
    assert "leave out --no-baselines" in " ".join(refused.split())


def test_a_folder_that_can_be_read_in_several_ways_needs_a_layout(
    folder: Path, tmp_path: Path
) -> None:
    """Both classes lie below a hospital each, so that the hospitals could be the classes."""
    for hospital, name in (("General", "dark"), ("StMary", "bright")):
        (folder / hospital).mkdir()
        (folder / name).rename(folder / hospital / name)
    arguments = ("teach", folder, "--out", tmp_path / "teachers", *TINY)
    said = run(*arguments, code=1)
    assert "--layout layout.json" in " ".join(said.split())

    layout = tmp_path / "layout.json"
    layout.write_text(json.dumps({"levels": ["site", "class"]}))
    assert "1 teachers of 3 epochs" in run(*arguments, "--layout", layout)

    layout.write_text(json.dumps({"levels": ["site"]}))
    said = run(*arguments, "--layout", layout, code=1)
    assert "is no layout" in said
    assert "which class" in " ".join(said.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--preset", "huge"], "no preset 'huge'"),
        (["--set", "iterations"], "is not NAME=VALUE"),
        (["--set", "iterations=lots"], "iterations is 'lots'"),
        (["--set", "specs=3"], "Unknown setting specs"),
        (["--device", "abacus"], "is not a device of this machine"),
    ],
)
def test_a_mistake_is_said_in_a_line(
    folder: Path, tmp_path: Path, arguments: list[str], said: str
) -> None:
    output = run("teach", folder, "--out", tmp_path / "t", *TINY, *arguments, code=1)
    assert said in " ".join(output.split())
    assert "Traceback" not in output


def test_an_empty_folder_is_refused_with_advice(tmp_path: Path) -> None:
    output = run("teach", tmp_path, "--out", tmp_path / "t", code=1)
    assert "iadd: No file in it could be an image" in output


def test_images_of_other_classes_are_refused(folder: Path, tmp_path: Path) -> None:
    teachers, distilled = tmp_path / "teachers", tmp_path / "distilled.safetensors"
    run("teach", folder, "--out", teachers, *TINY)
    run("distill", folder, "--teachers", teachers, "--out", distilled, *TINY)
    (folder / "dark").rename(folder / "dim")
    output = run("evaluate", folder, "--distilled", distilled, code=1)
    assert "name the folders as the distilled set does" in " ".join(output.split())


@pytest.mark.parametrize("method", ["random", "herding", "forgetting"])
def test_select_writes_real_images_by_class_and_no_name_of_theirs(
    folder: Path, tmp_path: Path, method: str
) -> None:
    out = tmp_path / "chosen"
    said = run("select", folder, "--method", method, "--per-class", 3, "--out", out, *TINY)
    assert "6 real images of 2 classes" in said
    assert sorted(str(p.relative_to(out)) for p in out.rglob("*.png")) == [
        *(f"bright/{number:04d}.png" for number in range(3)),
        *(f"dark/{number:04d}.png" for number in range(3, 6)),
    ]
    with Image.open(out / "dark" / "0003.png") as picture:
        assert picture.size == (16, 16)


def test_a_run_says_how_it_computes(folder: Path, tmp_path: Path) -> None:
    teachers, distilled = tmp_path / "teachers", tmp_path / "distilled.safetensors"
    run("teach", folder, "--out", teachers, *TINY)
    said = run("distill", folder, "--teachers", teachers, "--out", distilled, *TINY)
    assert "steps are computed eagerly" in said


@pytest.mark.slow
def test_runs_are_drawn_from_a_private_seed_that_only_the_owner_reads(
    folder: Path, tmp_path: Path
) -> None:
    """Two runs with one published seed differ; with --published-seed they are equal to the bit."""

    def distil(name: str, *more: str) -> bytes:
        teachers, out = tmp_path / f"teachers-{name}", tmp_path / f"{name}.safetensors"
        noise = ("--set", "initialisation=noise")
        run("teach", folder, "--out", teachers, *TINY, *more)
        said = run("distill", folder, "--teachers", teachers, "--out", out, *TINY, *noise, *more)
        assert ("published seed: whoever" in " ".join(said.split())) == bool(more)
        assert f"{'published' if more else 'secret'} seed" in run("show", out)
        return out.read_bytes()

    assert distil("a") != distil("b")
    assert distil("c", "--published-seed") == distil("d", "--published-seed")
    seed = tmp_path / "teachers-a" / "private_seed"
    assert stat.S_IMODE(seed.stat().st_mode) == 0o600
    assert len(seed.read_text().strip()) == 32
    assert seed.read_text() != (tmp_path / "teachers-b" / "private_seed").read_text()
    for name in ("c", "d"):
        assert not (tmp_path / f"teachers-{name}" / "private_seed").exists()
    secret = seed.read_text().strip()
    for file in (tmp_path / "a.safetensors", *(tmp_path / "teachers-a").glob("*.safetensors")):
        assert secret.encode() not in file.read_bytes()
        assert str(int(secret, 16)).encode() not in file.read_bytes()


def test_a_run_does_not_change_its_randomness_half_way(folder: Path, tmp_path: Path) -> None:
    teachers, out = tmp_path / "teachers", tmp_path / "distilled.safetensors"
    run("teach", folder, "--out", teachers, *TINY)
    said = run("teach", folder, "--out", teachers, *TINY, "--published-seed", code=1)
    assert "without --published-seed" in " ".join(said.split())
    seed = (teachers / "private_seed").read_text()
    (teachers / "private_seed").unlink()
    said = run("teach", folder, "--out", teachers, *TINY, code=1)
    assert "with --published-seed" in " ".join(said.split())
    (teachers / "private_seed").write_text("not a seed 0x12")
    said = run("teach", folder, "--out", teachers, *TINY, code=1)
    assert "holds no private seed" in " ".join(said.split())
    assert "0x12" not in said
    # Teachers of an earlier version: the distillation draws a seed of its own, and forgets it.
    (teachers / "private_seed").unlink()
    said = run("distill", folder, "--teachers", teachers, "--out", out, *TINY)
    assert "its teachers have no private seed" in " ".join(said.split())
    assert not out.with_suffix(".private_seed").exists()
    assert seed.strip() not in said


def test_private_runs_book_their_reads_beside_the_source(folder: Path, tmp_path: Path) -> None:
    teachers, out = tmp_path / "teachers", tmp_path / "distilled.safetensors"
    proven = [*TINY, "--set", "privacy=dp", "--set", "epsilon=8", "--set", "validate_every=0"]
    proven += ["--set", "teacher_sampling=all", "--set", "initialisation=noise"]
    proven += ["--set", "canaries=20"]
    said = " ".join(run("teach", folder, "--out", teachers, *proven).split())
    assert re.search(r"Proven: differential privacy with ε = \d", said)
    assert re.search(r"20 canaries: ε ≥ .*, \d+ of 10 guesses right", said)
    ledger = folder.with_name("xrays.ledger.jsonl")
    booked = ledger.read_text()
    assert stat.S_IMODE(ledger.stat().st_mode) == 0o600
    assert '"budgeted"' in booked
    run("distill", folder, "--teachers", teachers, "--out", out, *proven)
    assert ledger.read_text() == booked, "distilling from noise reads no image"
    elsewhere = ("--ledger", tmp_path / "empty")
    said = run("distill", folder, "--teachers", teachers, "--out", out, *proven, *elsewhere)
    assert "Nothing is proven" in said
    run("teach", folder, "--out", tmp_path / "more", *proven, "--ledger", tmp_path / "other")
    assert ledger.read_text() == booked
    assert (tmp_path / "other").exists()
