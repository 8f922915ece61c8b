"""The whole audit on pictures whose answer is known: it refuses what it must, and nothing else."""

import json
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from iadd.data.image_set import ImageSet
from iadd.privacy import Attack, Power, Prepared, PrivacyReport, audit
from iadd.privacy.bench import Bench, Shown
from iadd.privacy.disguises import DISGUISES, disguise
from iadd.privacy.membership import Membership
from iadd.runtime.progress import Progress
from tests.iadd.privacy.textures import average, draw_pictures, make_distilled, make_images


def outcomes(report: PrivacyReport) -> dict[str, str]:
    return {metric.name: metric.outcome for metric in report.metrics}


@pytest.fixture(scope="module")
def images() -> ImageSet:
    """Few, and two distilled images: one stands out from 100 references on."""
    return make_images(training=90, held_out=30)


@pytest.fixture(scope="module")
def handful() -> ImageSet:
    """Too few and too small for any answer, where the question is another one."""
    images = make_images(training=12, held_out=4)
    return replace(images, images=reduced(images.images))


def reduced(pictures: Tensor) -> Tensor:
    """A sixteenth of the pixels, so that registering them takes no time."""
    return pictures[:, :, ::4, ::4].contiguous()


@pytest.fixture(scope="module")
def prepared(images: ImageSet) -> Prepared:
    return Prepared.of(images, torch.tensor([0, 1]))


@pytest.fixture(scope="module")
def fresh(images: ImageSet, prepared: Prepared) -> PrivacyReport:
    """Pictures of the same kind that nobody was trained on, from starts that are nobody's."""
    distilled = make_distilled(draw_pictures(2, seed=7), images, draw_pictures(2, seed=8))
    return audit(distilled, images, attempts=3, prepared=prepared)


def test_fresh_pictures_are_inconclusive_without_attacks(fresh: PrivacyReport) -> None:
    assert fresh.verdict == "inconclusive"
    assert "refused" not in outcomes(fresh).values()
    assert fresh.counts["held_out"] == 30
    assert (fresh.unit, fresh.attempts, fresh.leak_limit) == ("image", 3, 0.05)


def test_the_positive_control_is_a_table_of_disguises(fresh: PrivacyReport) -> None:
    positive = fresh.controls[0]
    doses = {dose.disguise: dose for dose in positive.doses}
    assert set(doses) == {"none", "averaged", *DISGUISES}
    assert [name for name, dose in doses.items() if not dose.found] == []
    assert doses["none"].refused["exact_copies"]
    assert doses["averaged"].refused["contributors_start"]
    assert doses["hidden"].refused["grid"]
    assert doses["offset"].refused["grid"]
    assert not doses["shifted"].refused["grid"]


def test_the_negative_control_is_not_refused(fresh: PrivacyReport) -> None:
    assert fresh.controls[1].name == "negative"
    assert fresh.controls[1].as_expected


def test_the_report_survives_json(fresh: PrivacyReport) -> None:
    document = json.loads(json.dumps(fresh.to_dict()))
    assert PrivacyReport.from_dict(document) == fresh


def test_no_word_promises_too_much(fresh: PrivacyReport) -> None:
    assert "anonym" not in json.dumps(fresh.to_dict()).lower()


@pytest.mark.slow
def test_it_answers_the_same_when_it_prepares_anew(images: ImageSet, fresh: PrivacyReport) -> None:
    start = draw_pictures(2, seed=8)
    again = audit(make_distilled(draw_pictures(2, seed=7), images, start), images, attempts=3)
    assert again == fresh


def test_one_copy_in_disguise_is_refuted(images: ImageSet, prepared: Prepared) -> None:
    pictures = draw_pictures(2, seed=7).float() / 255
    copy = images.part("train").images[[11]].float() / 255
    generator = torch.Generator().manual_seed(0)
    pictures[1] = disguise("turned", copy, pictures[:1], generator)[0]
    distilled = make_distilled((pictures * 255).round().to(torch.uint8), images)
    report = audit(distilled, images, prepared=prepared)
    found = outcomes(report)
    assert report.verdict == "refuted"
    assert found["near_copies_single"] == "refused"
    assert found["exact_copies"] == "passed"
    assert found["contributors_start"] == "no_power"
    assert "must not leave" in report.statement


