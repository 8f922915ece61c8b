"""Three formats, one content: the same numbers in each, and nothing in public that is internal."""

import base64
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from pypdf import PdfReader

from app.signing.verify import read_bundle, verify_bundle
from iadd.bundle.bundle import load_bundle, write_bundle
from iadd.data.distilled_dataset import CURVES
from tests.worker.reports.read_formats import letters_of_page, letters_of_pdf, squeezed
from tests.worker.reports.sources import ODD, MakeSource, with_start
from worker.reports import ReportSource, compose, render_html, render_pdf, report_json
from worker.reports.blocks import Report


def figures_of(document: dict[str, Any]) -> Iterator[str]:
    """What a reader finds of the document's figures, as people read them."""
    for figures in document["utility"].values():
        for name in ("balanced_accuracy", "accuracy", "macro_f1", "auroc"):
            yield f"{figures[name]['mean']:.3f} ± {figures[name]['std']:.3f}"
            yield "{:.3f} to {:.3f}".format(*figures["intervals"][name])
        for row in figures["per_class"].values():
            for name in ("sensitivity", "specificity", "auroc"):
                yield f"{row[name]['mean']:.3f} ± {row[name]['std']:.3f}"
    for metric in document["privacy"]["metrics"]:
        yield metric["explanation"]
        yield metric["rule"]
    for control in document["privacy"]["controls"]:
        yield control["description"]
    for answer in document["conclusions"]:
        yield answer["headline"]
        yield answer["detail"]
    for layer in document["importance_weights"]["layers"]:
        yield f"{layer['mean']:.4g}"
    for name in ("loss", "unweighted_loss", "syn_lr", "weights_mean"):
        yield f"{document['curves'][name][-1]:.4g}"
    for key in ("distilled", "random", "full"):
        for curve in document["roc"][key].values():
            yield f"{curve['mean'][25]:.3f}"
    for package, version in document["versions"].items():
        yield f"{package}"
        yield version
    yield f"{document['recipe']['lr']:.6g}"


def test_page_and_paper_carry_the_numbers_of_the_document(
    document: dict[str, Any], report: Report
) -> None:
    page, paper = letters_of_page(render_html(report)), letters_of_pdf(render_pdf(report))
    figures = list(figures_of(json.loads(json.dumps(document))))
    assert len(figures) > 100
    for figure in figures:
        assert squeezed(figure) in page, figure
        assert squeezed(figure) in paper, figure


def test_a_number_that_changes_changes_in_page_and_paper(
    source: ReportSource, document: dict[str, Any]
) -> None:
    changed = json.loads(json.dumps(document))
    changed["utility"]["distilled"]["accuracy"] |= {"mean": 0.98765, "std": 0.01234}
    report = compose(source, changed)
    assert squeezed("0.988 ± 0.012") in letters_of_page(render_html(report))
    assert squeezed("0.988 ± 0.012") in letters_of_pdf(render_pdf(report))


def test_the_public_report_does_not_depend_on_the_start(
    source: ReportSource, report: Report
) -> None:
    other = with_start(source, 5)
    again = compose(other, report_json(other))
    assert render_html(again) == render_html(report)
    assert render_pdf(again) == render_pdf(report)


def test_the_internal_report_shows_the_start_and_says_that_it_stays(
    source: ReportSource, report: Report, internal: Report
) -> None:
    count = len(source.distilled)
    public_page, page = (render_html(r).decode() for r in (report, internal))
    assert (public_page.count("<img"), page.count("<img")) == (count, 2 * count)
    assert "For use inside the organisation" in page
    assert "For use inside the organisation" not in public_page
    assert "initial image" in "".join(re.findall(r'alt="([^"]*)"', page))
    pictures = [pictures_in(render_pdf(r)) for r in (report, internal)]
    assert pictures == [count, 2 * count]


def test_the_starts_in_the_internal_report_are_those_of_the_run(source: ReportSource) -> None:
    pages = []
    for seed in (1, 1, 2):
        other = with_start(source, seed)
        pages.append(render_html(compose(other, report_json(other), starts=True)))
    assert pages[0] == pages[1] != pages[2]


