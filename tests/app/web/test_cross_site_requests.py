"""What a page of another site, or a form without the session's token, can do: nothing."""

import re

import pytest
from fastapi.routing import APIRoute

from app.core.security import Role
from app.web.router import router

PUBLIC = {"/sign-in", "/forgotten", "/join", "/join/look"}
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


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_no_form_on_another_sites_page_is_taken(everybody, site):
    token = everybody.form("/account", "/account/password").fields["csrf_token"]
    answers = {
        path: everybody.client.post(
            path, data={"csrf_token": token}, headers={"Sec-Fetch-Site": site}
        ).status_code
        for path in POSTS
    }
    assert {path for path, status in answers.items() if status != 403} == set()
