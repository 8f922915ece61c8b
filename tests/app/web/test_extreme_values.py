"""Numbers and days beyond what anything can hold, in each field of each page: never a 500."""

import importlib
import inspect
import json
import pkgutil
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel

import app.web.pages
from app.core.security import Role
from app.web.settings_form import PREFIX
from tests.app.factories import ObjectFactory, filled
from tests.app.web.test_page_authorisation import FORMS, IDS, READS_PAGES, USUAL

EXTREME = ("9" * 5000, "-" + "9" * 30, "1e999", "nan", "0001-01-01", "9999-12-31", "\x00", "²")
READ_BY_HAND = {
    "POST /datasets/{dataset_id}/distill": ["images_per_class", "seed", f"{PREFIX}iterations"],
    "POST /datasets/{dataset_id}/distill/forecast": ["images_per_class", "seed"],
    "POST /datasets/{dataset_id}/layout": ["reading", "encoding"],
    "POST /datasets/{dataset_id}/findings": ["into", "class"],
    "POST /datasets/{dataset_id}/texts": ["all"],
}
"""Fields that no signature names."""
CHANGES_WHO_ASKS = {"POST /sign-out", "POST /account/password"}


def fields() -> Iterator[tuple[str, list[str]]]:
    """Each page with the names of what can be sent to it."""
    for module in pkgutil.iter_modules(app.web.pages.__path__):
        for route in importlib.import_module(f"app.web.pages.{module.name}").router.routes:
            assert isinstance(route, APIRoute)
            page = f"{min(route.methods)} {route.path}"
            names = [field.alias for field in route.dependant.query_params]
            for field in route.dependant.body_params:
                model = field.field_info.annotation
                is_model = inspect.isclass(model) and issubclass(model, BaseModel)
                names += model.model_fields if is_model else [field.alias]
            names += READ_BY_HAND.get(page, [])
            if names and page not in CHANGES_WHO_ASKS:
                yield page, names


PAGES = dict(fields())


@pytest.fixture
def ask(portal: Any) -> Iterator[Any]:
    """Sends one field beside what is right; somebody asks who may do everything."""
    portal.account(Role.ADMIN, Role.STEWARD, Role.AUDITOR, Role.OPERATOR)
    browser = portal.browser()
    browser.sign_in("grey@st-anna.example")
    factory = ObjectFactory(portal)
    with httpx.Client(base_url=portal.client.base_url, timeout=20) as client:
        client.cookies = browser.client.cookies

        def send(page: str, address: str, name: str, value: str) -> int:
            sent = {"csrf_token": browser.csrf_token}
            if page.startswith("GET "):
                return client.get(
                    address, params={name: value[:3000]}, headers=READS_PAGES
                ).status_code
            form = FORMS[page](factory) if page in FORMS else {}
            return client.post(
                address, data=sent | form | {name: value}, headers=READS_PAGES
            ).status_code

        yield send


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_no_value_of_a_field_is_too_much_for_a_page(portal, ask, page):
    ids = USUAL | IDS.get(page, {})
    address = filled(ObjectFactory(portal), page.split()[1], ids)

    answers = {
        (name, value[:20]): ask(page, address, name, value)
        for name in PAGES[page]
        for value in EXTREME
    }

    assert {sent: status for sent, status in answers.items() if status >= 500} == {}


@pytest.mark.parametrize(
    ("page", "name", "value", "status"),
    [
        ("GET /audit", "until", "9999-12-31", 200),
        ("GET /audit", "since", "0001-01-01", 200),
        ("POST /trainings", "own_per_class", "9" * 5000, 422),
        ("POST /trainings", "networks", "9" * 5000, 422),
    ],
)
def test_what_was_once_too_much(ask, page, name, value, status):
    assert ask(page, page.split()[1], name, value) == status


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_times_that_are_none_in_utc_are_refused_over_rest(portal, time):
    listed = portal.admin.get("/audit", params={"since": time})
    made = portal.admin.post("/tokens", json={"role": "steward", "expires_at": time})
    cursor = urlsafe_b64encode(json.dumps([time, "ds_1"]).encode()).decode()
    paged = portal.admin.get("/datasets", params={"cursor": cursor})

    assert [reply.status_code for reply in (listed, made, paged)] == [422] * 3
    assert "1 to 9999" in listed.json()["detail"]


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_the_first_and_the_last_moment_are_times(either_portal, time):
    assert either_portal.admin.get("/audit", params={"since": time}).status_code == 200


def test_a_cursor_that_is_deeper_than_anything_is_refused(portal):
    cursor = urlsafe_b64encode(b"[" * 100_000).decode()

    replies = [
        portal.admin.get(path, params={"cursor": cursor[:8000]}) for path in ("/datasets", "/audit")
    ]

    assert {reply.status_code for reply in replies} == {422}
