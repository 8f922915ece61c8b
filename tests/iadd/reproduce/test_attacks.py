"""The study of privacy attacks every row, and says which of them tell nothing."""

import json
from pathlib import Path

import pytest
import torch

from iadd.config import Config
from iadd.presets import cpu_small
from iadd.reproduce.attacks import (
    Attacked,
    RunAttacks,
    attack_cells,
    attack_notes,
    attacks_by_row,
)
from iadd.reproduce.report import to_page
from iadd.reproduce.runner import run_study
from iadd.reproduce.study import PRIVACY, Row, Study
from iadd.reproduce.summary import summarise
from iadd.runtime.environment import describe_environment
from tests.iadd.factories import make_images


def test_an_attack_is_measured_by_area_and_share_found() -> None:
    others = torch.arange(100.0)
    attacked = Attacked.of("release", torch.tensor([200.0, 98.5, 50.0, 0.0]), others)
    assert attacked.auc == pytest.approx((1 + 0.99 + 0.505 + 0.005) / 4)
    # One of a hundred others may lie above the threshold.
    assert attacked.tpr == 0.5
    assert attacked.auc_interval[0] < 0.5
    assert Attacked.of("release", torch.full((50,), 200.0), others).auc_interval[0] > 0.5


def test_every_row_of_the_study_fits_the_presets_that_may_be_released() -> None:
    names = [row.name for row in PRIVACY.rows]
    assert {"real", "k_mean", "public", "dp_mean", "noise", "dp-8", "dp-1", "subset"} <= set(names)
    by_name = {row.name: row.config(cpu_small(), seed=0) for row in PRIVACY.rows}
    assert by_name["noise-threefold"].distillation.iterations == 1500
    assert by_name["dp-3"].protection.epsilon == 3
    assert by_name["dp-3"].teacher_key() == by_name["teacher-dp-3"].teacher_key()


@pytest.mark.slow
def test_starts_of_single_images_are_found_and_others_are_not(
    config: Config, tmp_path: Path
) -> None:
    wanted = ("real", "noise", "subset", "teacher")
    study = Study(
        name="privacy",
        title="Small",
        rows=tuple(row for row in PRIVACY.rows if row.name in wanted),
        reference="noise",
        attacked=True,
    )
    settings = config.override({"iterations": 2, "validate_every": 2})
    images = make_images(per_class=180)
    records = run_study(study, images, settings, out=tmp_path, architectures=[])
    found = attacks_by_row(records)
    assert set(found) == set(wanted)
    by_attack = {one.attack: one for one in found["real"].attacks}
    assert by_attack["start"].auc > 0.95
    assert by_attack["start"].members == 4
    subset = {one.attack: one for one in found["subset"].attacks}
    assert subset["release"].auc > 0.95
    assert not found["subset"].tells_nothing
    assert [one.attack for one in found["teacher"].attacks] == ["confidence"]
    written = (tmp_path / "noise" / "seed-0" / "attacks.json").stat().st_mtime_ns
    again = run_study(study, images, settings, out=tmp_path, architectures=[])
    assert attacks_by_row(again) == found
    assert (tmp_path / "noise" / "seed-0" / "attacks.json").stat().st_mtime_ns == written
    lines = summarise(study, records)
    page = to_page(study, lines, images, settings, describe_environment("cpu", "iadd reproduce"))
    assert "area under the ROC curve" in page
    assert "An attack finds more than chance" in page
    json.loads((tmp_path / "real" / "seed-0" / "attacks.json").read_text())


def test_the_notes_name_the_best_of_the_rows_that_tell_nothing() -> None:
    chance = Attacked.of("release", torch.arange(50.0), torch.arange(50.0))
    clear = Attacked.of("release", torch.arange(50.0) + 100, torch.arange(50.0))
    silent = RunAttacks(attacks=(chance,), refused=(), metrics=5)
    telling = RunAttacks(attacks=(clear,), refused=(), metrics=5)
    refused = RunAttacks(attacks=(chance,), refused=("Near copies",), metrics=5)
    found = {"k_mean": telling, "noise": silent, "public": silent, "real": refused}
    utility = {"k_mean": 0.7, "noise": 0.6, "public": 0.65, "real": 0.69}
    notes = attack_notes(found, utility)
    assert "k_mean, real" in notes[1]
    assert "public has the highest balanced accuracy, 0.650" in notes[2]
    cells = attack_cells(list(found), found, "tpr")
    assert cells[0] == ["row", "matched filter, pictures", "near copies"]
    assert cells[4][-1] == "1 of 5 refuse"


@pytest.mark.slow
def test_private_teachers_read_through_their_ledger(config: Config, tmp_path: Path) -> None:
    rows = tuple(row for row in PRIVACY.rows if row.name in ("dp-8", "teacher-dp-8"))
    study = Study(name="dp", title="DP", rows=rows, reference="dp-8")
    settings = config.override({"teacher_epochs": 3, "max_start_epoch": 1, "iterations": 2})
    run_study(study, make_images(per_class=60), settings, out=tmp_path, architectures=[])
    (ledger,) = tmp_path.glob("teachers-*/ledger.jsonl")
    assert ledger.read_text().strip()
    assert isinstance(rows[0], Row)
