"""Reading an archive, as a worker does it: images per second and memory.

    python -m benchmarks.intake [--json] [--images 15000] [--side 224] [--bits 8] [--kind PNG]
        [--table]
    python -m benchmarks.intake [--json] --archive FILE

The archive holds noisy synthetic pictures of one size, or is one of yours. TIFF is not compressed:
a large archive of it is written in little time. With ``--table`` the pictures lie in one folder,
and a ``manifest.csv`` has a row for each, three pictures a patient. It is read by
``python -m iadd.intake`` as in the service. ``peak_bytes`` is the largest sum, over that process
and its decoders, of proportional set sizes (Linux): memory that several share counts once.
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.output import command, print_result


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--images", type=int, default=15_000)
    parser.add_argument("--side", type=int, default=224)
    parser.add_argument("--bits", type=int, choices=(8, 16), default=8)
    parser.add_argument("--kind", choices=("PNG", "TIFF"), default="PNG")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--archive", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        drawn = arguments.images, arguments.side, arguments.bits, arguments.kind, arguments.table
        archive = arguments.archive or _draw(Path(folder) / "drawn.zip", *drawn)
        print_result(measure(archive, Path(folder)), one_line=arguments.json)


def measure(archive: Path, folder: Path) -> dict[str, Any]:
    """Read one archive in a process of its own and watch its memory."""
    out = folder / "out"
    out.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "iadd.intake"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    peak = _Peak(process.pid)
    start = time.perf_counter()
    request = {"key": "00" * 32, "source": str(archive.absolute()), "out": str(out)}
    answer, _ = process.communicate(json.dumps(request) + "\n")
    seconds = time.perf_counter() - start
    peak.stop()
    outcome = json.loads(answer.splitlines()[-1])["outcome"]
    quality = outcome["quality"]
    entries = quality["entries"] if quality else 0
    return {
        "command": command(),
        "archive_bytes": archive.stat().st_size,
        "status": outcome["status"],
        "entries": entries,
        "images": quality["images"] if quality else 0,
        "refused": quality["refused_by_code"] if quality else {},
        "seconds": round(seconds, 1),
        "entries_per_second": round(entries / seconds, 1),
        "peak_bytes": peak.bytes,
        "peak_bytes_per_entry": round(peak.bytes / max(entries, 1)),
    }


class _Peak:
    """The largest memory of a process and its children, looked at twenty times a second."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._pid = pid
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stopping.wait(0.05):
            self.bytes = max(self.bytes, sum(map(_resident, _family(self._pid))))


def _family(pid: int) -> list[int]:
    found = [pid]
    for one in found:
        # Linux lists children by the thread that started them.
        for thread in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                found += map(int, thread.read_text().split())
            except OSError:
                continue
    return found


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


def _draw(path: Path, images: int, side: int, bits: int, kind: str, table: bool) -> Path:
    """Pictures in two classes; each file's pixels differ, so that none is a repetition."""
    generator = np.random.default_rng(0)
    levels = np.uint8 if bits == 8 else np.uint16
    noise = generator.normal(0, 12, (side, side)).astype(np.float32)
    options = {"compress_level": 1} if kind == "PNG" else {}
    rows = ["file,label,patient"]
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(images):
            coarse = Image.fromarray(generator.integers(0, 256, (16, 16), dtype=np.uint8))
            smooth = np.asarray(coarse.resize((side, side), Image.Resampling.BICUBIC), np.float32)
            grey = np.clip(smooth + np.roll(noise, 7919 * number), 0, 255)
            file = io.BytesIO()
            pixels = (grey * (1 if bits == 8 else 257)).astype(levels)
            Image.fromarray(pixels).save(file, kind, **options)
            label = "AB"[number % 2]
            name = f"{'images' if table else label}/{number:06d}.{kind.lower()}"
            rows.append(f"{name},{label},P{number // 3:06d}")
            archive.writestr(name, file.getvalue())
        if table:
            archive.writestr("manifest.csv", "\n".join(rows))
    return path


if __name__ == "__main__":
    main()
