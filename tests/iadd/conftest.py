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
from iadd.data.image_set import ImageSet
from tests.iadd.factories import make_images


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    # Same results whatever the machine, and no fight for its cores.
    torch.set_num_threads(1)


@pytest.fixture
def images() -> ImageSet:
    return make_images()


@pytest.fixture(scope="session")
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