def test_an_exact_copy_is_refused_and_one_of_a_held_out_image_is_none(
    images: ImageSet, prepared: Prepared
) -> None:
    for split, outcome in (("train", "refused"), ("test", "passed")):
        pictures = draw_pictures(2, seed=7)
        pictures[1] = images.part(split).images[3]
        found = outcomes(audit(make_distilled(pictures, images), images, prepared=prepared))
        assert found["exact_copies"] == outcome
        assert found["registered_copies"] == outcome


def test_pictures_hidden_beside_the_grey_levels_are_refuted(
    images: ImageSet, prepared: Prepared
) -> None:
    hidden = draw_pictures(2, seed=7).float() / 255
    hidden[0] += 0.002 * images.part("train").images[4] / 255
    report = audit(make_distilled(hidden, images), images, prepared=prepared)
    assert outcomes(report)["grid"] == "refused"
    assert report.verdict == "refuted"


@pytest.mark.slow
def test_averages_of_training_images_are_refuted_in_start_and_release() -> None:
    images = make_images(training=100, held_out=60)
    starts, _ = average(images, per_class=2)
    generator = torch.Generator().manual_seed(0)
    spread = float((images.images.float() / 255).std())
    drifted = starts + 0.1 * spread * torch.randn(starts.shape, generator=generator)
    released = (drifted.clamp(0, 1) * 255).round().to(torch.uint8)
    report = audit(make_distilled(released, images, starts), images)
    found = outcomes(report)
    assert found["contributors_start"] == "refused"
    assert found["contributors_release"] == "refused"
    assert found["registered_copies"] == "passed"
    assert "contributors" in report.statement


def test_known_contributors_are_found_where_they_are_lost_among_the_others(
    images: ImageSet, prepared: Prepared
) -> None:
    """Two starts that are training images: two of ninety say nothing unless they are named."""
    train = images.part("train")
    rows = torch.tensor([10, 31])
    distilled = make_distilled(draw_pictures(2, seed=7), images, train.images[rows])
    unnamed = outcomes(audit(distilled, images, prepared=prepared))
    named = audit(distilled, images, contributors=rows, prepared=prepared)
    assert unnamed["contributors_start"] == "passed"
    assert outcomes(named)["contributors_start"] == "refused"
    assert outcomes(named)["contributors_release"] != "refused"
    assert named.verdict == "refuted"
    start = next(metric for metric in named.metrics if metric.name == "contributors_start")
    assert start.value == pytest.approx(1.0, abs=0.01)
    assert "2 images that starts were made of" in start.explanation
    others = audit(distilled, images, contributors=torch.tensor([20, 41]), prepared=prepared)
    assert outcomes(others)["contributors_start"] == "passed"
    # Where all images of a class went into its starts, there are none to compare them with.
    every = audit(distilled, images, contributors=torch.arange(90), prepared=prepared)
    assert outcomes(every)["contributors_start"] == "passed"


@pytest.mark.slow
def test_held_out_duplicates_do_not_hide_near_copies(images: ImageSet) -> None:
    """Public sets hold the same picture twice; as a baseline of nearness it would excuse all."""
    train, test = images.part("train").images, images.part("test").images.clone()
    test[:8] = train[:8]
    doubled = replace(images, images=torch.cat([train, test]))
    pictures = draw_pictures(2, seed=7)
    pictures[0] = train[20].flip(-1)
    report = audit(make_distilled(pictures, doubled), doubled)
    # Each of the pair, where it is compared with the other.
    assert report.counts["duplicates"] >= 8
    assert outcomes(report)["registered_copies"] == "refused"


def test_without_held_out_images_the_comparisons_have_no_power() -> None:
    images = make_images(training=40, held_out=0)
    images = replace(images, images=reduced(images.images))
    report = audit(make_distilled(reduced(draw_pictures(4, seed=7)), images), images)
    found = outcomes(report)
    assert found["closest_record_ssim"] == "no_power"
    assert found["contributors_release"] == "no_power"
    assert found["near_copies_single"] == "no_power"
    assert "200 are needed" in json.dumps(report.to_dict())
    assert found["exact_copies"] == "passed"
    assert [control.name for control in report.controls] == ["positive"]


