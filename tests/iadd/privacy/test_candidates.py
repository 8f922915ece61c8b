"""A recipient attacks a release with own candidates, of which some were used."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.privacy.candidates import (
    FEWEST,
    attack_with_candidates,
    conformal_p,
    tail_p,
)
from tests.iadd.factories import make_distilled

SIZE, PER_CLASS = 24, 60


def draw(count: int, seed: int) -> Tensor:
    """Pictures with the falling spectrum of natural ones, of a common anatomy: uint8."""
    generator = torch.Generator().manual_seed(seed)
    frequency = torch.fft.fftfreq(SIZE)
    radius = (frequency[:, None] ** 2 + frequency**2).sqrt().clamp(min=1 / SIZE)
    noise = torch.fft.fft2(torch.randn(count, 1, SIZE, SIZE, generator=generator))
    detail = torch.fft.ifft2(noise / radius).real
    anatomy = torch.linspace(60, 160, SIZE).expand(SIZE, SIZE)
    return (anatomy + 35 * detail / detail.std()).round().clamp(0, 255).to(torch.uint8)


def own(seed: int = 0) -> ImageSet:
    labels = torch.arange(2).repeat_interleave(PER_CLASS)
    split = torch.zeros(2 * PER_CLASS, dtype=torch.int8)
    return ImageSet(draw(2 * PER_CLASS, seed), labels, ("plain", "square"), split)


def release(config: Config, pictures: Tensor) -> DistilledDataset:
    """A set of two pictures of each class."""
    made = make_distilled(config, size=SIZE)
    normalisation = Normalisation((0.5,), (0.2,))
    return replace(made, images=normalisation.apply(pictures), normalisation=normalisation)


def test_pictures_that_were_used_stand_out_and_others_do_not(config: Config) -> None:
    mine, others = own(), draw(4, 99)
    noise = 4 * torch.randn(SIZE, SIZE, generator=torch.Generator().manual_seed(1))
    shifted = (mine.images[70].float().roll((1, -2), (1, 2)).flip(-1) + noise).clamp(0, 255)
    others[2] = 255 - shifted.to(torch.uint8)
    report = attack_with_candidates(release(config, others), mine)
    (finding,) = report.standing_out
    assert (finding.row, finding.class_name, finding.nearest_image) == (70, "square", 2)
    assert finding.near_copy_p == pytest.approx(2 / (PER_CLASS // 2 + 1))
    assert report.findings[0] == finding
    assert report.compared == {"plain": PER_CLASS, "square": PER_CLASS}
    copies, means = report.planted
    assert (copies.planted, means.planted) == (6, 32)
    assert copies.found >= 5


def test_members_of_a_mean_get_small_p_values_by_the_matched_filter(config: Config) -> None:
    mine, others = own(), draw(4, 98)
    others[0] = mine.images[:16].float().mean(dim=0).round().to(torch.uint8)
    report = attack_with_candidates(release(config, others), mine)
    rank = {f.row: f.matched_filter_p for f in report.findings if f.class_name == "plain"}
    members = torch.tensor([rank[n] for n in range(16)])
    rest = torch.tensor([rank[n] for n in range(16, PER_CLASS)])
    assert (members[:, None] < rest).float().mean() > 0.85


@pytest.mark.slow
@pytest.mark.long
def test_unrelated_releases_rarely_make_anybody_stand_out(config: Config) -> None:
    """At most one in twenty by design; measured over forty releases."""
    alarms = 0
    for seed in range(40):
        mine = own(seed)
        alarms += bool(
            attack_with_candidates(release(config, draw(4, 1000 + seed)), mine).standing_out
        )
    assert alarms <= 5, "Binomial(40, 0.05) is above 5 with probability 0.014"


def test_too_few_candidates_say_nothing(config: Config) -> None:
    mine = own()
    few = mine.take(torch.cat([torch.arange(PER_CLASS), torch.arange(PER_CLASS, PER_CLASS + 20)]))
    pictures = draw(4, 99)
    pictures[2] = mine.images[PER_CLASS]
    report = attack_with_candidates(release(config, pictures), few)
    assert report.too_few == ("square",)
    assert not report.standing_out
    assert FEWEST > 20


def test_conformal_p_values_are_ranks() -> None:
    assert conformal_p(torch.tensor([3.0, 1.0, 2.0, 2.0])).tolist() == [0.25, 1.0, 0.75, 0.75]


def test_tail_p_values_are_right_for_exponential_and_careful_for_normal_scores() -> None:
    n = 20_000
    uniform = (torch.arange(n) + 0.5) / n
    exponential = -torch.log1p(-uniform.double())
    p = tail_p(exponential)
    at = int(0.999 * n)
    assert 1 <= p[at].item() / (1 - uniform[at].item()) < 1.25
    normal = math.sqrt(2) * torch.erfinv(2 * uniform.double() - 1)
    assert (tail_p(normal)[at:] >= 1 - uniform[at:].double()).all()
