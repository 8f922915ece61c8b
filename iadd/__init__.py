"""Importance-Aware Adaptive Dataset Distillation (Li, Togo, Ogawa and Haseyama).

images = iadd.load_images("xrays.zip")
config = iadd.presets.cpu_small()
teachers = iadd.record_trajectories(images, config, out=Path("teachers"))
distilled = iadd.distill(images, teachers, config)
print(iadd.evaluate(distilled, images, config).to_dict())
"""

from iadd import matching, presets, privacy
from iadd.bundle import BundleError, load_bundle, write_bundle
from iadd.config import Config, ConfigError
from iadd.distill import distill
from iadd.distilled import DistilledDataset, History
from iadd.evaluate import choose_lr, evaluate, evaluate_full, evaluate_random
from iadd.images import load_images, read_images
from iadd.imageset import ImageSet
from iadd.progress import Progress
from iadd.scores import Evaluation
from iadd.train import train
from iadd.training import predict
from iadd.trajectory import TrajectoryBuffer, record_trajectories, record_trajectory

__all__ = [
    "BundleError",
    "Config",
    "ConfigError",
    "DistilledDataset",
    "Evaluation",
    "History",
    "ImageSet",
    "Progress",
    "TrajectoryBuffer",
    "choose_lr",
    "distill",
    "evaluate",
    "evaluate_full",
    "evaluate_random",
    "load_bundle",
    "load_images",
    "matching",
    "predict",
    "presets",
    "privacy",
    "read_images",
    "record_trajectories",
    "record_trajectory",
    "train",
    "write_bundle",
]
