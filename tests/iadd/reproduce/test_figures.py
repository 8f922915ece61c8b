import json
from pathlib import Path

import pytest

from iadd.reproduce.figures import draw_figures, minutes_figure, per_class_figure, read_points
from iadd.reproduce.run_record import StudyError


def write_study(folder: Path, per_class: int, rows: dict[str, list[float]]) -> Path:
    """A finished study as `write_report` leaves it, of so many seeds for each row."""
    folder.mkdir()
    own = {"transfer": 42}
    runs = [
        {
            "row": row,
            "config": {"distillation": {"images_per_class": own.get(row, per_class)}},
            "networks": {"ConvNetD5": {"balanced_accuracy": {"mean": one, "std": 0.02, "n": 5}}},
        }
        for row, means in rows.items()
        for one in means
    ]
    document = {
        "config": {"distillation": {"images_per_class": per_class}, "image_size": 112},
        "rows": [
            {"row": row, "network": "ConvNetD5", "seconds": 120.0 * len(means)}
            for row, means in rows.items()
        ],
        "runs": runs,
    }
    (folder / "results.json").write_text(json.dumps(document))
    return folder


@pytest.fixture
def studies(tmp_path: Path) -> list[Path]:
    return [
        write_study(tmp_path / "one", 1, {"iadd": [0.6], "random": [0.45, 0.5, 0.55]}),
        write_study(tmp_path / "ten", 10, {"iadd": [0.78], "random": [0.7], "full": [0.86]}),
    ]


def test_a_point_is_the_mean_over_seeds_with_its_interval(studies: list[Path]) -> None:
    points = {(point.row, point.images_per_class): point for point in read_points(studies)}
    random = points["random", 1]
    assert random.accuracy == pytest.approx(0.5)
    assert random.minutes == 2.0
    # Student's t with two degrees of freedom: 4.303 · 0.05 / √3.
    assert random.interval == pytest.approx((0.3758, 0.6242), abs=1e-4)
    # With one seed, over its five networks: 2.776 · 0.02 / √5.
    assert points["iadd", 1].interval == pytest.approx((0.5752, 0.6248), abs=1e-4)


def test_a_curve_joins_the_studies_and_everything_is_a_line(studies: list[Path]) -> None:
    points = read_points(studies)
    (axes,) = per_class_figure(points).axes
    curves = {container.get_label(): container for container in axes.containers}
    assert set(curves) == {"iadd", "random"}
    assert curves["iadd"].lines[0].get_xdata().tolist() == [1, 10]
    assert [text.get_text() for text in axes.texts] == ["all images, 112×112"]
    (axes,) = minutes_figure(points).axes
    assert "minutes" in axes.get_xlabel()


def test_a_row_stands_at_its_own_number_of_images(tmp_path: Path) -> None:
    study = write_study(tmp_path / "study", 20, {"iadd": [0.8], "transfer": [0.6]})
    sizes = {point.row: point.images_per_class for point in read_points([study])}
    assert sizes == {"iadd": 20, "transfer": 42}


def test_pictures_are_drawn_as_svg_and_png(studies: list[Path], tmp_path: Path) -> None:
    files = draw_figures(read_points(studies), tmp_path / "out")
    assert [path.name for path in files] == [
        "accuracy-by-images.svg",
        "accuracy-by-images.png",
        "accuracy-by-minutes.svg",
        "accuracy-by-minutes.png",
    ]
    assert all(path.stat().st_size > 1000 for path in files)


def test_a_folder_without_a_finished_study_is_named(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="Nothing was drawn"):
        read_points([tmp_path])
