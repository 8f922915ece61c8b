"""The guide's code runs as it is printed, and is as short as it promises."""

import re
from pathlib import Path

import pytest
from PIL import Image

import iadd
from iadd.cohort import draw_cohort
from iadd.config import Config

GUIDE = Path(__file__).parents[1] / "docs" / "guide.md"


def code() -> str:
    (block,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return str(block)


def test_it_takes_fewer_than_thirty_lines() -> None:
    assert len(code().splitlines()) < 30


def test_it_goes_from_a_folder_of_images_to_a_trained_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number, (name, pixels) in enumerate(draw_cohort(20, image_size=112)):
        (tmp_path / "xrays" / name).mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "xrays" / name / f"{number}.png")
    real = iadd.presets.cpu_small()

    def tiny() -> Config:
        return real.override(
            {
                "width": 4,
                "teachers": 1,
                "teacher_epochs": 2,
                "expert_epochs": 1,
                "max_start_epoch": 1,
                "images_per_class": 1,
                "initialisation": "noise",
                "iterations": 2,
                "syn_steps": 2,
                "validate_every": 0,
                "evaluation_networks": 1,
                "evaluation_epochs": 2,
            }
        )

    monkeypatch.setattr(iadd.presets, "cpu_small", tiny)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(compile(code(), str(GUIDE), "exec"), names)
    assert "correct, on" in capsys.readouterr().out
    assert isinstance(names["distilled"], iadd.DistilledDataset)
