"""Importance-Aware Adaptive Dataset Distillation (Li, Togo, Ogawa and Haseyama).

images = iadd.load_images("xrays.zip")
config = iadd.presets.cpu_small()
teachers = iadd.record_trajectories(images, config, out=Path("teachers"))
distilled = iadd.distill(images, teachers, config)
print(iadd.evaluate(distilled, images, config).to_dict())
"""

from iadd import matching, presets, privacy
from iadd.acceptance import score_release
from iadd.bundle import BundleError, load_bundle, open_bundle, write_bundle
from iadd.class_map import ClassMapError, propose_class_map
from iadd.config import Config, ConfigError
from iadd.distill import distill
from iadd.distilled import DistilledDataset, History
from iadd.evaluate import choose_lr, evaluate, evaluate_across, evaluate_full, evaluate_random
from iadd.images import load_images, read_images
from iadd.imageset import ImageSet
from iadd.progress import Progress
from iadd.received import Received
from iadd.scores import Evaluation
from iadd.sharing import compare
from iadd.train import train
from iadd.trained import load_network
from iadd.training import predict
from iadd.trajectory import TrajectoryBuffer, record_trajectories, record_trajectory

__all__ = [
    "BundleError",
    "ClassMapError",
    "Config",
    "ConfigError",
    "DistilledDataset",
    "Evaluation",
    "History",
    "ImageSet",
    "Progress",
    "Received",
    "TrajectoryBuffer",
    "choose_lr",
    "compare",
    "distill",
    "evaluate",
    "evaluate_across",
    "evaluate_full",
    "evaluate_random",
    "load_bundle",
    "load_images",
    "load_network",
    "matching",
    "open_bundle",
    "predict",
    "presets",
    "privacy",
    "propose_class_map",
    "read_images",
    "record_trajectories",
    "record_trajectory",
    "score_release",
    "train",
    "write_bundle",
]
