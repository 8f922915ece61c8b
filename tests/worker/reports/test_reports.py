"""The report of a real, tiny run: the contract's document, and a page that stands alone."""

import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch

import iadd
from app.releases.seal import verify_bundle
from iadd.bundle import load_bundle, write_bundle
from iadd.config import Config
from iadd.imageset import SPLITS, ImageSet
from iadd.privacy import audit
from iadd.scores import Evaluation
from worker.reports import ReportSource, render_report, report_json, sentences, software_versions
from worker.reports.document import POINTS
from worker.reports.page import SHOWN

HOSTILE = "<script>alert('x')</script>&\"'"


def make_images() -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    count = 90
    coarse = torch.rand(count, 1, 4, 4, generator=generator)
    images = torch.nn.functional.interpolate(coarse, size=(16, 16), mode="bicubic").clamp(0, 1)
    labels = torch.arange(count) % 2
    images[labels == 1, :, :8, :8] *= 0.5
    split = torch.tensor([0, 0, 0, 0, 1, 2]).repeat_interleave(2).repeat(8)[:count]
    return ImageSet(
        (images * 255).to(torch.uint8), labels, ("COVID & friends", "Normal"), split.to(torch.int8)
    )


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> ReportSource:
    torch.set_num_threads(1)
    config = Config().override(
        {
            "image_size": 16,
            "depth": 2,
            "width": 4,
            "teachers": 1,
            "teacher_epochs": 3,
            "images_per_class": 6,
            "iterations": 4,
            "syn_steps": 2,
            "expert_epochs": 1,
            "max_start_epoch": 2,
            "validate_every": 2,
            "validation_networks": 1,
            "evaluation_networks": 2,
            "evaluation_epochs": 3,
            "baseline_lrs": [0.01],
            "full_epochs": 1,
        }
    )
    images = make_images()
    teachers = iadd.record_trajectories(images, config, out=tmp_path_factory.mktemp("teachers"))
    distilled = iadd.distill(images, teachers, config)
    evaluations: dict[str, Evaluation] = {
        "distilled": iadd.evaluate(distilled, images, config),
        "random": iadd.evaluate_random(images, config),
        "full": iadd.evaluate_full(images, config),
    }
    counts = {
        name: {split: images.part(split).count_by_class()[name] for split in SPLITS}
        for name in images.classes
    }
    return ReportSource(
        dataset="Nagoya chest X-rays",
        counts=counts,
        distilled=distilled,
        utility={name: evaluation.to_dict() for name, evaluation in evaluations.items()},
        privacy=audit(distilled, images),
        timings={"teaching": 12.4, "distilling": 4000.0},
        versions=software_versions(),
    )


@pytest.fixture(scope="module")
def document(source: ReportSource) -> dict[str, Any]:
    return report_json(source)


@pytest.fixture(scope="module")
def page(source: ReportSource, document: dict[str, Any]) -> str:
    return render_report(source, document).decode()


