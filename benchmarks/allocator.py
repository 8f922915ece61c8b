"""What keeping freed memory is worth to a training step on CPU.

    python -m benchmarks.allocator [--json]

Two fresh processes train the same ConvNetD5 on the same batch, one with the C library as it is,
one after ``iadd.runtime.allocator.reuse_freed_memory``; each figure is the median of its steps.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time

STEPS = 15


def measure(reuse: bool, width: int, batch: int) -> dict[str, float]:
    """Milliseconds per image of a training step and peak memory, in this process."""
    import torch
    import torch.nn.functional as F

    from iadd.networks.convnet import ConvNet
    from iadd.runtime.allocator import reuse_freed_memory

    if reuse:
        reuse_freed_memory()
    network = ConvNet(channels=1, classes=4, depth=5, width=width, image_size=112)
    images, labels = torch.randn(batch, 1, 112, 112), torch.arange(batch) % 4
    seconds = []
    for _ in range(STEPS + 2):
        start = time.perf_counter()
        F.cross_entropy(network(images), labels).backward()
        seconds.append(time.perf_counter() - start)
    return {
        "ms_per_image": 1000 * statistics.median(seconds[2:]) / batch,
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--one", choices=["default", "reuse"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        found = measure(arguments.one == "reuse", arguments.width, arguments.batch)
        print(json.dumps(found))
        return
    rows = {}
    for name in ("default", "reuse"):
        command = [sys.executable, "-m", "benchmarks.allocator", "--one", name]
        command += ["--width", str(arguments.width), "--batch", str(arguments.batch)]
        finished = subprocess.run(command, check=True, capture_output=True, text=True)
        rows[name] = json.loads(finished.stdout)
    speedup = rows["default"]["ms_per_image"] / rows["reuse"]["ms_per_image"]
    if arguments.json:
        print(json.dumps({**rows, "speedup": speedup}))
        return
    for name, row in rows.items():
        print(f"{name:8} {row['ms_per_image']:7.2f} ms/image {row['peak_megabytes']:7.0f} MB peak")
    print(f"speedup  {speedup:7.2f}")


if __name__ == "__main__":
    main()
