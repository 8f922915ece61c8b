"""The portal's presets are the library's."""

from app.distillations.presets import presets_document
from iadd.presets import describe


def test_the_file_is_what_the_library_describes():
    """If this fails: `python -m iadd.presets > app/distillations/presets.json`."""
    assert presets_document() == describe()


def test_anyone_with_a_token_may_read_them(house):
    assert house.researcher.get("/presets").json() == describe()
