"""Asking for a distillation on the page."""

from datetime import timedelta

import pytest

from app.core.clock import utc_now
from app.core.security import Role
from app.distillations.presets import FIXED, OWN_FIELDS, get_preset, presets_document
from app.forecasts.keys import pace_key
from app.forecasts.repository import MeasurementRepository
from app.models import DistillationStatus
from app.models.forecast import Forecast
from app.web.render import TEMPLATES
from app.web.settings_form import fields_of
from app.web.texts import texts_in
from iadd.config import SETTINGS
from iadd.presets import AUDITS
from tests.fixtures.benchmarks import benchmark_document


@pytest.fixture
def address(portal):
    return f"/datasets/{portal.ready_dataset()}/distill"


def sent(form, **changes):
    """A form's fields as a browser sends them, one preset chosen, and the ticks that it has."""
    ticked = ["", *get_preset("cpu_demo").defaults["augmentation"]]
    chosen = {"preset": "cpu_demo", "initialisation": "public", "setting.augmentation": ticked}
    return form.fields | chosen | changes


@pytest.fixture
def ask(portal, reader, address):
    """`ask(images_per_class="3")`: fill in the form for the demonstration, and send it."""
    researcher = reader(Role.RESEARCHER)

    def send(**changes):
        form = researcher.form(f"{address}?preset=cpu_demo", address)
        return researcher.client.post(address, data=sent(form, **changes))

    return send


def started(portal, reply):
    assert reply.url.path.startswith("/distillations/"), reply.text
    return portal.row(reply.url.path.removeprefix("/distillations/"))


def test_every_preset_and_every_start_is_explained(reader, address):
    researcher = reader(Role.RESEARCHER)
    page = researcher.open(address)
    for name in presets_document():
        assert f'value="{name}"' in page
    assert page.count("Privacy:") == 3
    for audit in AUDITS:
        assert f'name="audit" value="{audit}"' in page
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
    groups = fields_of(get_preset("cpu_small"))
    assert all(texts.has(f"settings-{group}") for group in groups)
    names = {field.setting.name for group in groups.values() for field in group}
    assert names == SETTINGS.keys() - {*OWN_FIELDS, *FIXED}
    unlabelled = {name for name in names if not texts.has("setting-" + name.replace("_", "-"))}
    assert unlabelled == set()


def test_starting_as_the_preset_says_changes_nothing_of_it(portal, ask):
    row = started(portal, ask())
    assert (row.preset, row.status) == ("cpu_demo", DistillationStatus.QUEUED)
    assert row.images_per_class == 2
    assert row.overrides == {}


def test_what_was_chosen_is_asked_for(portal, ask):
    row = started(
        portal,
        ask(images_per_class="3", initialisation="noise", seed="7", **{"setting.iterations": "12"}),
    )
    assert (row.images_per_class, row.initialisation, row.seed) == (3, "noise", 7)
    assert row.overrides == {"iterations": 12}


def test_lists_are_typed_and_ticked(portal, ask):
    row = started(
        portal,
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


def test_nothing_ticked_is_no_augmentation(portal, ask):
    row = started(portal, ask(**{"setting.augmentation": ""}))
    assert row.overrides == {"augmentation": []}


def test_a_list_of_words_that_the_preset_leaves_empty_can_be_ticked(portal, ask):
    row = started(portal, ask(**{"setting.cross_networks": ["", "vgg11", "resnet18"]}))
    assert row.overrides == {"cross_networks": ["vgg11", "resnet18"]}
    assert started(portal, ask(**{"setting.cross_networks": ""})).overrides == {}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"setting.cross_networks": ["", "lenet"]}, "cross_networks is a list"),
        ({"images_per_class": "41"}, "has 40 training images"),
        ({"setting.iterations": "many"}, "iterations has to be a whole number"),
        ({"setting.depth": "20"}, "depth is 20: it has to be a whole number from 1 to 8"),
        ({"setting.network": "another"}, "it may be convnet, alexnet"),
        ({"initialisation": "real"}, "tell who is in the set"),
        ({"seed": "-1"}, "seed"),
    ],
)
def test_what_cannot_be_is_told_and_nothing_starts(portal, ask, changes, told):
    reply = ask(**changes)
    assert reply.status_code == 422
    assert told in reply.text.replace("&#39;", "'")
    assert portal.steward.get("/distillations").json()["items"] == []


def test_without_scripts_another_presets_settings_are_shown_before_anything_starts(portal, ask):
    reply = ask(preset="cpu_small")
    assert reply.url.query == b"preset=cpu_small"
    assert "These are the settings of the preset that you chose" in reply.text
    assert portal.steward.get("/distillations").json()["items"] == []


