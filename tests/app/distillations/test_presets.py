"""The portal refuses what the library refuses, in the form of a problem."""

import pytest

from app.core.errors import Problem
from app.distillations.presets import FIXED, OWN_FIELDS, InvalidSettings, get_preset
from iadd.config import ConfigError
from iadd.presets import AUDITS, PRESETS, describe


def extremes(default, limits):
    """Values at the edge of what a setting may be, and beyond it."""
    if isinstance(default, list):
        yield from ([], limits, ["no such word"], [10**30])
    elif isinstance(default, str):
        yield from (*limits, "no such word")
    else:
        low, high = limits
        yield from (low, high, low - 1, high + 1)


@pytest.mark.parametrize("name", describe())
def test_portal_and_library_refuse_the_same(name):
    """What the portal lets through and the library refuses would fail only hours later."""
    preset = get_preset(name)
    disagreements = []
    for setting in preset.defaults.keys() - {*OWN_FIELDS, *FIXED}:
        for value in extremes(preset.defaults[setting], preset.limits[setting]):
            verdicts = []
            for accept in (
                lambda changed: preset.settings({}, changed),
                PRESETS[name]().override,
            ):
                try:
                    accept({setting: value})
                    verdicts.append("accepted")
                except (Problem, ConfigError):
                    verdicts.append("refused")
            if verdicts[0] != verdicts[1]:
                disagreements.append((setting, value, verdicts))

    assert disagreements == []


def test_settings_that_contradict_each_other_are_all_named():
    with pytest.raises(InvalidSettings) as refused:
        get_preset("cpu_demo").settings(
            {}, {"first_max_start_epoch": 1000, "expert_epochs": 9, "depth": 7}
        )
    assert [error["where"] for error in refused.value.as_dict()["errors"]] == [
        "overrides.max_start_epoch",
        "overrides.first_max_start_epoch",
        "overrides.depth",
    ]


def test_anyone_with_a_token_may_read_them(portal):
    assert portal.researcher.get("/presets").json() == describe()
    assert portal.researcher.get("/audits").json() == AUDITS


def test_a_proof_can_be_asked_for_where_nothing_else_reads_the_images():
    changes = {"epsilon": 1.0, "delta": 1e-6, "declared_patients": 9000}
    settings = get_preset("cpu_dp").settings({}, changes)
    assert (settings["privacy"], settings["epsilon"]) == ("dp", 1.0)
    with pytest.raises(InvalidSettings) as refused:
        get_preset("cpu_small").settings({}, {"privacy": "dp"})
    assert [error["where"] for error in refused.value.as_dict()["errors"]] == [
        "overrides.teacher_sampling",
        "overrides.validate_every",
    ]
