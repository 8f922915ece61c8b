"""Describes the environment of a measurement: machine, versions, command."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

_CPU_INFO = Path("/proc/cpuinfo")


def describe_environment(device: torch.device | str, command: str) -> dict[str, Any]:
    """Describe the machine and the software that produced a table.

    Returns:
        ``command``, ``device`` (the model of the GPU, or ``cpu``), ``cpu`` (its model), ``cores``,
        ``threads`` and ``versions``.
    """
    device = torch.device(device)
    named = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    return {
        "command": command,
        "device": named,
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "versions": {
            "iadd-exchange": version("iadd-exchange"),
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
    }


def _cpu_model() -> str:
    if _CPU_INFO.exists():
        for line in _CPU_INFO.read_text().splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
