"""The choice to compile depends on the settings and a count, never on a clock."""

import shutil

import pytest

from iadd.config import Config
from iadd.presets import cpu_demo, cpu_small
from iadd.runtime.compile import choose_compilation, seconds_saved
from iadd.training.cost_model import matching_saving


def choose(config: Config) -> tuple[bool, str]:
    saved = matching_saving(config, "cpu", channels=1, classes=4)
    choice = choose_compilation(config, saved, "cpu")
    return choice.compiled, choice.reason


@pytest.fixture
def compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that has a C++ compiler."""
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")


@pytest.mark.usefixtures("compiler")
def test_a_job_of_minutes_is_eager_and_one_of_hours_is_compiled() -> None:
    compiled, reason = choose(cpu_demo())
    assert not compiled
    assert "would save about" in reason
    compiled, reason = choose(cpu_small())
    assert compiled
    assert "min" in reason


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("setting", ["always", "never"])
def test_the_setting_decides_where_it_is_given(setting: str) -> None:
    compiled, reason = choose(cpu_demo().override({"compilation": setting}))
    assert compiled == (setting == "always")
    assert "as set" in reason


def test_a_machine_without_a_compiler_computes_eagerly_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    compiled, reason = choose(cpu_small().override({"compilation": "always"}))
    assert not compiled
    assert "no C++ compiler" in reason


def test_a_gpu_without_a_c_compiler_computes_eagerly_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("CC", raising=False)
    choice = choose_compilation(cpu_small().override({"compilation": "always"}), 1e18, "cuda")
    assert not choice.compiled
    assert "no C compiler" in choice.reason


def test_more_steps_and_more_flops_save_more() -> None:
    assert seconds_saved(1e12, "cpu") < seconds_saved(2e12, "cpu")
    assert seconds_saved(1e12, "cpu") < seconds_saved(1e12, "cpu", steps=1000)
    assert seconds_saved(1e12, "meta", steps=1000) == 0


def test_steps_by_hand_save_by_what_they_keep() -> None:
    def saved(**settings: object) -> float:
        config = cpu_small().override(settings)
        return matching_saving(config, "cpu", channels=1, classes=4)

    assert saved(width=32) == pytest.approx(2 * saved(width=16), rel=0.3)
    assert saved(iterations=1000) == 2 * saved(iterations=500)
    assert saved(network="resnet18") != saved()
