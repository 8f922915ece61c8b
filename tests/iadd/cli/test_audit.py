"""``iadd audit`` and ``iadd inspect``, as a recipient and as an owner would use them."""

import json
import stat
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from iadd.bundle.bundle import write_bundle
from iadd.cli import app
from iadd.cli.own_images import load_own
from iadd.config import Config
from iadd.data.normalisation import Normalisation
from tests.iadd.cli.test_train import REPORT
from tests.iadd.factories import make_distilled
from tests.iadd.privacy.test_candidates import SIZE, draw

PER_CLASS = 60


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """Two classes of pictures, named as a hospital would name them."""
    for seed, name in enumerate(("plain", "square")):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number, pixels in enumerate(draw(PER_CLASS, seed)):
            picture = Image.fromarray(pixels[0].numpy())
            picture.save(tmp_path / "own" / name / f"patient-{number}.png")
    return tmp_path / "own"


def read(path: Path) -> torch.Tensor:
    with Image.open(path) as picture:
        return torch.tensor(bytearray(picture.tobytes()), dtype=torch.uint8).view(SIZE, SIZE)


@pytest.fixture
def bundle(tmp_path: Path, config: Config, own: Path) -> Path:
    """A release whose first picture of class square is one of ours, mirrored."""
    made = make_distilled(config, size=SIZE)
    pictures = draw(4, 99)
    pictures[2] = read(own / "square" / "patient-7.png").flip(-1)
    normalisation = Normalisation.of(pictures)
    made = replace(made, images=normalisation.apply(pictures), normalisation=normalisation)
    path = tmp_path / "release.zip"
    write_bundle(path, made, report_html=b"<!doctype html>", report_json=REPORT)
    return path


def test_names_lead_back_to_the_files(own: Path) -> None:
    loaded = load_own(own, SIZE, None)
    assert len(loaded.names) == len(loaded.images) == 2 * PER_CLASS
    assert loaded.random_split
    for row in (0, 50, 110):
        file = own / loaded.names[row].removeprefix("own/")
        assert torch.equal(read(file), loaded.images.images[row, 0])


def test_a_recipient_learns_which_own_picture_stands_out(
    bundle: Path, own: Path, tmp_path: Path
) -> None:
    figures = tmp_path / "figures.json"
    said = run("audit", bundle, "--data", own, "--yes", "--json", figures)
    assert "1 of your 120 pictures stands out" in said
    assert "no proof" in said
    assert "Power, tried on your own pictures" in said
    assert "may have been used" in said
    document = json.loads(figures.read_text())
    first = document["candidates"][0]
    assert first["file"].endswith("square/patient-7.png")
    assert first["stands_out"]
    assert first["nearest_image"] == 3
    assert [one["stands_out"] for one in document["candidates"]].count(True) == 1
    assert document["power"][0]["planted"] == 6
    assert "member" not in json.dumps(document["explanation"])


def test_options_of_owners_and_recipients_are_told_apart(
    bundle: Path, own: Path, tmp_path: Path, config: Config
) -> None:
    said = run("audit", bundle, "--data", own, "--audit", "audit_quick", code=1)
    assert "are for your own distilled set" in said
    mine = tmp_path / "mine.safetensors"
    mine.write_bytes(make_distilled(config).to_bytes())
    said = run("audit", mine, "--data", own, "--yes", code=1)
    assert "are for a received bundle" in said
    said = run("audit", mine, "--data", own, "--runs", "1+2", code=1)
    assert "write C+T" in said
    said = run("audit", mine, "--data", own, "--runs", "2+1", code=1)
    assert "--out FOLDER" in said


@pytest.mark.slow
def test_an_owner_audits_the_whole_run_and_resumes(tmp_path: Path) -> None:
    own, generator = tmp_path / "mine", torch.Generator().manual_seed(0)
    for name in ("plain", "square"):
        (own / name).mkdir(parents=True)
        for number in range(PER_CLASS):
            pixels = torch.randint(0, 256, (SIZE, SIZE), generator=generator)
            Image.fromarray(pixels.to(torch.uint8).numpy()).save(own / name / f"{number}.png")
    teachers, mine, out = tmp_path / "teachers", tmp_path / "mine.safetensors", tmp_path / "audit"
    small = ["--set", f"image_size={SIZE}", "--set", "depth=2", "--set", "width=4"]
    small += ["--set", "teachers=1", "--set", "teacher_epochs=2", "--set", "max_start_epoch=1"]
    small += ["--set", "iterations=2", "--set", "syn_steps=2", "--set", "images_per_class=2"]
    small += ["--set", "initialisation=noise", "--set", "evaluation_epochs=2"]
    small += ["--set", "validate_every=0", "--set", "audit_students=1"]
    run("teach", own, "--out", teachers, *small)
    run("distill", own, "--teachers", teachers, "--out", mine, *small)
    figures = tmp_path / "report.json"
    arguments = ("audit", mine, "--data", own, "--teachers", teachers, "--runs", "2+1")
    said = run(*arguments, "--out", out, "--json", figures)
    document = json.loads(figures.read_text())
    assert "3 repetitions of the whole run" in said
    assert document["verdict"] in ("inconclusive", "not_refuted")
    assert document["power"]["runs"] == 1
    assert {attack["name"] for attack in document["attacks"]} >= {"lira", "nearest"}
    assert "Power:" in said
    assert stat.S_IMODE((out / "private_seed").stat().st_mode) == 0o600
    secret = (out / "private_seed").read_text().strip()
    assert secret not in figures.read_text()
    kept = {path: path.stat().st_mtime_ns for path in (out / "twins").glob("*.scores")}
    assert len(kept) == 3
    run(*arguments, "--out", out, "--json", figures)
    assert {path: path.stat().st_mtime_ns for path in (out / "twins").glob("*.scores")} == kept
    assert json.loads(figures.read_text())["attacks"] == document["attacks"]


def test_inspect_says_what_it_covers_and_exits_by_what_it_found(
    bundle: Path, own: Path, tmp_path: Path
) -> None:
    figures = tmp_path / "inspected.json"
    result = CliRunner().invoke(
        app,
        [
            *("inspect", str(bundle), "--data", str(own), "--networks", "1", "--steps", "10"),
            *("--json", str(figures)),
        ],
    )
    document = json.loads(figures.read_text())
    assert result.exit_code == (2 if document["suspicious"] else 0), result.output
    assert "Not covered" in result.output
    assert document["own_probes"]
    assert {test["name"] for test in document["tests"]} == {"trigger", "spectral", "patch"}
