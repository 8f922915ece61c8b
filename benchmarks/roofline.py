"""What a computation asks of a machine, and what the machine can give: both measured.

    python -m benchmarks.roofline [--precision float32] [--device cpu]

Operations are multiplications and additions of convolutions and matrix products, counted as the
direct algorithm does them. A peak is in the same unit, so that a library that takes a shorter way
(Winograd) has a higher peak, and not a fraction above one.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from iadd.config import Precision
from iadd.runtime.flops import count_flops
from iadd.runtime.precision import computing_at

_SECONDS = 0.4
"""How long each kernel is repeated; the best repeat counts."""


def measure_peak(precision: Precision = "float32", device: torch.device | str = "cpu") -> float:
    """FLOP/s that the device reaches: the best of two kernels that libraries are tuned for.

    One is a square matrix product, the other the 3×3 convolution of the ConvNet's second layer
    (128 to 128 channels, 56×56 pixels, 16 images) in channels-last.
    """
    return max(measure_peaks(precision, device).values())


def measure_peaks(
    precision: Precision = "float32",
    device: torch.device | str = "cpu",
    *,
    side: int = 0,
    batch: int = 0,
) -> dict[str, float]:
    """FLOP/s of each of the two kernels, by name.

    Args:
        precision: Of the operands.
        device: What is measured.
        side: Of the matrices; 0 takes what fills the device.
        batch: Images of the convolution; 0 takes what fills the device.
    """
    device = torch.device(device)
    dtype = torch.bfloat16 if precision == "bfloat16" else torch.float32
    side = side or (8192 if device.type == "cuda" else 2048)
    batch = batch or (256 if device.type == "cuda" else 16)
    left = torch.randn(side, side, device=device, dtype=dtype)
    images = torch.randn(batch, 128, 56, 56, device=device, dtype=dtype)
    images = images.contiguous(memory_format=torch.channels_last)
    weight = torch.randn(128, 128, 3, 3, device=device, dtype=dtype)
    weight = weight.contiguous(memory_format=torch.channels_last)
    kernels: dict[str, Callable[[], Any]] = {
        "matmul": lambda: left @ left,
        "convolution": lambda: F.conv2d(images, weight, padding=1),
    }
    with torch.no_grad(), computing_at(precision):
        return {
            name: count_flops(kernel) / best_seconds(kernel, device)
            for name, kernel in kernels.items()
        }


def best_seconds(function: Callable[[], Any], device: torch.device) -> float:
    """Seconds of the fastest of the repeats that fit into 0.4 s, after a warm-up."""
    seconds(function, device)
    best, until = seconds(function, device), time.perf_counter() + _SECONDS
    while time.perf_counter() < until:
        best = min(best, seconds(function, device))
    return best


def seconds(function: Callable[[], Any], device: torch.device) -> float:
    """Seconds of one call, the device's queue included."""
    synchronise(device)
    start = time.perf_counter()
    function()
    synchronise(device)
    return time.perf_counter() - start


def alternate(
    functions: dict[str, Callable[[], Any]], *, repeats: int, device: torch.device
) -> dict[str, float]:
    """Median seconds of each function, run in turn so that a slow spell hits all of them."""
    found: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(repeats):
        for name, function in functions.items():
            found[name].append(seconds(function, device))
    return {name: statistics.median(values) for name, values in found.items()}


def synchronise(device: torch.device) -> None:
    """Wait for a GPU to finish."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def describe_machine(device: torch.device | str = "cpu") -> dict[str, Any]:
    """Processor, memory, GPU, versions and threads, as this process has them."""
    device = torch.device(device)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cpu": _processor(),
        "cores": cores,
        "threads": torch.get_num_threads(),
        "memory_gigabytes": round(_memory() / 1e9, 1),
        "load_average": round(os.getloadavg()[0], 2),
        "device": str(device),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "torch": torch.__version__,
        "cuda": torch.version.cuda if device.type == "cuda" else None,
        "cudnn": torch.backends.cudnn.version() if device.type == "cuda" else None,
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="the default; kept for symmetry")
    parser.add_argument("--precision", default="float32", choices=["float32", "tf32", "bfloat16"])
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    peaks = measure_peaks(arguments.precision, arguments.device)
    machine = describe_machine(arguments.device)
    print(json.dumps({"peaks": peaks, "precision": arguments.precision, "machine": machine}))


if __name__ == "__main__":
    main()