def pictures_in(pdf: bytes) -> int:
    """Figures with a text alternative that are one of the images."""
    reader = PdfReader(io.BytesIO(pdf))
    alternatives = [
        item["/Alt"]
        for number in reader.xref_objStm | reader.xref[0]
        if isinstance(item := reader.get_object(number), dict) and "/Alt" in item
    ]
    return sum("distilled image" in alt or "initial image" in alt for alt in alternatives)


def test_the_same_result_gives_the_same_bundle_with_the_public_reports(
    tmp_path: Path, source: ReportSource
) -> None:
    for name in ("one.zip", "two.zip"):
        document = report_json(source)
        report = compose(source, document)
        write_bundle(
            tmp_path / name,
            source.distilled,
            report_html=render_html(report),
            report_pdf=render_pdf(report),
            report_json=document,
        )
    content = (tmp_path / "one.zip").read_bytes()
    assert content == (tmp_path / "two.zip").read_bytes()
    assert verify_bundle(tmp_path / "one.zip").exit_code == 0
    assert torch.equal(load_bundle(tmp_path / "one.zip").images, source.distilled.images)
    _, files = read_bundle(content)
    assert files["report.pdf"].startswith(b"%PDF")
    assert b"`report.pdf`" in files["README.md"]
    assert base64.b64encode(files["report.pdf"]) not in files["report.html"]


@pytest.mark.slow
@pytest.mark.parametrize("case", ODD)
def test_odd_runs_have_a_report_too(make_source: MakeSource, case: str) -> None:
    settings = dict(ODD[case])
    names = settings.pop("names")
    odd = make_source(names, **settings)
    document = report_json(odd)
    report = compose(odd, document, starts=True)
    page, paper = letters_of_page(render_html(report)), letters_of_pdf(render_pdf(report))
    for name in names:
        assert squeezed(name) in page
        assert squeezed(name) in paper
    for words in (page, paper):
        assert squeezed("not measured") in words  # no other network was trained
        assert "nan" not in re.sub(r"[a-z]*[a-mo-z]nan|nan[a-z]+", "", words.lower())
        assert "None" not in words


def test_other_networks_are_in_page_and_paper_beside_random_images(
    make_source: MakeSource,
) -> None:
    source = make_source(("a", "b"), evaluation_networks=3)
    across = {
        name: {key: make_source(("a", "b")).utility[key] for key in ("distilled", "random")}
        for name in ("alexnet", "resnet18")
    }
    source = replace(source, networks=across)
    document = report_json(source)
    report = compose(source, document)
    for words in (letters_of_page(render_html(report)), letters_of_pdf(render_pdf(report))):
        for name, title in (("alexnet", "AlexNet"), ("resnet18", "ResNet18")):
            found = document["networks"][name]
            assert squeezed(f"{title}, {found['parameters']:,} parameters") in words
            for figures in (found["utility"], found["random"]):
                for figure in ("balanced_accuracy", "accuracy", "macro_f1", "auroc"):
                    assert squeezed(f"{figures[figure]['mean']:.3f}") in words
        assert squeezed("VGG11") in words
        assert squeezed("Networks that this set was not made for.") in words
        assert squeezed("other networks: 3 of each") in words


def test_a_run_of_which_little_was_kept_says_so(make_source: MakeSource) -> None:
    bare = make_source(("a", "b"))
    bare = replace(
        bare,
        asked_on=None,
        timings={},
        privacy=replace(bare.privacy, verdict="proven", statement="Proven: ε = 3.", controls=()),
        distilled=replace(
            bare.distilled,
            importance_weights=None,
            difference=None,
            initial_images=None,
            history=replace(
                bare.distilled.history,
                curves={name: [1.0, float("nan")] for name in CURVES} | {"iteration": [1.0, 2.0]},
            ),
        ),
    )
    report = compose(bare, report_json(bare), starts=True)
    assert report.internal is None
    for words in (letters_of_page(render_html(report)), letters_of_pdf(render_pdf(report))):
        assert squeezed("Importance weights W: not measured") in words
        assert squeezed("Controls: not measured") in words
        assert squeezed("Proven: ε = 3.") in words
