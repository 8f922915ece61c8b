"""The whole audit on smooth random pictures: it refuses what it must, and nothing else."""

import json
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset, History
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.privacy import PrivacyReport, audit
from iadd.runtime.progress import Progress

SIZE = 32
PER_CLASS = 20


def draw_pictures(count: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 1, 9, 9, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, size=(SIZE, SIZE), mode="bicubic")
    return (fine.clamp(0, 1) * 255).round().to(torch.uint8)


def make_images(training: int = 150, held_out: int = 60) -> ImageSet:
    pictures = draw_pictures(training + held_out, seed=1)
    labels = torch.arange(len(pictures)) % 2
    split = torch.where(torch.arange(len(pictures)) < training, 0, 2).to(torch.int8)
    return ImageSet(pictures, labels, ("a", "b"), split)


def make_distilled(pictures: Tensor, images: ImageSet, initial: Tensor | None) -> DistilledDataset:
    normalisation = Normalisation.of(images.part("train").images)
    return DistilledDataset(
        images=normalisation.apply(pictures),
        labels=torch.arange(len(pictures)) % 2,
        classes=images.classes,
        syn_lr=0.01,
        importance_weights=None,
        history=History(),
        config=Config(),
        normalisation=normalisation,
        initial_images=None if initial is None else normalisation.apply(initial),
        best_iteration=1,
    )


def outcomes(report: PrivacyReport) -> dict[str, str]:
    return {metric.name: metric.outcome for metric in report.metrics}


@pytest.fixture(scope="module")
def images() -> ImageSet:
    return make_images()


@pytest.fixture(scope="module")
def fresh(images: ImageSet) -> PrivacyReport:
    """Pictures of the same kind that nobody was trained on, from starts that are nobody's."""
    pictures = draw_pictures(2 * PER_CLASS, seed=7)
    return audit(make_distilled(pictures, images, initial=draw_pictures(40, seed=8)), images)


def test_fresh_pictures_are_not_refuted(fresh: PrivacyReport) -> None:
    assert fresh.verdict == "not_refuted"
    assert set(outcomes(fresh).values()) == {"passed"}
    assert fresh.counts["held_out"] == 60


def test_both_controls_ran_and_answered_as_they_should(fresh: PrivacyReport) -> None:
    positive, negative = fresh.controls
    assert (positive.name, positive.as_expected) == ("positive", True)
    assert (negative.name, negative.as_expected) == ("negative", True)
    assert set(positive.refused) == set(outcomes(fresh))


def test_not_refuted_is_not_called_a_clearance(fresh: PrivacyReport) -> None:
    assert "can never clear a release" in fresh.statement
    assert "power of this audit is unknown" in fresh.statement


def test_the_report_survives_json(fresh: PrivacyReport) -> None:
    document = json.loads(json.dumps(fresh.to_dict()))
    assert PrivacyReport.from_dict(document) == fresh


def test_it_answers_the_same_twice(images: ImageSet, fresh: PrivacyReport) -> None:
    pictures = draw_pictures(2 * PER_CLASS, seed=7)
    again = audit(make_distilled(pictures, images, initial=draw_pictures(40, seed=8)), images)
    assert again == fresh


def test_retained_starts_are_refuted(images: ImageSet) -> None:
    starts = images.part("train").images[: 2 * PER_CLASS]
    generator = torch.Generator().manual_seed(0)
    drifted = starts.float() + 12 * torch.randn(starts.shape, generator=generator)
    pictures = drifted.round().clamp(0, 255).to(torch.uint8)
    report = audit(make_distilled(pictures, images, initial=starts), images)
    found = outcomes(report)
    assert report.verdict == "refuted"
    assert "must not leave" in report.statement
    assert found["start_retention_pixels"] == "refused"
    assert found["closest_record_pixels"] == "refused"
    assert found["near_copies_embedding"] == "refused"
    assert found["exact_copies"] == "passed"


