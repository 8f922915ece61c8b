"""The portal's presets are the library's."""

import pytest

from app.core.errors import Problem
from app.distillations.presets import FIXED, OWN_FIELDS, get_preset, presets_document
from iadd.config import ConfigError
from iadd.presets import PRESETS, describe


def test_the_file_is_what_the_library_describes():
    """If this fails: `python -m iadd.presets > app/distillations/presets.json`."""
    assert presets_document() == describe()


def extremes(default, limits):
    """Values at the edge of what a setting may be, and beyond it."""
    if isinstance(default, list):
        yield from ([], limits, ["no such word"], [10**30])
    elif isinstance(default, str):
        yield from (*limits, "no such word")
    else:
        low, high = limits
        yield from (low, high, low - 1, high + 1)


@pytest.mark.parametrize("name", PRESETS)
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


def test_anyone_with_a_token_may_read_them(portal):
    assert portal.researcher.get("/presets").json() == describe()
