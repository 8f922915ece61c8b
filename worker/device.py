"""Choice of the device that networks run on, and of the number of threads."""

import logging
import os
from collections.abc import Sequence

import torch

from app.core.queue import Queue
from iadd.forecast.device_benchmark import device_memory
from worker.settings import WorkerSettings

logger = logging.getLogger(__name__)


def choose_device(settings: WorkerSettings) -> torch.device:
    """Return the GPU where there is one, else the CPU; or the device that the settings require."""
    if settings.device == "cpu" or (settings.device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    return torch.device("cuda")


def is_there(settings: WorkerSettings) -> bool:
    """Return True if the device that the settings require answers: a worker needs it."""
    return settings.device != "cuda" or torch.cuda.is_available()


def name_device(settings: WorkerSettings, queues: Sequence[str]) -> str:
    """Name the device for people: the GPU's own name where this worker computes on it."""
    device = choose_device(settings)
    # Reading the name of a GPU takes memory of it, which a worker without networks does not need.
    if device.type == "cuda" and Queue.GPU.value in queues:
        return torch.cuda.get_device_name(device)
    return device.type


def memory_bytes(settings: WorkerSettings, queues: Sequence[str]) -> int:
    """Read how much memory the device has: of the GPU, or of this machine or container."""
    device = choose_device(settings)
    # As for its name: whoever computes nothing on a GPU leaves it alone.
    return device_memory(device if Queue.GPU.value in queues else torch.device("cpu"))


def prepare_torch(settings: WorkerSettings) -> None:
    """Fix the thread count: sums are rounded differently at another one."""
    threads = settings.torch_threads or _cores()
    torch.set_num_threads(threads)
    logger.info("computing on %s, %d threads", choose_device(settings), threads)


def _cores() -> int:
    """Count the cores that this process may use; a container often has fewer than the machine."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
