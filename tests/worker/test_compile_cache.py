"""Compiled steps outlive the process that compiled them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from app.distillations.repository import DistillationRepository
from app.models import DistillationStatus, EventKind
from iadd.data.image_set import ImageSet
from iadd.runtime.compile import can_compile
from worker.compile_cache import keep_compiled

if TYPE_CHECKING:
    from tests.fixtures.worker_harness import WorkerHarness

COMPILE = """
import sys
from pathlib import Path
from worker.compile_cache import keep_compiled
keep_compiled(Path(sys.argv[1]))
import torch
from torch._dynamo.utils import counters
compiled = torch.compile(lambda x: (x.sin() + 1).square(), dynamic=False)
assert torch.allclose(compiled(torch.ones(64)), (torch.ones(64).sin() + 1).square())
print(dict(counters["inductor"]).get("fxgraph_cache_hit", 0))
"""


def test_the_folder_is_this_users_alone_and_the_operators_choice_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "environ", {"TRITON_CACHE_DIR": "/elsewhere"})
    keep_compiled(tmp_path / "compiled")
    assert (tmp_path / "compiled").stat().st_mode & 0o777 == 0o700
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path / "compiled" / "inductor")
    assert os.environ["TRITON_CACHE_DIR"] == "/elsewhere"


@pytest.mark.slow
@pytest.mark.skipif(not can_compile("cpu"), reason="no C++ compiler")
def test_a_second_process_finds_what_the_first_compiled(tmp_path: Path) -> None:
    hits = [
        subprocess.run(
            [sys.executable, "-c", COMPILE, str(tmp_path)],
            check=True,
            capture_output=True,
            text=True,
        ).stdout.strip()
        for _ in range(2)
    ]
    assert hits == ["0", "1"]


@pytest.mark.slow
@pytest.mark.skipif(not can_compile("cpu"), reason="no C++ compiler")
def test_a_worker_compiles_into_its_data_folder_and_says_so(
    own_harness: "WorkerHarness", squares: ImageSet
) -> None:
    harness = own_harness
    # Compiling takes longer the deeper the network is.
    row_id = harness.add_distillation(harness.add_dataset(squares), compilation="always", depth=1)
    harness.start_worker()
    harness.wait_for(row_id, DistillationStatus.READY, seconds=500)
    assert any((harness.folder / "compiled" / "inductor").rglob("*.so"))
    with harness.database.reading() as session:
        events = DistillationRepository(session).events.after(row_id, 0)
    log = [event.data["message"] for event in events if event.kind == EventKind.LOG]
    assert "Matching: steps are compiled, as set." in log
