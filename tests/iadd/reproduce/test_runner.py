"""A study runs every row with every seed, resumes when interrupted, and stores its figures."""

import json
from pathlib import Path

import pytest

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.presets import cpu_small, paper_covid_cxr
from iadd.reproduce.report import write_report
from iadd.reproduce.run_record import RunRecord, StudyError
from iadd.reproduce.runner import StudyProgress, run_study
from iadd.reproduce.study import STUDIES, Row, Study
from iadd.reproduce.summary import FIGURES, Difference, summarise
from iadd.reproduce.tables import explain, fairness_cells
from iadd.runtime.environment import describe_environment
from tests.iadd.factories import make_images

SMALL = Study(
    name="small",
    title="A small study",
    rows=(
        Row(name="iadd"),
        Row(name="mtt", settings={"method": "mtt"}),
        Row(name="herding", kind="herding"),
        Row(name="forgetting", kind="forgetting"),
        Row(name="centres", kind="centres"),
        Row(name="start", kind="start"),
        Row(name="dm", settings={"method": "dm", "teachers": 1, "lr_img": 1.0}),
        Row(name="random", kind="random"),
        Row(name="full", kind="full"),
    ),
    reference="mtt",
    robust=True,
)

ROWS_OF_KINDS = {"iadd": "distilled", "random": "random", "full": "full"}


class StopHereError(Exception):
    """Raised from a listener, as a killed study would stop."""


@pytest.fixture(scope="module")
def study_config(config: Config) -> Config:
    return config.override({"initialisation": "noise", "iterations": 2, "validate_every": 2})


@pytest.fixture(scope="module")
def finished(
    study_config: Config, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[RunRecord], Path]:
    """The small study with two seeds, and its folder."""
    folder = tmp_path_factory.mktemp("study")
    records = run_study(
        SMALL, make_images(), study_config, out=folder, seeds=2, architectures=["ConvNetD3"]
    )
    return records, folder


@pytest.mark.slow
def test_every_row_runs_with_every_seed_on_shared_teachers(
    finished: tuple[list[RunRecord], Path],
) -> None:
    records, folder = finished
    assert [(r.row.name, r.seed) for r in records] == [
        *(
            (name, seed)
            for name in (
                *("iadd", "mtt", "herding", "forgetting", "centres", "start", "dm", "random"),
            )
            for seed in (0, 1)
        ),
        ("full", 0),
    ]
    by_row = {(r.row.name, r.seed): r for r in records}
    assert set(by_row["iadd", 0].networks) == {"ConvNetD2", "ConvNetD3"}
    assert set(by_row["herding", 0].networks) == {"ConvNetD2"}
    assert len(list((folder / "teachers").glob("*.safetensors"))) == 2
    assert by_row["iadd", 1].config.seed == 1
    for record in records:
        # α was learned; every other row has searched a rate of its own, with and without.
        figures = record.networks["ConvNetD2"]
        searched = figures.get("lr_search") or record.lr_search
        assert bool(searched) == (record.row.kind != "distilled")
        assert not searched or figures["lr"] == searched["best"]
        assert record.unaugmented["lr"] == record.unaugmented["lr_search"]["best"]
    assert (folder / "iadd" / "seed-1" / "distilled.safetensors").exists()
    plots = {path.name for path in (folder / "iadd" / "seed-0" / "plots").iterdir()}
    assert {
        "history.svg",
        "by-dimension.svg",
        "by-layer.svg",
        "weight-against-difference.png",
    } <= plots


