"""Which training images the teachers have understood (Guo et al. 2024, DATM, section 3.3)."""

import torch
from torch import Tensor

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.networks.build import build_network, load_parameters
from iadd.runtime.precision import computing_at
from iadd.trajectories.record import TrajectoryBuffer

_CHUNK = 256


@torch.no_grad()
def correctly_classified(
    train: ImageSet,
    buffer: TrajectoryBuffer,
    config: Config,
    *,
    device: torch.device | str = "cpu",
) -> Tensor:
    """Ask every teacher, as it was after its last epoch, for the class of every image.

    Args:
        train: Images of the training split.
        buffer: The teachers.
        config: Settings of the run.
        device: Where to compute.

    Returns:
        (N,) bool, on the CPU: True where more than half of the teachers name the right class.
    """
    network = build_network(
        config.network,
        channels=train.images.shape[1],
        classes=len(train.classes),
        image_size=config.image_size,
        seed=0,  # gives the form; its parameters are never read
        precision=config.compute.precision,
    ).to(device)
    images, labels = train.images.to(device), train.labels.to(device)
    votes = torch.zeros(len(train), dtype=torch.int64, device=device)
    with computing_at(config.compute.precision):
        for teacher in range(len(buffer)):
            load_parameters(network, buffer.snapshot(teacher, buffer.epochs).to(device))
            named = [
                network(buffer.normalisation.apply(chunk)).argmax(dim=1)
                for chunk in images.split(_CHUNK)
            ]
            votes += torch.cat(named) == labels
    return (2 * votes > len(buffer)).cpu()
