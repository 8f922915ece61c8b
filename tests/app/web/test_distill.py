"""Asking for a distillation on the page."""

import pytest

from app.core.security import Role
from app.distillations.presets import get_preset, presets_document
from app.models import DistillationStatus
from app.web.settings_form import GROUPS, fields_of
from app.web.texts import texts_in


@pytest.fixture
def address(house):
    return f"/datasets/{house.ready_dataset()}/distill"


def sent(form, **changes):
    """A form's fields as a browser sends them, one preset chosen, and the ticks that it has."""
    ticked = ["", *get_preset("cpu_demo").defaults["augmentation"]]
    chosen = {"preset": "cpu_demo", "initialisation": "k_mean", "setting.augmentation": ticked}
    return form.fields | chosen | changes


@pytest.fixture
def ask(house, reader, address):
    """`ask(images_per_class="3")`: fill in the form for the demonstration, and send it."""
    researcher = reader(Role.RESEARCHER)

    def send(**changes):
        form = researcher.form(f"{address}?preset=cpu_demo", address)
        return researcher.client.post(address, data=sent(form, **changes))

    return send


def started(house, reply):
    assert reply.url.path.startswith("/distillations/"), reply.text
    return house.row(reply.url.path.removeprefix("/distillations/"))


def test_every_preset_and_every_start_is_explained(reader, address):
    researcher = reader(Role.RESEARCHER)
    page = researcher.open(address)
    for name in presets_document():
        assert f'value="{name}"' in page
    assert page.count("Privacy:") == 2
    assert "One patient" not in page
    assert page.count("Privacy:") < researcher.open(f"{address}?preset=paper_covid_cxr").count(
        "Privacy:"
    )


@pytest.mark.parametrize("name", presets_document())
def test_every_preset_is_told_in_plain_words(name):
    texts = texts_in("en")
    text = "preset-" + name.replace("_", "-")
    assert all(texts.has(text + part) for part in ("", "-about", "-time"))


def test_every_setting_has_a_label():
    texts = texts_in("en")
    fields = [field for group in fields_of(get_preset("cpu_small")).values() for field in group]
    names = {field.name for field in fields}
    assert names == {name for group in GROUPS.values() for name in group}
    unlabelled = {name for name in names if not texts.has("setting-" + name.replace("_", "-"))}
    assert unlabelled == set()


def test_starting_as_the_preset_says_changes_nothing_of_it(house, ask):
    row = started(house, ask())
    assert (row.preset, row.status) == ("cpu_demo", DistillationStatus.QUEUED)
    assert row.images_per_class == 2
    assert row.overrides == {}


def test_what_was_chosen_is_asked_for(house, ask):
    row = started(
        house,
        ask(images_per_class="3", initialisation="noise", seed="7", **{"setting.iterations": "12"}),
    )
    assert (row.images_per_class, row.initialisation, row.seed) == (3, "noise", 7)
    assert row.overrides == {"iterations": 12}


def test_lists_are_typed_and_ticked(house, ask):
    row = started(
        house,
        ask(
            **{
                "setting.baseline_lrs": "0.01, 0.1",
                "setting.augmentation": ["", "rotate", "cutout"],
                "setting.scale_ratio": "1.3",
            }
        ),
    )
    assert row.overrides == {
        "baseline_lrs": [0.01, 0.1],
        "augmentation": ["rotate", "cutout"],
        "scale_ratio": 1.3,
    }


def test_nothing_ticked_is_no_augmentation(house, ask):
    row = started(house, ask(**{"setting.augmentation": ""}))
    assert row.overrides == {"augmentation": []}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"images_per_class": "41"}, "has 40 training images"),
        ({"setting.iterations": "many"}, "iterations has to be a whole number"),
        ({"setting.depth": "20"}, "depth has to be a whole number from 1 to 8"),
        ({"setting.network": "another"}, "network may be"),
        ({"initialisation": "real"}, "real starts put patients"),
        ({"seed": "-1"}, "seed"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_starts(house, ask, changes, told):
    reply = ask(**changes)
    assert reply.status_code == 422
    assert told in reply.text.replace("&#39;", "'")
    assert house.steward.get("/distillations").json()["items"] == []


def test_without_scripts_another_presets_settings_are_shown_before_anything_starts(house, ask):
    reply = ask(preset="cpu_small")
    assert reply.url.query == b"preset=cpu_small"
    assert "These are the settings of the preset that you chose" in reply.text
    assert house.steward.get("/distillations").json()["items"] == []


def test_a_preset_that_does_not_exist_is_told(reader, address):
    page = reader(Role.RESEARCHER).open(f"{address}?preset=nothing", status=422)
    assert "There is no preset" in page


def test_a_dataset_that_is_not_ready_says_what_it_is(house, reader):
    page = reader(Role.RESEARCHER).open(f"/datasets/{house.uploaded_dataset()}/distill")
    assert "This dataset is being checked" in page
    assert "Start the distillation" not in page


def test_another_organisation_finds_nothing_here(reader, address):
    stranger = reader(Role.ADMIN, elsewhere=True)
    stranger.open(address, status=404)
    token = stranger.form("/distillations", "/sign-out").fields["csrf_token"]
    reply = stranger.client.post(
        address, data={"csrf_token": token, "preset": "cpu_demo", "shown": "cpu_demo"}
    )
    assert reply.status_code == 404
