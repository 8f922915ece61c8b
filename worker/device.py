"""The one place that decides where networks run and on how many threads."""

import logging
import os
from collections.abc import Sequence

import torch

from app.core.queue import Queue
from worker.settings import WorkerSettings

logger = logging.getLogger(__name__)


def choose_device(settings: WorkerSettings) -> torch.device:
    """The GPU where there is one, else the CPU; or what the settings insist on."""
    if settings.device == "cpu" or (settings.device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    return torch.device("cuda")


def is_there(settings: WorkerSettings) -> bool:
    """Whether the device that the settings insist on answers: a worker without it has no use."""
    return settings.device != "cuda" or torch.cuda.is_available()


def name_device(settings: WorkerSettings, queues: Sequence[str]) -> str:
    """For people: the GPU's own name where this worker computes on it."""
    device = choose_device(settings)
    # Asking a GPU for its name takes memory of it, which a worker without networks has no use for.
    if device.type == "cuda" and Queue.GPU.value in queues:
        return torch.cuda.get_device_name(device)
    return device.type


def prepare_torch(settings: WorkerSettings) -> None:
    """Fix the thread count: sums are rounded differently at another one."""
    threads = settings.torch_threads or _cores()
    torch.set_num_threads(threads)
    logger.info("computing on %s, %d threads", choose_device(settings), threads)


def _cores() -> int:
    """Cores that this process may use; a container often has fewer than the machine."""
    if hasattr(os, "sched_getaffinity"):  # not on macOS
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