def test_known_patients_are_asked_for_links(handful: ImageSet) -> None:
    patients = replace(handful, groups=torch.arange(len(handful)) // 3, unit="patient")
    report = audit(make_distilled(reduced(draw_pictures(2, seed=7)), patients), patients)
    assert "reidentification" in outcomes(report)
    assert report.unit == "patient"
    assert "not patients" not in report.statement


def test_an_embedding_may_be_given(handful: ImageSet) -> None:
    def embed(intensities: Tensor) -> Tensor:
        return intensities.flatten(1)

    report = audit(make_distilled(reduced(draw_pictures(2, seed=7)), handful), handful, embed=embed)
    assert report.embedding == "given by the caller"


def test_attacks_with_power_decide(images: ImageSet, prepared: Prepared) -> None:
    attack = Attack(
        name="lira",
        title="LiRA",
        stratum="all",
        auc=0.5,
        auc_interval=(0.48, 0.52),
        tpr=0.01,
        tpr_interval=(0.005, 0.03),
        fpr=0.01,
        p=0.5,
        units=16_000,
        outcome="not_refuted",
    )
    power = Power(
        tpr=0.03,
        fpr=0.01,
        chance=0.8,
        unit="image",
        runs=16,
        units=1000,
        deff=1.0,
        reduced=False,
        tier=2,
    )
    strong = Membership(attacks=(attack,), power=power, explanation="Sixteen runs were attacked.")
    wide = replace(attack, tpr_interval=(0.0, 0.4), outcome="inconclusive")
    weak = Membership(
        attacks=(wide,), power=replace(power, tpr=0.3, runs=1, tier=0), explanation="One run."
    )
    distilled = make_distilled(draw_pictures(2, seed=7), images)
    report = audit(distilled, images, membership=[weak, strong], prepared=prepared)
    assert report.power == power
    assert report.attacks == (attack,)  # the weaker attack of the same set adds nothing
    assert report.verdict == "not_refuted"
    assert "Sixteen runs were attacked." in report.statement
    leak = replace(wide, outcome="refuted")
    leaking = [replace(weak, attacks=(leak,)), strong]
    found = audit(distilled, images, membership=leaking, prepared=prepared)
    assert found.verdict == "refuted"


def test_it_reports_progress_and_can_be_stopped(handful: ImageSet) -> None:
    seen: list[Progress] = []

    class StopError(Exception):
        pass

    def listen(progress: Progress) -> None:
        seen.append(progress)
        if progress.done == 2:
            raise StopError

    with pytest.raises(StopError):
        audit(
            make_distilled(reduced(draw_pictures(2, seed=7)), handful), handful, on_progress=listen
        )
    assert [p.done for p in seen] == [1, 2]
    assert {(p.phase, p.total) for p in seen} == {("auditing", 5)}


def test_what_was_prepared_serves_sets_with_the_same_labels(
    images: ImageSet, prepared: Prepared
) -> None:
    seen: list[Progress] = []
    distilled = make_distilled(draw_pictures(2, seed=7), images)
    audit(distilled, images, prepared=prepared, on_progress=seen.append)
    assert [(p.done, p.total) for p in seen] == [(5, 5)]
    with pytest.raises(ValueError, match="other labels"):
        audit(make_distilled(draw_pictures(3, seed=7), images), images, prepared=prepared)


def test_nothing_to_audit_is_an_error() -> None:
    images = make_images(training=0, held_out=10)
    with pytest.raises(ValueError, match="at least one"):
        audit(make_distilled(draw_pictures(3, seed=7), images), images)


# ------------------------------------------------------------------------ sets of many, which cost


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench.of(make_images(training=420, held_out=140), 9)


def refused(bench: Bench, pictures: Tensor, *, on_grey_levels: bool = True) -> set[str]:
    shown = Shown(pictures, torch.arange(len(pictures)) % 2, None, on_grey_levels)
    return {metric.name for metric in bench.examine(shown) if metric.outcome == "refused"}


@pytest.mark.slow
def test_nine_copies_or_one_among_sixty_in_any_disguise_are_refused(bench: Bench) -> None:
    originals = bench.images[:9].float() / 255
    others = draw_pictures(9, seed=5).float() / 255
    for name, one in DISGUISES.items():
        pictures = disguise(name, originals, others, torch.Generator().manual_seed(0))
        if one.lone:
            pictures = torch.cat([pictures[:1], draw_pictures(59, seed=6).float() / 255])
        assert refused(bench, pictures, on_grey_levels=one.rounded), name


@pytest.mark.slow
@pytest.mark.long
def test_fresh_sets_are_refused_at_most_one_time_in_twenty(bench: Bench) -> None:
    """Forty sets of 9 and two of 60: with a rate of 5%, more than 5 have a chance of 1.4%."""
    alarms = [
        refused(bench, draw_pictures(9 if number < 40 else 60, seed=100 + number).float() / 255)
        for number in range(42)
    ]
    assert sum(map(bool, alarms)) <= 5, alarms
