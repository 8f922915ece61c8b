"""Signing in and out on the pages."""

from urllib.parse import urlsplit

import pytest

from app.core.security import Role
from app.web.pages.sign_in import local_path
from tests.fixtures.clients import PASSWORD


def test_leads_to_the_page_that_was_asked_for(portal, anybody):
    portal.account(Role.STEWARD, email="grey@st-anna.example")
    asked = anybody.client.get("/?cursor=x")
    assert asked.url.path == "/sign-in"
    reply = anybody.send(
        str(asked.url), "/sign-in", email="grey@st-anna.example", password=PASSWORD
    )
    assert reply.url.path == "/"
    assert "Dr. Grey" in reply.text


def test_a_wrong_password_says_what_to_do_and_nobody_is_signed_in(portal, anybody, impatient):
    portal.account(Role.STEWARD, email="grey@st-anna.example")
    reply = anybody.sign_in("grey@st-anna.example", "not this sentence at all")
    assert reply.status_code == 401
    assert "ask an admin of your organisation" in reply.text
    assert urlsplit(str(anybody.client.get("/").url)).path == "/sign-in"


def test_within_the_form_where_scripts_run(portal, anybody, impatient):
    portal.account(Role.STEWARD, email="grey@st-anna.example")
    reply = anybody.client.post(
        "/sign-in",
        data={"email": "grey@st-anna.example", "password": "not this sentence"},
        headers={"HX-Request": "true"},
    )
    assert reply.status_code == 401
    assert reply.headers["hx-retarget"] == "find .form-problem"
    assert "<html" not in reply.text
    assert 'role="alert"' in reply.text


def test_signing_out_ends_the_session(reader):
    steward = reader(Role.STEWARD)
    reply = steward.send("/", "/sign-out")
    assert "You are signed out" in reply.text
    assert steward.client.get("/").url.path == "/sign-in"


def test_a_form_without_the_sessions_token_changes_nothing(reader):
    steward = reader(Role.STEWARD)
    reply = steward.client.post("/sign-out", data={"csrf_token": "guessed"})
    assert reply.status_code == 403
    assert "Dr. Grey" in steward.open("/")


def test_a_form_of_another_site_signs_nobody_in(portal, anybody):
    portal.account(Role.STEWARD, email="grey@st-anna.example")
    reply = anybody.client.post(
        "/sign-in",
        data={"email": "grey@st-anna.example", "password": PASSWORD},
        headers={"Sec-Fetch-Site": "cross-site"},
    )
    assert reply.status_code == 403
    assert not anybody.client.cookies


@pytest.mark.parametrize(
    "address",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", ""],
)
def test_nobody_is_led_elsewhere(address):
    assert local_path(address) == "/"


def test_an_address_of_any_letters_is_led_to_where_scripts_run(portal, anybody):
    portal.account(Role.STEWARD, email="grey@st-anna.example")
    reply = anybody.client.post(
        "/sign-in",
        data={
            "email": "grey@st-anna.example",
            "password": PASSWORD,
            "next": "/catalogue?q=肺&x=%20",
        },
        headers={"HX-Request": "true"},
    )
    assert reply.status_code == 200
    assert reply.headers["hx-redirect"] == "/catalogue?q=%E8%82%BA&x=%20"


def test_what_the_next_page_says_once_is_sent_over_https_alone(portal_with):
    portal = portal_with(public_url="https://exchange.example")
    reply = portal.client.post("/forgotten", data={"email": "grey@st-anna.example"})
    assert reply.headers["location"] == "/sign-in"
    flags = reply.headers["set-cookie"].lower()
    assert {"secure", "httponly", "samesite=lax"} <= {flag.strip() for flag in flags.split(";")}


def test_an_invitation_is_taken_on_its_page(portal, anybody):
    admin = portal.person(portal.organisation_id, Role.ADMIN, "Dr. Admin")
    link = admin.post(
        "/invitations", json={"email": "new@st-anna.example", "roles": ["researcher"]}
    ).json()["link"]
    assert urlsplit(link).path == "/join"
    secret = urlsplit(link).fragment
    assert secret not in anybody.open("/join")
    shown = anybody.client.post("/join/look", data={"secret": secret})
    assert "invites you to join St. Anna" in shown.text
    reply = anybody.client.post(
        "/join", data={"secret": secret, "name": "Dr. New", "password": PASSWORD}
    )
    assert reply.url.path == "/"
    assert "Dr. New" in reply.text
    assert "Your account is ready" in reply.text


def test_a_link_that_was_used_says_so(anybody):
    assert "This link does not work" in anybody.client.post("/join/look", data={"secret": "x"}).text


def test_a_link_without_its_secret_says_that_a_part_is_missing(anybody):
    shown = anybody.client.post("/join/look", data={"secret": ""}).text
    assert "A part of the link is missing" in shown
