"""At the door: a wrong password, an ended session, a lost network, no permission."""

import sqlite3
from contextlib import closing

import pytest

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def steward(service, found, hire):
    found(service, "St. Anna")
    return hire(service, "St. Anna", "Dr. Door", "steward")


def test_a_wrong_password_is_told_in_the_form_which_keeps_what_was_typed(service, desk, steward):
    page = desk(service).open("/sign-in")
    page.get_by_label("E-mail address").fill(steward.email)
    page.get_by_label("Password").fill("not this sentence at all")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("alert").get_by_text("Wrong address or password").wait_for()
    assert page.get_by_label("E-mail address").input_value() == steward.email
    assert page.url.endswith("/sign-in")


def test_the_keyboard_alone_signs_in(service, desk, steward, password):
    page = desk(service).open("/sign-in")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.get_by_label("E-mail address").focus()
    page.keyboard.type(steward.email)
    page.keyboard.press("Tab")
    page.keyboard.type(password)
    page.keyboard.press("Enter")
    page.wait_for_url(service.url + "/")
    assert page.get_by_role("heading", level=1).is_visible()


def test_who_asks_for_a_page_signs_in_and_gets_there(service, desk, steward, password):
    page = desk(service).open("/account")
    assert "/sign-in" in page.url
    page.get_by_label("E-mail address").fill(steward.email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(service.url + "/account")


def test_a_session_that_ended_meanwhile_loses_nothing_that_was_typed(service, desk, steward):
    door = desk(service, steward)
    page = door.open("/datasets/new")
    page.get_by_label("Name", exact=True).fill("Winter 2026")
    _end_sessions(service)
    page.get_by_role("button", name="Create and choose archive").click()
    again = page.get_by_role("alert").get_by_role("link")
    again.wait_for()
    assert page.get_by_label("Name", exact=True).input_value() == "Winter 2026"
    with door.context.expect_page() as opened:
        again.click()
    other = opened.value
    other.get_by_label("E-mail address").fill(steward.email)
    other.get_by_label("Password").fill("a sentence that only I would say")
    other.get_by_role("button", name="Sign in", exact=True).click()
    other.wait_for_url(service.url + "/")
    other.close()
    page.bring_to_front()
    page.get_by_role("button", name="Create and choose archive").click()
    page.wait_for_url("**/datasets/ds_*")


def test_a_lost_network_is_told_and_its_return_too(service, desk, steward):
    door = desk(service, steward)
    page = door.open("/datasets/new")
    page.get_by_label("Name", exact=True).fill("Spring 2026")
    door.context.set_offline(True)
    page.get_by_role("button", name="Create and choose archive").click()
    page.get_by_text("No connection to the portal").wait_for()
    assert page.get_by_label("Name", exact=True).input_value() == "Spring 2026"
    door.context.set_offline(False)
    page.get_by_text("The connection is back").wait_for()
    page.get_by_role("button", name="Create and choose archive").click()
    page.wait_for_url("**/datasets/ds_*")


def test_no_permission_is_told_in_words(service, desk, hire):
    auditor = hire(service, "St. Anna", "Dr. Ledger", "auditor")
    page = desk(service, auditor).open("/datasets")
    assert page.get_by_role("heading", level=1).text_content() == "Your role does not allow this"
    assert page.get_by_role("link", name="Datasets").count() == 0


def _end_sessions(service):
    with closing(sqlite3.connect(service.data_dir / "exchange.db", timeout=30)) as database:
        database.execute("DELETE FROM web_session")
        database.commit()