@pytest.mark.slow
def test_an_interrupted_study_repeats_nothing_that_is_done(
    images: ImageSet, study_config: Config, tmp_path: Path
) -> None:
    two = Study(name="two", title="Two rows", rows=SMALL.rows[:2], reference="mtt")
    undisturbed = run_study(two, images, study_config, out=tmp_path / "a", architectures=[])

    def stop(report: StudyProgress) -> None:
        if report.done == 1 and report.progress and report.progress.done == 1:
            raise StopHereError

    with pytest.raises(StopHereError):
        run_study(two, images, study_config, out=tmp_path / "b", architectures=[], on_progress=stop)
    kept = (tmp_path / "b" / "iadd" / "seed-0" / "distilled.safetensors").stat().st_mtime_ns
    resumed = run_study(two, images, study_config, out=tmp_path / "b", architectures=[])
    assert [r.networks for r in resumed] == [r.networks for r in undisturbed]
    after = (tmp_path / "b" / "iadd" / "seed-0" / "distilled.safetensors").stat().st_mtime_ns
    assert after == kept


@pytest.mark.slow
def test_another_setting_or_another_data_set_is_refused_in_the_same_folder(
    images: ImageSet, study_config: Config, tmp_path: Path
) -> None:
    one = Study(name="one", title="One row", rows=SMALL.rows[:1], reference="iadd")
    run_study(one, images, study_config, out=tmp_path, architectures=[])
    with pytest.raises(StudyError, match="other settings"):
        run_study(
            one, images, study_config.override({"lr_img": 2.0}), out=tmp_path, architectures=[]
        )
    others = ImageSet(255 - images.images, images.labels, images.classes, images.split)
    with pytest.raises(StudyError, match="other images"):
        run_study(one, others, study_config, out=tmp_path, architectures=[])


@pytest.mark.slow
def test_the_report_tells_figures_settings_and_machine(
    finished: tuple[list[RunRecord], Path], images: ImageSet, study_config: Config, tmp_path: Path
) -> None:
    records, _ = finished
    lines = summarise(SMALL, records)
    write_report(
        SMALL,
        lines,
        images,
        study_config,
        describe_environment("cpu", "iadd reproduce small"),
        tmp_path,
    )
    page = (tmp_path / "table.md").read_text()
    assert "iadd reproduce small" in page
    assert all(f"| {row.name} |" in page for row in SMALL.rows)
    assert "| trained on | rate | without augmentation | LRS | ARS |" in page
    document = json.loads((tmp_path / "results.json").read_text())
    assert document["environment"]["device"] == "cpu"
    assert len(document["runs"]) == len(records) == 17
    rows = {row["row"]: row for row in document["rows"]}
    assert 0 <= rows["iadd"]["scores"]["accuracy"]["lrs"] <= 1
    assert rows["random"]["scores"]["accuracy"]["ars"] == pytest.approx(0.26894, abs=1e-5)
    assert rows["full"]["scores"] == {}
    assert rows["full"]["rates"][0]["lr"] > 0


def test_spreads_over_seeds_and_networks_are_told_apart(tmp_path: Path) -> None:
    def record(row: Row, seed: int, mean: float, std: float) -> RunRecord:
        spread = {"mean": mean, "std": std, "n": 5}
        figures = dict.fromkeys(("accuracy", "balanced_accuracy", "macro_f1", "auroc"), spread)
        return RunRecord(
            row,
            seed,
            Config().override({"seed": seed}),
            tmp_path,
            {"ConvNetD5": {**figures, "training_images": 9, "lr": 0.01}},
        )

    iadd, mtt = SMALL.rows[:2]
    study = Study(name="two", title="Two rows", rows=(iadd, mtt), reference="mtt")
    lines = summarise(
        study,
        [
            record(iadd, 0, 0.8, 0.02),
            record(iadd, 1, 0.7, 0.04),
            record(mtt, 0, 0.7, 0.0),
            record(mtt, 1, 0.64, 0.0),
        ],
    )
    figure = lines[0].networks["ConvNetD5"]["balanced_accuracy"]
    assert figure.mean == pytest.approx(0.75)
    assert figure.over_networks == pytest.approx(0.03)
    assert figure.over_seeds == pytest.approx(0.0707, abs=1e-4)
    difference = lines[0].against_reference["balanced_accuracy"]
    assert difference.mean == pytest.approx(0.08)
    assert difference.interval == pytest.approx((-0.1741, 0.3341), abs=1e-4)
    assert not difference.proven
    assert str(difference) == "+0.080 (-0.174 to +0.334)"


