import json
import subprocess
import sys
from pathlib import Path

import pytest

TEACHERS, SNAPSHOTS, PARAMETERS = 20, 51, 100_000

READ_SOME = """
import resource, sys
from pathlib import Path
from iadd.trajectories.buffer import TrajectoryBuffer

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

TrajectoryBuffer.open(Path(sys.argv[1])).snapshot(19, 50)
before = peak()
buffer = TrajectoryBuffer.open(Path(sys.argv[1]))
kept = [buffer.snapshot(teacher, 10 * teacher) for teacher in range(5)]
assert sum(float(theta.sum()) for theta in kept) == 0.0
print(len(buffer), buffer.parameter_count, peak() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads the resident set as Linux counts it")
def test_reading_some_snapshots_takes_the_memory_of_those_alone(tmp_path: Path) -> None:
    size = 4 * SNAPSHOTS * PARAMETERS
    document = {"teacher_key": "k", "mean": [0.5], "std": [0.2], "curves": {"loss": [0.0] * 50}}
    header = json.dumps(
        {
            "__metadata__": {"document": json.dumps(document)},
            "snapshots": {
                "dtype": "F32",
                "shape": [SNAPSHOTS, PARAMETERS],
                "data_offsets": [0, size],
            },
        }
    ).encode()
    header += b" " * (-len(header) % 8)
    for teacher in range(TEACHERS):
        with (tmp_path / f"teacher-{teacher:04d}.safetensors").open("wb") as file:
            file.write(len(header).to_bytes(8, "little") + header)
            file.truncate(8 + len(header) + size)
    finished = subprocess.run(
        [sys.executable, "-c", READ_SOME, str(tmp_path)],
        check=True,
        capture_output=True,
        text=True,
    )
    teachers, parameters, grown = map(int, finished.stdout.split())
    assert (teachers, parameters) == (TEACHERS, PARAMETERS)
    # Five of them are 2 MB; one teacher is 20 MB, and all are 408 MB.
    assert grown < 8e6