def test_one_exact_copy_is_refuted(images: ImageSet) -> None:
    pictures = draw_pictures(2 * PER_CLASS, seed=7)
    pictures[11] = images.part("train").images[100]
    report = audit(make_distilled(pictures, images, initial=None), images)
    assert outcomes(report)["exact_copies"] == "refused"
    assert outcomes(report)["start_retention_pixels"] == "no_power"
    assert report.verdict == "refuted"


def test_a_copy_of_a_held_out_image_is_no_leak(images: ImageSet) -> None:
    pictures = draw_pictures(2 * PER_CLASS, seed=7)
    pictures[11] = images.part("test").images[3]
    assert outcomes(audit(make_distilled(pictures, images, None), images))["exact_copies"] == (
        "passed"
    )


def test_an_embedding_that_sees_nothing_has_no_power(images: ImageSet) -> None:
    pictures = draw_pictures(2 * PER_CLASS, seed=7)

    def blind(intensities: Tensor) -> Tensor:
        # Some direction for every image, unrelated to what it shows.
        generator = torch.Generator().manual_seed(int(intensities.sum() * 1000) % 2**31)
        return torch.randn(len(intensities), 64, generator=generator)

    report = audit(make_distilled(pictures, images, draw_pictures(40, seed=8)), images, embed=blind)
    assert outcomes(report)["near_copies_embedding"] == "no_power"
    assert outcomes(report)["start_retention_embedding"] == "no_power"
    assert outcomes(report)["near_copies_ssim"] == "passed"
    assert report.controls[0].as_expected is False
    assert "had no power" in report.statement


def test_few_images_never_pass_the_comparison(images: ImageSet) -> None:
    report = audit(make_distilled(draw_pictures(4, seed=7), images, None), images)
    assert outcomes(report)["closest_record_pixels"] == "no_power"


def test_without_held_out_images_the_comparisons_have_no_power() -> None:
    images = make_images(training=40, held_out=0)
    report = audit(make_distilled(draw_pictures(10, seed=7), images, None), images)
    found = outcomes(report)
    assert {found["closest_record_ssim"], found["near_copies_ssim"]} == {"no_power"}
    assert found["exact_copies"] == "passed"
    assert [control.name for control in report.controls] == ["positive"]


def test_held_out_duplicates_do_not_hide_near_copies(images: ImageSet) -> None:
    """Public sets hold the same picture twice; as a baseline of nearness it would excuse all."""
    train, test = images.part("train").images, images.part("test").images.clone()
    test[:10] = train[:10]
    doubled = replace(images, images=torch.cat([train, test]))
    starts = train[-2 * PER_CLASS :]
    generator = torch.Generator().manual_seed(0)
    near = (starts + 5 * torch.randn(starts.shape, generator=generator)).clamp(0, 255)
    report = audit(make_distilled(near.round().to(torch.uint8), doubled, None), doubled)
    assert report.counts["duplicates"] == 10
    assert outcomes(report)["near_copies_ssim"] == "refused"


def test_it_reports_progress_and_can_be_stopped(images: ImageSet) -> None:
    seen: list[Progress] = []

    class StopError(Exception):
        pass

    def listen(progress: Progress) -> None:
        seen.append(progress)
        if progress.done == 3:
            raise StopError

    with pytest.raises(StopError):
        audit(make_distilled(draw_pictures(6, seed=7), images, None), images, on_progress=listen)
    assert [p.done for p in seen] == [1, 2, 3]
    assert {(p.phase, p.total) for p in seen} == {("auditing", 5)}


def test_nothing_to_audit_is_an_error() -> None:
    images = make_images(training=0, held_out=10)
    with pytest.raises(ValueError, match="at least one"):
        audit(make_distilled(draw_pictures(3, seed=7), images, None), images)


def test_no_word_promises_too_much(fresh: PrivacyReport) -> None:
    assert "anonym" not in json.dumps(fresh.to_dict()).lower()
