"""A job that a released version left unfinished ends under today's, with the same images."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load, load_file

from tests.compatibility.conftest import HERE, RELEASED
from tests.fixtures.service import start_service

LEFT = [version for version in RELEASED if (HERE / version / "in_flight.tar.xz").exists()]


@pytest.mark.slow
@pytest.mark.parametrize("version", LEFT)
def test_it_goes_on_from_its_checkpoint(unpack: Callable[..., Path], version: str) -> None:
    folder = unpack("in_flight", version)
    job = json.loads((folder / "ids.json").read_text())["distillation_id"]
    undisturbed = load_file(folder / "distilled.safetensors")
    service = start_service(folder)
    try:
        row = service.wait_for(job, "ready")
        images = load(service.images(job))
        log = (folder / "logs" / "worker-gpu.log").read_text()
    finally:
        service.stop()

    assert row["problem"] is None
    assert "record_trajectory" not in log, "no teacher is trained again"
    # To the bit on the machine that wrote it; elsewhere sums may be rounded otherwise.
    torch.testing.assert_close(images["images"], undisturbed["images"], rtol=1e-3, atol=1e-4)
