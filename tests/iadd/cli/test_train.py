"""``iadd train`` and ``iadd evaluate --bundle``, the commands of a receiving hospital."""

import json
import os
import pty
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

import iadd
from iadd.bundle.bundle import open_bundle, write_bundle
from iadd.cli import app
from iadd.cli.class_maps import NotConfirmedError, confirm_class_maps, read_class_maps
from iadd.config import Config
from iadd.sharing.class_map import ClassMapError
from tests.iadd.factories import make_distilled

REPORT = {
    "dataset": {"name": "Another hospital"},
    "versions": {"iadd-exchange": "0.1.0"},
    "utility": {
        row: {
            name: {"mean": None, "std": None, "n": 0} for name in ("balanced_accuracy", "accuracy")
        }
        for row in ("distilled", "random", "full")
    },
    "privacy": {"statement": "Not refuted."},
}


def write(path: Path, config: Config, classes: tuple[str, str], size: int = 16) -> Path:
    made = make_distilled(config, classes=classes, size=size)
    write_bundle(path, made, report_html=b"<!doctype html>", report_json=REPORT)
    return path


@pytest.fixture
def bundle(tmp_path: Path, config: Config) -> Path:
    return write(tmp_path / "release.zip", config, ("No Finding", "[red]COVID-19"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Sixty pictures in two classes of one's own, the second with a bright corner."""
    generator = torch.Generator().manual_seed(0)
    for name in ("Normal", "covid"):
        (tmp_path / "own" / name).mkdir(parents=True)
        for number in range(30):
            pixels = torch.randint(0, 120, (24, 24), generator=generator)
            if name == "covid":
                pixels[:12, :12] += 100
            picture = Image.fromarray(pixels.to(torch.uint8).numpy())
            picture.save(tmp_path / "own" / name / f"patient-{number}.png")
    return tmp_path / "own"


def run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    assert result.exit_code == code, result.output
    return " ".join(result.output.split())


GIVEN = ("--class-map", "No Finding=Normal", "--class-map", "[red]COVID-19=covid")


def test_the_three_rows_are_printed_and_written(bundle: Path, folder: Path, tmp_path: Path) -> None:
    table, network = tmp_path / "table.json", tmp_path / "network.safetensors"
    said = run(
        *("train", "--bundle", bundle, "--data", folder, *GIVEN),
        *("--out", table, "--network", network, "--set", "evaluation_networks=3"),
    )
    assert "[red]COVID-19" in said, "a class name is not markup"
    assert said.index("own │") < said.index("received │") < said.index("own + received │")
    document = json.loads(table.read_text())
    assert list(document["rows"]) == ["own", "received", "both"]
    assert document["rows"]["own"]["balanced_accuracy"]["n"] == 3
    assert document["received"][0]["name"] == open_bundle(bundle).fingerprint
    assert document["received"][0]["class_map"] == {
        "No Finding": "Normal",
        "[red]COVID-19": "covid",
    }
    assert "patient" not in table.read_text().replace("declared_patients", "")
    kept = iadd.load_network(network)
    assert kept.classes == ("Normal", "covid")
    assert kept.predict(iadd.load_images(folder, 16)).shape == (60, 2)


def test_a_map_that_nobody_confirms_does_nothing(
    bundle: Path, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "table.json"
    said = run("train", "--bundle", bundle, "--data", folder, "--out", out, code=1)
    assert "no clear match" in said
    assert "nothing was done" in said
    assert "--yes" in said
    partly = run("train", "--bundle", bundle, "--data", folder, "--out", out, *GIVEN[:2], code=1)
    assert 'state it yourself: --class-map "[red]COVID-19=…"' in partly
    assert not out.exists()


def test_yes_takes_the_proposal(tmp_path: Path, config: Config, folder: Path) -> None:
    large = write(tmp_path / "large.zip", config, ("No Finding", "COVID-19"), size=32)
    small = write(tmp_path / "small.zip", config, ("normal", "COVID"))
    out = tmp_path / "table.json"
    said = run(
        *("train", "--bundle", small, "--bundle", large, "--data", folder, "--yes", "--out", out),
        *("--own-per-class", 5),
    )
    assert "synonym" in said
    document = json.loads(out.read_text())
    assert [one["image_size"] for one in document["received"]] == [16, 32]
    assert document["config"]["image_size"] == 16
    assert document["rows"]["both"]["received_images"] == 8
    assert document["rows"]["both"]["own_images"] == 10


def test_a_wrong_class_map_is_refused_with_advice(bundle: Path, folder: Path) -> None:
    said = run(
        "train", "--bundle", bundle, "--data", folder, "--class-map", "No Finding=Healthy", code=1
    )
    assert "no such class among yours: they are “Normal”, “covid”" in said
    said = run("train", "--bundle", bundle, "--data", folder, "--class-map", "Nothing", code=1)
    assert "write THEIRS=OURS" in said


def test_without_own_images_a_network_is_trained_and_kept(bundle: Path, tmp_path: Path) -> None:
    network = tmp_path / "network.safetensors"
    said = run("train", "--bundle", bundle, "--network", network)
    assert "No Finding, [red]COVID-19" in said
    assert iadd.load_network(network).classes == ("No Finding", "[red]COVID-19")
    refused = run("train", "--bundle", bundle, code=1)
    assert "Without --data there is nothing to test on" in refused


def test_the_score_of_a_release_holds_figures_and_no_name(
    bundle: Path, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "score.json"
    said = run("evaluate", folder, "--bundle", bundle, *GIVEN, "--out", out)
    fingerprint = open_bundle(bundle).fingerprint
    assert fingerprint in said
    text = out.read_text()
    document = json.loads(text)
    assert document["release"]["fingerprint"] == fingerprint
    assert document["test_images"] == {"Normal": 6, "covid": 6}
    assert set(document["figures"]["balanced_accuracy"]) == {"mean", "std", "n"}
    for name in ("patient", "release.zip", "own", str(tmp_path)):
        assert name not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Give one"),
        (["--bundle", "BUNDLE", "--distilled", "BUNDLE"], "Give one"),
        (["--bundle", "BUNDLE", "--baselines"], "iadd train"),
        (["--distilled", "BUNDLE", "--yes"], "are for a received --bundle"),
        (["--bundle", "BUNDLE"], "nothing was done"),
    ],
)
def test_what_does_not_go_together_is_said(
    bundle: Path, folder: Path, arguments: list[str], said: str
) -> None:
    typed = [str(bundle) if word == "BUNDLE" else word for word in arguments]
    assert said in run("evaluate", folder, *typed, code=1)


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A terminal as standard input: what is written to it was typed."""
    typed, read = pty.openpty()
    with os.fdopen(read, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield typed
    os.close(typed)


def test_somebody_at_a_terminal_is_asked(keyboard: int) -> None:
    theirs, ours = [("healthy", "odd")], ("Normal", "Ill")
    os.write(keyboard, b"y\n")
    (confirmed,) = confirm_class_maps(["a.zip"], theirs, ours, [], yes=False)
    assert confirmed == {"healthy": "Normal", "odd": None}
    os.write(keyboard, b"n\n")
    with pytest.raises(NotConfirmedError, match="nothing was done"):
        confirm_class_maps(["a.zip"], theirs, ours, [], yes=False)
    # A class map stated in full needs no confirmation.
    said = ["healthy=", "odd=Ill"]
    assert confirm_class_maps(["a.zip"], theirs, ours, said, yes=False) == [
        {"healthy": None, "odd": "Ill"}
    ]


def test_a_map_may_be_for_one_of_several_bundles() -> None:
    theirs = [("Pneumonia", "a=b"), ("Pneumonia", "x")]
    said = read_class_maps(["2:Pneumonia=Viral", "Pneumonia=Any", "a=b=c", "x="], theirs)
    assert said == [{"Pneumonia": "Any", "a=b": "c"}, {"Pneumonia": "Any", "x": None}]
    said = read_class_maps(["Pneumonia=Any", "2:Pneumonia=Viral"], theirs)
    assert [one["Pneumonia"] for one in said] == ["Any", "Viral"]
    with pytest.raises(ClassMapError, match="for bundle 3, and there are 2"):
        read_class_maps(["3:x=y"], theirs)