def test_rows_are_scored_by_the_random_images_of_their_seed(tmp_path: Path) -> None:
    def record(row: Row, seed: int, augmented: float, plain: float, at_end: bool) -> RunRecord:
        figures, unaugmented = (
            {name: {"mean": mean, "std": 0.0, "n": 5} for name in FIGURES}
            for mean in (augmented, plain)
        )
        return RunRecord(
            row,
            seed,
            Config().override({"seed": seed}),
            tmp_path,
            networks={"ConvNetD5": {**figures, "training_images": 9, "lr": 0.01}},
            unaugmented=unaugmented,
            lr_search={"best": 0.01, "tried": [0.003, 0.01], "at_end": at_end},
        )

    iadd, random, full = (Row(name=n, kind=k) for n, k in ROWS_OF_KINDS.items())
    study = Study(
        name="three", title="Three", rows=(iadd, random, full), reference="random", robust=True
    )
    lines = summarise(
        study,
        [
            record(iadd, 0, 0.7, 0.5, False),
            record(iadd, 1, 0.6, 0.6, True),
            record(random, 0, 0.5, 0.4, False),
            record(random, 1, 0.6, 0.6, False),
            record(full, 0, 0.9, 0.9, False),
        ],
    )
    # Seed 0: a = (0.2 − 0.2)/2 = 0, b = (0.2 + 0.1)/2 = 0.15; seed 1: a = (0 − 0.3)/2, b = 0.
    score = lines[0].scores["accuracy"]
    assert score.lrs == pytest.approx((0.268941 + 0.209677) / 2, abs=1e-5)
    assert score.ars == pytest.approx((0.337796 + 0.268941) / 2, abs=1e-5)
    assert lines[1].scores["accuracy"].ars == pytest.approx(0.268941, abs=1e-5)
    assert lines[2].scores == {}
    heading, first, *_ = fairness_cells(study, lines)
    assert heading == ["trained on", "rate", "without augmentation", "LRS", "ARS"]
    assert first == ["iadd", "0.01, 0.01 (end)", "0.550 ± 0.000 / 0.071", "0.239", "0.303"]
    assert any("(end): the best rate" in note for note in explain(study, lines, ("a", "b")))


def test_a_difference_is_proven_where_its_interval_leaves_out_nothing() -> None:
    assert Difference(0.02, (0.01, 0.03), 10).proven
    assert Difference(-0.02, (-0.03, -0.01), 10).proven
    assert not Difference(0.02, None, 1).proven
    assert str(Difference(0.02, (0.01, 0.03), 10)) == "+0.020 (+0.010 to +0.030, proven)"


def test_the_rows_of_every_study_fit_the_papers_preset_and_a_small_one() -> None:
    for study in STUDIES.values():
        for base in (paper_covid_cxr(), cpu_small()):
            configs = [row.config(base, seed=3) for row in study.rows]
            assert {config.seed for config in configs} == {3}
        assert study.reference in {row.name for row in study.rows}


@pytest.mark.slow
def test_a_run_that_its_settings_end_is_told_and_the_others_go_on(
    images: ImageSet, study_config: Config, tmp_path: Path
) -> None:
    wild = {"lr_img": 1e9, "syn_lr": 10.0, "iterations": 50, "validate_every": 0}
    wild["image_format"] = "float"
    study = Study(
        name="wild",
        title="A wild row",
        rows=(Row(name="wild", settings=wild), Row(name="iadd")),
        reference="iadd",
    )
    wild_run, calm_run = run_study(study, images, study_config, out=tmp_path, architectures=[])
    assert "diverged" in wild_run.failure
    assert not wild_run.networks
    assert calm_run.networks
    lines = summarise(study, [wild_run, calm_run])
    assert [line.row.name for line in lines] == ["iadd"]
    assert any(
        "wild, seed 0, has no figures" in note and "Lower syn_lr" in note
        for note in explain(study, lines, images.classes, [wild_run])
    )
