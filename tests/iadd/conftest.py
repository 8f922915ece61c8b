"""What the library's tests share: tiny sets and settings that take milliseconds."""

import pytest
import torch

from iadd.config import (
    Config,
    DistillationConfig,
    EvaluationConfig,
    NetworkConfig,
    TeacherConfig,
)
from iadd.data.distilled_dataset import DistilledDataset, History
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    # Same results whatever the machine, and no fight for its cores.
    torch.set_num_threads(1)


def make_images(per_class: int = 24, size: int = 16, seed: int = 0) -> ImageSet:
    """Two classes of noise, the second with a bright square; 2 in 3 train, the rest shared."""
    generator = torch.Generator().manual_seed(seed)
    count = 2 * per_class
    images = torch.randint(0, 120, (count, 1, size, size), generator=generator)
    labels = torch.arange(count) % 2
    images[labels == 1, :, : size // 2, : size // 2] += 100
    split = torch.tensor([0, 0, 0, 0, 1, 2]).repeat_interleave(2).repeat(count // 12 + 1)[:count]
    return ImageSet(images.to(torch.uint8), labels, ("plain", "square"), split.to(torch.int8))


def make_distilled(
    config: Config,
    *,
    classes: tuple[str, ...] = ("plain", "square"),
    per_class: int = 2,
    size: int = 16,
    seed: int = 1,
    lr: float = 0.05,
) -> DistilledDataset:
    """A small set of another hospital: some of its images, which differ from ours by the seed."""
    theirs = make_images(12 * per_class, size, seed)
    chosen = torch.cat([(theirs.labels == n).nonzero().squeeze(1)[:per_class] for n in (0, 1)])
    normalisation = Normalisation.of(theirs.images)
    return DistilledDataset(
        images=normalisation.apply(theirs.images[chosen]),
        labels=theirs.labels[chosen],
        classes=classes,
        syn_lr=lr,
        importance_weights=None,
        history=History(),
        config=config.override({"image_size": size}),
        normalisation=normalisation,
        initial_images=None,
        best_iteration=0,
    )


@pytest.fixture
def images() -> ImageSet:
    return make_images()


@pytest.fixture
def config() -> Config:
    """A whole run in well under a second."""
    return Config(
        image_size=16,
        network=NetworkConfig(depth=2, width=4),
        teacher=TeacherConfig(
            teachers=2,
            teacher_epochs=4,
            teacher_batch_size=8,
            teacher_lr=0.05,
            teacher_momentum=0.5,
        ),
        distillation=DistillationConfig(
            images_per_class=2,
            iterations=6,
            syn_steps=3,
            expert_epochs=2,
            max_start_epoch=2,
            syn_batch_size=3,
            lr_img=1.0,
            lr_lr=1e-4,
            syn_lr=0.05,
            validate_every=3,
            validation_networks=1,
        ),
        evaluation=EvaluationConfig(
            evaluation_networks=2, evaluation_epochs=4, baseline_lrs=(0.01, 0.05), full_epochs=2
        ),
    )
