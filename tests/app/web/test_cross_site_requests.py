"""What a page of another site, or a form without the session's token, can do: nothing."""

import re

import pytest
from fastapi.routing import APIRoute

from app.core.security import Role
from app.web.router import router
from tests.fixtures.clients import PASSWORD, problem

PUBLIC = {"/sign-in", "/sign-in/code", "/forgotten", "/join", "/join/look"}
"""Nobody is signed in there; their forms carry no token."""
ATTEMPTS = {
    "no token": {"data": {}},
    "a guessed token": {"data": {"csrf_token": "guessed"}},
    "a body that is no form": {
        "content": b"csrf_token=guessed",
        "headers": {"Content-Type": "text/plain"},
    },
    "a file in place of the token": {"files": {"csrf_token": ("name", b"guessed")}},
}


def posts(routes):
    """The addresses of every POST of the pages, an id being `x`."""
    for route in routes:
        if isinstance(route, APIRoute) and "POST" in route.methods:
            yield re.sub(r"\{\w+\}", "x", route.path)
        inner = getattr(route, "original_router", None)
        yield from posts(inner.routes if inner is not None else getattr(route, "routes", ()))


POSTS = sorted(set(posts(router.routes)))


@pytest.fixture
def everybody(reader):
    """Somebody who may do whatever can be done."""
    return reader(Role.ADMIN, Role.STEWARD, Role.AUDITOR, Role.OPERATOR)


def test_all_of_them_are_asked():
    assert set(POSTS) > PUBLIC
    assert len(POSTS) > 50


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_every_form_needs_the_sessions_token(everybody, attempt):
    answers = {
        path: everybody.client.post(path, **ATTEMPTS[attempt]).status_code
        for path in POSTS
        if path not in PUBLIC
    }
    assert {path for path, status in answers.items() if status != 403} == set()


@pytest.mark.parametrize(
    "sent",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1"},
    ],
    ids=lambda sent: ": ".join(*sent.items()),
)
def test_no_form_on_another_sites_page_is_taken(everybody, sent):
    token = everybody.form("/account", "/account/password").fields["csrf_token"]
    answers = {
        path: everybody.client.post(path, data={"csrf_token": token}, headers=sent).status_code
        for path in POSTS
    }
    assert {path for path, status in answers.items() if status != 403} == set()


def test_no_other_sites_page_signs_anybody_in_over_rest(portal):
    portal.account(Role.STEWARD)
    body = {"email": "grey@st-anna.example", "password": PASSWORD}

    reply = portal.client.post(
        "/api/v1/session", json=body, headers={"Origin": "https://evil.example"}
    )

    assert problem(reply) == (403, "csrf")
    assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("origin", ["http://{host}", "https://{host}", "https://exchange.example"])
def test_a_page_of_this_portal_signs_in(portal_with, origin):
    """By the address that the browser has, or by the public one where a proxy changes the host."""
    portal = portal_with(public_url="https://exchange.example")
    portal.account(Role.STEWARD)
    here = origin.format(host=portal.client.base_url.netloc.decode())

    reply = portal.client.post(
        "/sign-in",
        data={"email": "grey@st-anna.example", "password": PASSWORD},
        headers={"Origin": here},
    )

    assert reply.status_code == 303
    assert "set-cookie" in reply.headers


def test_pages_let_the_browser_tell_where_a_form_was(everybody):
    """With `no-referrer` a browser sends `Origin: null` from the portal's own forms."""
    reply = everybody.client.get("/account")

    assert reply.headers["referrer-policy"] == "same-origin"