class _Page(HTMLParser):
    """The elements, what they point at, and the text that people see."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self._open:
            while self._open.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text.append(data)

    def words(self) -> str:
        return " ".join(" ".join(self.text).split())


def test_document_follows_the_contract(document: dict[str, Any]) -> None:
    assert {
        *("dataset", "preset", "images_per_class", "seed", "versions", "timings"),
        *("utility", "networks", "privacy", "curves"),
    } <= set(document)
    for figures in document["utility"].values():
        assert set(figures["accuracy"]) == {"mean", "std", "n"}
        assert {"balanced_accuracy", "macro_f1", "auroc", "confusion"} <= set(figures)
        for row in figures["per_class"].values():
            assert set(row) == {"sensitivity", "specificity", "auroc", "support"}
    assert document["privacy"]["verdict"] in ("refuted", "not_refuted")
    for metric in document["privacy"]["metrics"]:
        assert {"name", "value", "interval", "rule", "outcome"} <= set(metric)
    assert document["networks"]["convnet"]["trained"] == 2


def test_document_is_strict_json(source: ReportSource) -> None:
    """A class without test images has no AUROC; that is null, not NaN."""
    utility = json.loads(json.dumps(source.utility))
    utility["distilled"]["auroc"]["mean"] = math.nan
    utility["full"]["accuracy"]["std"] = math.inf
    document = report_json(replace(source, utility=utility))
    text = json.dumps(document, allow_nan=False)
    assert json.loads(text) == document
    assert document["utility"]["distilled"]["auroc"]["mean"] is None
    assert "–" in render_report(replace(source, utility=utility), document).decode()
    document["utility"]["distilled"]["balanced_accuracy"]["mean"] = None
    assert sentences.worth(document).headline == "It could not be measured"
    render_report(source, document)


def test_nothing_of_single_patients_is_in_the_document(document: dict[str, Any]) -> None:
    assert "initial_images" not in json.dumps(document)
    histogram = document["importance_weights"]["histogram"]
    assert len(histogram["counts"]) < 100
    assert sum(histogram["counts"]) == document["importance_weights"]["parameters"]


def test_long_curves_are_thinned_and_keep_their_ends(source: ReportSource) -> None:
    length = 7000
    history = replace(
        source.distilled.history,
        curves={
            name: [float(i) for i in range(length)] for name in source.distilled.history.curves
        },
    )
    document = report_json(replace(source, distilled=replace(source.distilled, history=history)))
    loss = document["curves"]["loss"]
    assert len(loss) == POINTS
    assert (loss[0], loss[-1]) == (0.0, length - 1.0)


def test_page_stands_alone(page: str) -> None:
    elements = _Page(page).elements
    tags = {tag for tag, _ in elements}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base", "form"}
    for tag, attributes in elements:
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("src", "href", "action"):
                assert (value or "").startswith(("data:image/png;base64,", "#")), (tag, value)
    assert "@import" not in page
    # The one address allowed is the name of the SVG language, which nobody fetches.
    assert set(re.findall(r"https?://[^\s\"'<]+", page)) <= {"http://www.w3.org/2000/svg"}
    assert re.search(r"url\((?!#)", page) is None
    assert "default-src 'none'" in page


def test_page_shows_every_figure_of_the_tables(page: str, document: dict[str, Any]) -> None:
    words = _Page(page).words()
    for figures in document["utility"].values():
        for name in ("balanced_accuracy", "accuracy", "macro_f1", "auroc"):
            assert f"{figures[name]['mean']:.3f}" in words
            assert f"± {figures[name]['std']:.3f}" in words
    for metric in document["privacy"]["metrics"]:
        assert metric["explanation"] in words
        assert metric["rule"] in words
    for control in document["privacy"]["controls"]:
        assert control["description"] in words
    assert "COVID & friends" in words


def test_page_answers_on_its_first_screen(page: str, document: dict[str, Any]) -> None:
    first = page[: page.index("<section>")]
    for question in ("What it is worth", "What it leaks", "What may be done with it"):
        assert question in first
    assert document["privacy"]["statement"].split(":")[0] in first
    assert "For research use. Not a medical device." in first


def test_page_shows_the_distilled_images_and_not_their_starts(
    page: str, source: ReportSource
) -> None:
    pictures = [a for tag, a in _Page(page).elements if tag == "img"]
    assert len(pictures) == len(source.distilled)
    assert source.distilled.initial_images is not None
    other = replace(source.distilled, initial_images=torch.rand_like(source.distilled.images))
    without = replace(source, distilled=other)
    assert render_report(without, report_json(without)).decode() == page


def test_many_images_per_class_are_cut_short(source: ReportSource) -> None:
    wanted = 2 * (SHOWN + 5)
    many = replace(
        source.distilled,
        images=source.distilled.images[:1].expand(wanted, -1, -1, -1),
        labels=torch.arange(wanted) % 2,
    )
    page = render_report(replace(source, distilled=many), report_json(source)).decode()
    assert page.count("<img") == 2 * SHOWN
    assert f"The first {SHOWN} of {SHOWN + 5}" in page


def test_hostile_names_are_text(source: ReportSource) -> None:
    names = (HOSTILE, "{{ 7 * 7 }}")
    renamed = dict(zip(source.distilled.classes, names, strict=True))
    utility = {
        key: {**figures, "per_class": {renamed[n]: v for n, v in figures["per_class"].items()}}
        for key, figures in source.utility.items()
    }
    hostile = replace(
        source,
        dataset=HOSTILE,
        counts={renamed[name]: counts for name, counts in source.counts.items()},
        distilled=replace(source.distilled, classes=names),
        utility=utility,
    )
    parsed = _Page(render_report(hostile, report_json(hostile)).decode())
    assert not any(tag == "script" for tag, _ in parsed.elements)
    assert not any(set(attributes) & {"onerror", "onload"} for _, attributes in parsed.elements)
    assert parsed.words().count(HOSTILE) > 5
    assert "{{ 7 * 7 }}" in parsed.words()


def test_the_same_result_gives_the_same_bundle(tmp_path: Path, source: ReportSource) -> None:
    bundles = []
    for name in ("one.zip", "two.zip"):
        document = report_json(source)
        write_bundle(
            tmp_path / name,
            source.distilled,
            report_html=render_report(source, document),
            report_json=document,
        )
        bundles.append((tmp_path / name).read_bytes())
    assert bundles[0] == bundles[1]
    assert verify_bundle(tmp_path / "one.zip").exit_code == 0
    assert torch.equal(load_bundle(tmp_path / "one.zip").images, source.distilled.images)


def test_plots_take_their_colours_from_the_page(page: str) -> None:
    drawings = re.findall(r"<svg.*?</svg>", page, flags=re.DOTALL)
    # Loss, validation, α, W over the iterations, its spread, and both layer by layer.
    assert len(drawings) == 6
    for drawing in drawings:
        assert "var(--ink)" in drawing or "var(--muted)" in drawing
        assert not re.findall(r"(?:fill|stroke): #(?!none)[0-9a-f]{6}", drawing)
    identifiers = re.findall(r'\bid="([^"]+)"', page)
    assert len(identifiers) == len(set(identifiers))
    for target in re.findall(r'(?:href="#|url\(#)([^")]+)', page):
        assert target in identifiers


@pytest.mark.parametrize(
    ("distilled", "random", "tone", "words"),
    [
        ((0.75, 0.01), (0.70, 0.01), "good", "Better than 12 random real images, by 0.050"),
        ((0.71, 0.01), (0.70, 0.01), "neutral", "No better than 12 random"),
        ((0.60, 0.01), (0.70, 0.01), "bad", "Worse than 12 random real images, by 0.100"),
    ],
)
def test_worth_is_judged_against_the_spread(
    document: dict[str, Any],
    distilled: tuple[float, float],
    random: tuple[float, float],
    tone: str,
    words: str,
) -> None:
    changed = json.loads(json.dumps(document))
    for name, (mean, std) in (("distilled", distilled), ("random", random)):
        changed["utility"][name]["balanced_accuracy"] |= {"mean": mean, "std": std}
    conclusion = sentences.worth(changed)
    assert conclusion.tone == tone
    assert words in conclusion.headline


def test_a_run_that_kept_its_start_says_so(document: dict[str, Any]) -> None:
    kept = "the images that the run started from"
    assert kept in sentences.worth(document | {"best_iteration": 0}).detail
    assert kept not in sentences.worth(document | {"best_iteration": 15}).detail


def test_a_refuted_set_stays_at_home(document: dict[str, Any]) -> None:
    refuted = {**document, "privacy": {**document["privacy"], "verdict": "refuted"}}
    assert sentences.permission(refuted).headline == "It stays in this organisation"
    held = {**document, "privacy": {**document["privacy"], "verdict": "not_refuted"}}
    assert "distances can never clear a release" in sentences.permission(held).detail


def test_no_word_promises_too_much(page: str, document: dict[str, Any]) -> None:
    assert "anonym" not in (page + json.dumps(document)).lower()
