"""Recipes for training networks: one for small sets, one for the whole training split."""

from dataclasses import dataclass

from iadd.config import Config


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """Settings of SGD with momentum; the learning rate drops to a tenth at half time.

    Attributes:
        lr: Learning rate of the first half.
        epochs: Passes over the images.
        batch_size: Images per step at most.
        momentum: Momentum of SGD.
    """

    lr: float
    epochs: int
    batch_size: int
    momentum: float


def full_set_recipe(config: Config, lr: float | None = None) -> Recipe:
    """Build the recipe for the whole training split: that of the teachers, with a falling rate.

    Args:
        config: Settings of the run.
        lr: Learning rate of the first half; the teachers' unless given.
    """
    return Recipe(
        lr=config.teacher.teacher_lr if lr is None else lr,
        epochs=config.evaluation.full_epochs,
        batch_size=config.teacher.teacher_batch_size,
        momentum=config.teacher.teacher_momentum,
    )


def small_set_recipe(config: Config, lr: float) -> Recipe:
    """Build the recipe for a small set, distilled or real; only the learning rate differs."""
    evaluation = config.evaluation
    return Recipe(
        lr=lr,
        epochs=evaluation.evaluation_epochs,
        batch_size=evaluation.evaluation_batch_size,
        momentum=evaluation.evaluation_momentum,
    )