@pytest.mark.parametrize("preset", ["cpu_demo", "cpu_small"])
def test_without_scripts_the_forms_token_gets_into_no_address(portal, ask, preset):
    """Browsers keep addresses, and so do proxies."""
    reply = ask(show="preset", preset=preset)
    assert reply.url.query == f"preset={preset}".encode()
    assert portal.researcher.get("/distillations").json()["items"] == []
    for template in TEMPLATES.rglob("*.html"):
        assert "formmethod" not in template.read_text(), template


def test_a_preset_that_does_not_exist_is_told(reader, address):
    page = reader(Role.RESEARCHER).open(f"{address}?preset=nothing", status=422)
    assert "There is no preset" in page


def test_a_dataset_that_is_not_ready_says_what_it_is(portal, reader):
    page = reader(Role.RESEARCHER).open(f"/datasets/{portal.uploaded_dataset()}/distill")
    assert "The status of this dataset is “checking”" in page
    assert "Start distillation" not in page


def test_another_organisation_finds_nothing_here(reader, address):
    stranger = reader(Role.ADMIN, elsewhere=True)
    stranger.open(address, status=404)
    token = stranger.form("/distillations", "/sign-out").fields["csrf_token"]
    reply = stranger.client.post(
        address, data={"csrf_token": token, "preset": "cpu_demo", "shown": "cpu_demo"}
    )
    assert reply.status_code == 404


HTMX = {"HX-Request": "true"}


@pytest.fixture
def measured(portal):
    """A worker has measured the steps of the demonstration."""
    key = pace_key(get_preset("cpu_demo").settings({}, {}), channels=1)
    with portal.database.transaction() as session:
        MeasurementRepository(session).add(key, benchmark_document())


@pytest.fixture
def forecast(reader, address):
    """`forecast(images_per_class="3")`: what is told of a form as it stands."""
    researcher = reader(Role.RESEARCHER)

    def ask(headers=HTMX, **changes):
        form = researcher.form(f"{address}?preset=cpu_demo", address)
        return researcher.client.post(
            f"{address}/forecast", data=sent(form, **changes), headers=headers
        )

    ask.open = lambda at: researcher.client.get(at, headers=HTMX)
    return ask


def polled(page):
    """Where a fragment asks next."""
    return page.partition('hx-get="')[2].partition('"')[0].replace("&amp;", "&")


def test_the_forecast_tells_time_memory_and_where_it_comes_from(measured, forecast):
    told = forecast()
    assert told.status_code == 200
    assert "<html" not in told.text
    for words in ("of computing", "Range: ", "of memory, of 4 GB", "a CPU, 2 threads"):
        assert words in told.text
    assert not polled(told.text)


def test_another_choice_is_another_forecast(measured, forecast):
    few, many = forecast(images_per_class="1").text, forecast(images_per_class="8").text
    assert few != many


def test_without_a_measurement_it_waits_for_a_worker_and_asks_again(forecast):
    told = forecast()
    assert "Waiting for a worker" in told.text
    assert "No worker has answered" not in told.text
    assert forecast.open(polled(told.text)).status_code == 204


def test_when_nobody_answers_it_says_what_to_do(portal, forecast):
    told = forecast()
    with portal.database.transaction() as session:
        session.query(Forecast).update({"created_at": utc_now() - timedelta(minutes=2)})
    again = forecast.open(polled(told.text))
    assert "No worker has answered for a minute" in again.text
    assert "You can start without the forecast" in again.text
    assert forecast.open(polled(again.text)).status_code == 204


def test_what_cannot_be_is_told_in_place_of_the_forecast(forecast):
    told = forecast(images_per_class="99")
    assert told.status_code == 200
    assert 'role="alert"' in told.text
    assert "has 40 training images" in told.text.replace("&#39;", "'")


def test_what_does_not_fit_into_memory_is_told_in_place_of_it(measured, forecast):
    told = forecast(images_per_class="30")
    assert "need more memory than the worker has" in told.text


def test_it_waits_for_the_fields_of_the_preset_that_was_chosen(forecast):
    told = forecast(preset="cpu_small")
    assert "Requesting…" in told.text
    assert 'hx-trigger="load delay' in told.text


def test_without_scripts_it_is_a_page_of_its_own(forecast, measured):
    told = forecast(headers={})
    assert told.url.path.rpartition("/")[0].endswith("/distill/forecast")
    assert "<h1>Forecast</h1>" in told.text
    assert "of computing" in told.text
    assert "Go back to the form in your browser" in told.text


def test_what_was_told_stays_beside_the_distillation(portal, measured, forecast, ask):
    forecast()
    reply = ask()
    assert started(portal, reply).forecast_id is not None
    assert "later, about" in reply.text
    assert "<dt>Forecast</dt>" in reply.text


def test_another_organisation_sees_no_forecast(reader, forecast):
    address = polled(forecast().text)
    stranger = reader(Role.ADMIN, elsewhere=True)
    assert stranger.client.get(address, headers=HTMX).status_code == 404
