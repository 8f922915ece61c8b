"""Converts received distilled sets to the size, intensities and classes of the local images.

Both sides share the grey value: a distilled image is turned back into intensities, converted to the
size and channels of the own images, and normalised as they are. So one network reads received and
own images in one space, a grey value means the same in both, and own test images are read like own
training images. Intensities are not clipped on the way: distilled images exceed black and white,
and networks learn from that.

Shapes: M distilled images, C channels, S pixels a side.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from iadd.data.distilled_dataset import DistilledDataset
from iadd.data.normalisation import Normalisation
from iadd.sharing.class_map import ClassMap, ClassMapError, check_class_map

_GREY, _COLOUR = 1, 3
_LUMA = (0.299, 0.587, 0.114)
"""ITU-R 601, as in reading colour pictures."""


class SetMismatchError(ValueError):
    """Images cannot be combined. The message says which, and what to do."""


@dataclass(frozen=True, eq=False)
class Received:
    """A distilled set of another hospital, with a map of its classes to the local ones.

    Attributes:
        distilled: The set.
        class_map: For each of its classes the own one, or None to leave it out; confirmed by a
            person who knows both (:func:`iadd.propose_class_map` makes a proposal).
        name: Its name in results: a fingerprint, the id of a release.
    """

    distilled: DistilledDataset
    class_map: ClassMap
    name: str = ""


def covered_classes(received: Sequence[Received], ours: Sequence[str]) -> tuple[str, ...]:
    """Return the own classes, in their order, that some received class maps to.

    Raises:
        ClassMapError: When a map does not fit, or fewer than two own classes are covered.
        ValueError: When nothing was received.
    """
    if not received:
        raise ValueError("Nothing was received: name at least one distilled set.")
    for one in received:
        check_class_map(one.class_map, one.distilled.classes, ours)
    reached = {
        one.class_map[one.distilled.classes[label]]
        for one in received
        for label in one.distilled.labels.unique().tolist()
    }
    covered = tuple(name for name in ours if name in reached)
    if len(covered) < 2:
        only = f"Only “{covered[0]}”" if covered else "None of your classes"
        raise ClassMapError(
            f"{only} is among what was received, and a classifier needs two classes: map more of "
            "the received ones, or add a set that has another."
        )
    return covered


def in_classes(one: Received, classes: Sequence[str]) -> DistilledDataset:
    """Relabel a received set with own class names, and drop its other classes."""
    distilled = one.distilled
    own_labels = {name: label for label, name in enumerate(classes)}
    mapped = [own_labels.get(one.class_map[name] or "", -1) for name in distilled.classes]
    labels = torch.tensor(mapped, dtype=torch.int64)[distilled.labels]
    kept = labels >= 0
    return replace(
        distilled,
        images=distilled.images[kept],
        labels=labels[kept],
        classes=tuple(classes),
        initial_images=None,
    )


def align_to_local(
    one: Received, classes: Sequence[str], *, image_size: int, normalisation: Normalisation
) -> tuple[Tensor, Tensor]:
    """Convert a received set to the size, channels, normalisation and classes of the own images.

    Images are resized with antialiased bicubic interpolation, as when pictures are read.

    Args:
        one: The received set.
        classes: The own classes that are trained on; other received classes are left out.
        image_size: Side of the own images, S.
        normalisation: Normalisation of the own images; it has their channels.

    Returns:
        Images (M, C, S, S), normalised, and their labels (M,), indices into ``classes``.

    Raises:
        SetMismatchError: When its channels cannot be converted to those of the own images.
    """
    own = in_classes(one, classes)
    intensities = in_channels(own.normalisation.to_intensities(own.images), len(normalisation.mean))
    return normalisation.of_intensities(in_size(intensities, image_size)), own.labels


def in_channels(intensities: Tensor, channels: int) -> Tensor:
    """Convert grey (N, C, H, W) to colour by repeating it, and colour to grey by its luma.

    Raises:
        SetMismatchError: For numbers of channels other than one and three.
    """
    found = intensities.shape[1]
    if found == channels:
        return intensities
    if (found, channels) == (_GREY, _COLOUR):
        return intensities.expand(-1, _COLOUR, -1, -1)
    if (found, channels) == (_COLOUR, _GREY):
        luma = torch.tensor(_LUMA, dtype=intensities.dtype, device=intensities.device)
        return (intensities * luma.view(1, -1, 1, 1)).sum(dim=1, keepdim=True)
    raise SetMismatchError(
        f"The images of one side have {found} channels and those of the other {channels}: grey "
        "(1) and colour (3) can be combined, others cannot. Ask the sender for a set with as many "
        "channels as yours."
    )


def in_size(intensities: Tensor, image_size: int) -> Tensor:
    """Resize (N, C, H, W) to a square; return it unchanged if it has that size."""
    if intensities.shape[-2:] == (image_size, image_size):
        return intensities
    # Imported here: it takes a second, and sets of one size need none of it.
    from torchvision.transforms.v2 import InterpolationMode
    from torchvision.transforms.v2.functional import resize

    resized: Tensor = resize(
        intensities,
        [image_size, image_size],
        interpolation=InterpolationMode.BICUBIC,
        antialias=True,
    )
    return resized
