"""A trained network with what its predictions need: normalisation, classes and settings."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from safetensors import SafetensorError
from torch import Tensor, nn

from iadd.config import Config
from iadd.data.image_set import ImageSet
from iadd.data.normalisation import Normalisation
from iadd.data.whitening import Whitening
from iadd.networks.build import build_architecture
from iadd.runtime.checkpoint import pack, unpack
from iadd.runtime.precision import computing_at
from iadd.training.trainer import predict


class NetworkError(ValueError):
    """A file does not hold a trained network. The message says so."""


@dataclass(frozen=True, eq=False)
class TrainedNetwork:
    """A trained network, its classes and the normalisation of its inputs.

    Attributes:
        network: Reads images (N, C, S, S) in the space of ``normalisation``.
        classes: Names, in the order of its outputs.
        normalisation: Normalisation of its inputs.
        config: Its architecture, its image size, and how it was trained.
    """

    network: nn.Module
    classes: tuple[str, ...]
    normalisation: Normalisation
    config: Config

    def predict(self, images: ImageSet) -> Tensor:
        """Predict class probabilities, (N, classes), on the CPU.

        Args:
            images: Images of ``config.image_size`` pixels a side, of any split.
        """
        with computing_at(self.config.compute.precision):
            return predict(self.network, images, self.normalisation)

    def to_bytes(self) -> bytes:
        """Serialise the network as one safetensors file; equal networks give equal bytes."""
        document = {
            "network": 1,
            "classes": self.classes,
            "mean": self.normalisation.mean,
            "std": self.normalisation.std,
            "config": self.config.to_dict(),
        }
        tensors: dict[str, Tensor] = dict(self.network.named_parameters())
        if self.normalisation.whitening is not None:
            tensors |= self.normalisation.whitening.tensors()
        return pack(tensors, document)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what :meth:`to_bytes` wrote, onto the CPU.

        Raises:
            NetworkError: When the bytes are not a trained network.
        """
        try:
            parameters, document = unpack(data)
            config = Config.from_dict(document["config"])
            classes = tuple(map(str, document["classes"]))
            whitening = Whitening.from_tensors(parameters)
            normalisation = Normalisation(
                tuple(document["mean"]), tuple(document["std"]), whitening
            )
            for name in whitening.tensors() if whitening else ():
                del parameters[name]
            network = build_architecture(
                config, channels=len(normalisation.mean), classes=len(classes)
            )
            network.load_state_dict(parameters)
        # json, safetensors and torch raise different errors for invalid input.
        except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise NetworkError(
                "This file does not hold a network that `iadd train` wrote."
            ) from error
        return cls(network, classes, normalisation, config)


def load_network(path: Path | str) -> TrainedNetwork:
    """Read a network that ``iadd train --network`` wrote.

    Raises:
        NetworkError: When the file does not hold one.
        OSError: When it cannot be opened.
    """
    return TrainedNetwork.from_bytes(Path(path).read_bytes())
