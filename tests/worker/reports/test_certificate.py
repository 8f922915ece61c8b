"""The certificate: what a reader outside the organisation learns, for each verdict."""

import json
from dataclasses import replace
from typing import Any

import pytest
import torch

from iadd.privacy.membership import TwinScores
from iadd.privacy.report import PrivacyReport
from tests.worker.reports.audits import AUDITS
from tests.worker.reports.read_formats import letters_of_page, letters_of_pdf, squeezed
from tests.worker.reports.sources import MakeSource
from worker.reports import (
    certificate_json,
    compose_certificate,
    record_scores,
    render_html,
    render_pdf,
    report_json,
)
from worker.reports import privacy_words as words
from worker.reports.nearest import nearest_of_class

SHA256 = "0123456789abcdef" * 4


@pytest.fixture
def document(make_source: MakeSource) -> dict[str, Any]:
    return report_json(replace(make_source(("a", "b")), randomness="secret"))


def certificate_of(document: dict[str, Any], audit: PrivacyReport) -> dict[str, Any]:
    changed = {**document, "privacy": json.loads(json.dumps(audit.to_dict()))}
    return certificate_json(changed, tensors_sha256=SHA256)


@pytest.mark.parametrize(
    ("verdict", "sentence", "outcomes"),
    [
        ("refuted", "recognises 36% of the images", ["found", "nothing_found", "inconclusive"]),
        (
            "inconclusive",
            "up to 9% of the images used in training might be recognised",
            ["inconclusive", "nothing_found", "inconclusive"],
        ),
        (
            "not_refuted",
            "no attack tried recognises more than 2.1% of the patients",
            ["below_limit", "nothing_found", "below_limit"],
        ),
        (
            "proven",
            "no attack whatever recognises more than 20% of the patients",
            ["bounded", "bounded", "bounded"],
        ),
    ],
)
def test_the_first_screen_answers_the_three_questions(
    document: dict[str, Any], verdict: str, sentence: str, outcomes: list[str]
) -> None:
    certificate = certificate_of(document, AUDITS[verdict])
    assert certificate["verdict"] == verdict
    assert sentence in certificate["sentence"]
    names = [row["name"] for row in certificate["questions"]]
    assert names == ["singling_out", "linkability", "inference"]
    assert [row["outcome"] for row in certificate["questions"]] == outcomes
    assert "no claim of compliance" in certificate["no_claim"]
    assert "164.514(b)(1)" in certificate["no_claim"]
    assert "anonym" not in json.dumps(certificate).lower()


def test_page_and_paper_say_the_same_and_the_bytes_are_equal(document: dict[str, Any]) -> None:
    certificate = certificate_of(document, AUDITS["not_refuted"])
    report = compose_certificate(json.loads(json.dumps(certificate)))
    page, paper = render_html(report), render_pdf(report)
    assert (render_html(report), render_pdf(report)) == (page, paper)
    for letters in (letters_of_page(page), letters_of_pdf(paper)):
        for said in (
            certificate["sentence"],
            certificate["power"]["sentence"],
            certificate["decision"],
            *(row["probability"] for row in certificate["questions"]),
            *certificate["versions"].values(),
            "This is audit number 2 of this dataset.",
            "published nowhere",
            "shifted by 8 pixels",
        ):
            assert squeezed(said) in letters, said
    assert page.count(b"<!-- place: release-decision -->") == 1
    assert b"<script" not in page


def test_an_audit_without_attacks_says_that_it_knows_little(document: dict[str, Any]) -> None:
    """As documents of earlier versions are."""
    old = {
        name: value
        for name, value in AUDITS["not_refuted"].to_dict().items()
        if name not in ("attacks", "power", "proof", "leak_limit", "unit", "attempts")
    }
    certificate = certificate_json({**document, "privacy": old}, tensors_sha256=SHA256)
    assert "is unknown" in certificate["sentence"]
    assert certificate["questions"][2]["outcome"] == "not_measured"
    assert "membership inference on the whole pipeline" in certificate["not_tried"]
    page = letters_of_page(render_html(compose_certificate(certificate)))
    assert squeezed("Membership attacks: not run.") in page


def test_what_was_missed_and_not_tried_is_named(document: dict[str, Any]) -> None:
    listed = " ".join(certificate_of(document, AUDITS["inconclusive"])["not_tried"])
    assert "contrast 0.3" in listed
    assert "attribute inference" in listed
    assert "(RMIA)" in listed
    assert "(LiRA)" not in listed


def test_a_proof_that_an_audit_contradicts_is_a_leak(document: dict[str, Any]) -> None:
    audit = AUDITS["proven"]
    assert audit.proof is not None
    broken = replace(audit, verdict="refuted", proof=replace(audit.proof, audited_epsilon=3.4))
    certificate = certificate_of(document, broken)
    assert "the proof does not hold" in certificate["sentence"]
    assert "bounded" not in [row["outcome"] for row in certificate["questions"]]


def test_power_of_smaller_runs_is_none() -> None:
    audit = AUDITS["not_refuted"]
    assert audit.power is not None
    reduced = replace(audit, power=replace(audit.power, reduced=True)).to_dict()
    assert words.power_sentence(reduced).startswith("Power: none for this set.")
    assert not words.has_power(reduced)


@pytest.mark.parametrize(
    ("epsilon", "largest"), [(0.0, 0.01), (1.0, 0.027), (3.0, 0.201), (8.0, 0.99967), (1000.0, 1.0)]
)
def test_the_bound_of_a_proof_is_that_of_the_theorem(epsilon: float, largest: float) -> None:
    assert words.tpr_bound({"epsilon": epsilon, "delta": 0.0}) == pytest.approx(largest, rel=0.01)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "0%"), (0.0004, "under 0.1%"), (0.0123, "1.2%"), (0.05, "5%"), (0.36, "36%")],
)
def test_shares_are_short(share: float, text: str) -> None:
    assert words.percent(share) == text


def test_the_nearest_image_is_found_whatever_its_contrast() -> None:
    generator = torch.Generator().manual_seed(0)
    training = torch.randint(0, 256, (6, 1, 16, 16), generator=generator).to(torch.uint8)
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    faded = (training[[2, 5]].float() * 0.3 + 90).to(torch.uint8)
    found = nearest_of_class(faded, torch.tensor([0, 1]), training, labels)
    assert found.tolist() == [2, 5]
    other_class = nearest_of_class(faded[:1], torch.tensor([1]), training, labels)
    assert other_class.item() in (3, 4, 5)
    assert nearest_of_class(faded[:1], torch.tensor([2]), training, labels).item() == -1


def test_scores_of_records_compare_runs_with_and_without() -> None:
    bits = torch.tensor([[1, 1], [1, 1], [0, 1], [0, 1]], dtype=torch.bool)
    phi = torch.tensor([[3.0, 1.0], [5.0, 1.0], [1.0, 1.0], [-1.0, 1.0]])
    twins = [
        TwinScores(
            number=number,
            key="k",
            classes=("a", "b"),
            bits=bits[number],
            labels=torch.tensor([1, 0]),
            signals={"phi": phi[number]},
            population=torch.zeros(1),
        )
        for number in range(4)
    ]
    (record,) = record_scores(twins)
    assert (record.number, record.class_name) == (0, "b"), "the other one was never out"
    assert (record.mean_in, record.mean_out) == (4.0, 0.0)
    assert record.separation == pytest.approx(4 / 2**0.5)
    assert record_scores([]) == ()
