"""Counts the steps and image passes of a run from its settings, without torch.

The unit is the forward pass of one image (:data:`PASSES_OF_TRAINING`, :data:`PASSES_OF_MATCHING`);
times the FLOPs of one forward pass it gives FLOPs (:mod:`iadd.training.cost_model`).
"""

from collections.abc import Mapping

from iadd.config import Config

PASSES_OF_TRAINING = 3
"""Convolutions per layer, image and training step: forwards, and the gradients of the layer's
input and weight."""

PASSES_OF_ADJOINT = 8
"""Convolutions per layer, image and adjoint step: the forward pass and its directional derivative
(three), and the gradients of those three for their inputs (five: two of the inputs need none)."""

PASSES_OF_MATCHING = PASSES_OF_TRAINING + PASSES_OF_ADJOINT
"""Convolutions per layer, image and student step, its own gradient with its adjoint step."""

SAVED_PER_KEPT_BYTE = 3.5e-9
"""Seconds that a compiled step of a ConvNet saves on one CPU core, by what it keeps, at least
(``python -m benchmarks.matching``, eager less compiled). Between convolutions memory is the
limit."""

SHARE_BY_HAND = 0.45
"""Of the time of an eager step of a ConvNet that the compiled one takes, on a CPU."""

WORTH_COMPILING = 1.25
"""Compiling pays where it saves this many times its cost."""


def matching_passes(config: Config, classes: int) -> int:
    """Count the forward passes of one image that cost as much as all student steps."""
    distillation = config.distillation
    matched = distillation.iterations - distillation.condensing_iterations
    passes = PASSES_OF_TRAINING * distillation.syn_steps
    passes += PASSES_OF_ADJOINT * distillation.differentiated_steps
    return matched * matching_batch(config, classes) * passes


def matching_steps(config: Config) -> int:
    """Count all student steps."""
    distillation = config.distillation
    matched = distillation.iterations - distillation.condensing_iterations
    return matched * distillation.syn_steps


def condensing_passes(config: Config, train: Mapping[str, int]) -> int:
    """Count the forward passes of one image that cost as much as all comparisons with real images.

    Args:
        config: Settings of the run.
        train: Training images of each class.
    """
    distillation, classes = config.distillation, len(train)
    real = sum(min(distillation.real_batch_size, count) for count in train.values())
    small = distillation.images_per_class * classes
    if distillation.method not in ("dc", "dsa"):
        return distillation.condensing_iterations * (real + PASSES_OF_TRAINING * small)
    learning = PASSES_OF_TRAINING * distillation.network_epochs * small
    compared = PASSES_OF_TRAINING * (real + small) + PASSES_OF_ADJOINT * small
    return distillation.condensing_iterations * (compared + learning)


def teaching_passes(config: Config, images: int) -> int:
    """Count the forward passes of one image that cost as much as one teacher.

    Args:
        config: Settings of the run.
        images: Images per epoch.
    """
    return PASSES_OF_TRAINING * images * config.teacher.teacher_epochs * gradients_per_step(config)


def teaching_steps(config: Config, images: int) -> int:
    """Count the gradients that one teacher computes, one after the other."""
    batches = -(-images // config.teacher.teacher_batch_size)
    return config.teacher.teacher_epochs * batches * gradients_per_step(config)


def gradients_per_step(config: Config) -> int:
    """Count the gradients in a teacher's step: sharpness-aware steps take two."""
    return 2 if config.teacher.teacher_flatness > 0 else 1


def matching_batch(config: Config, classes: int) -> int:
    """Count the distilled images per student step."""
    small = config.distillation.images_per_class * classes
    return min(config.distillation.syn_batch_size or small, small)


def kept_bytes(config: Config, *, channels: int, classes: int) -> int:
    """Count the bytes of one image's activations that a student step keeps for the way back.

    Of compiled ConvNets on a CPU: :class:`iadd.distillation.convnet_steps.Kept`, as float32.
    """
    size, width = config.image_size, config.network.width
    numbers = 2 * classes + (9 * channels * size**2 if size % 2 == 0 else channels * size**2)
    for block in range(config.network.depth):
        side, after = size >> block, size >> (block + 1)
        numbers += width * (2 * side**2 + after**2 + 1)
        # What the block gives is read by the next one, or by the last layer.
        numbers += width * after**2
    return 4 * numbers


def is_by_hand(config: Config, device_type: str) -> bool:
    """Whether compiled student steps are those of :mod:`iadd.distillation.convnet_steps`."""
    is_plain = config.compute.precision != "bfloat16"
    return config.network.network == "convnet" and device_type == "cpu" and is_plain


def seconds_saved_by_hand(config: Config, *, channels: int, classes: int) -> float:
    """Estimate the seconds that these save in a whole distillation over eager steps."""
    images = matching_steps(config) * matching_batch(config, classes)
    return SAVED_PER_KEPT_BYTE * images * kept_bytes(config, channels=channels, classes=classes)


def kept_steps(config: Config, *, channels: int, classes: int) -> int:
    """Count the student steps that keep their activations within ``activation_megabytes``."""
    each = kept_bytes(config, channels=channels, classes=classes) * matching_batch(config, classes)
    fitting = config.compute.activation_megabytes * 10**6 // each
    return int(min(config.distillation.syn_steps, fitting))


def validations(config: Config) -> int:
    """Count the validations of a distillation: one at its start, the others during it."""
    every, iterations = config.distillation.validate_every, config.distillation.iterations
    return 1 + -(-iterations // every) if every else 0


def images_per_epoch(config: Config, train: Mapping[str, int]) -> int:
    """Count the training images that a teacher sees in an epoch.

    Args:
        config: Settings of the run.
        train: Training images of each class.
    """
    if config.teacher.teacher_sampling == "balanced":
        return min(train.values()) * len(train)
    return sum(train.values())
