"""What holds for every address: HEAD, slashes at the end, headers of a site on HTTPS."""

import pytest

from app.core.security import Role
from tests.fixtures.clients import problem


def test_a_site_on_https_tells_browsers_to_come_by_nothing_else(portal_with):
    portal = portal_with(public_url="https://exchange.hospital.example")

    replies = [portal.client.get(path) for path in ("/sign-in", "/api/v1/datasets", "/nowhere")]

    assert [reply.status_code for reply in replies] == [200, 401, 404]
    assert {reply.headers.get("strict-transport-security") for reply in replies} == {
        "max-age=31536000"
    }


def test_a_site_on_plain_http_says_nothing_of_https(portal):
    assert "strict-transport-security" not in portal.client.get("/sign-in").headers


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/datasets/", "/datasets"),
        ("/datasets//", "/datasets"),
        ("/datasets/?cursor=x&limit=5", "/datasets?cursor=x&limit=5"),
        ("/api/v1/datasets/", "/api/v1/datasets"),
    ],
)
def test_a_slash_too_many_leads_to_the_same_host(portal, path, to):
    reply = portal.client.get(path, headers={"Host": "evil.example"})

    assert reply.status_code == 307
    assert reply.headers["location"] == to


@pytest.mark.parametrize("path", ["//evil.example/", "/%5Cevil.example/", "/..//evil.example/"])
def test_no_path_leads_to_another_host(portal, path):
    reply = portal.client.get(portal.client.base_url.join("/").copy_with(raw_path=path.encode()))

    assert reply.status_code == 404
    assert "location" not in reply.headers


def test_head_is_answered_as_get_without_the_body(portal):
    portal.account(Role.STEWARD)
    browser = portal.browser()
    browser.sign_in("grey@st-anna.example")

    for path in ("/", "/datasets", "/sign-in", "/healthz", "/readyz", "/metrics"):
        got, head = browser.client.get(path), browser.client.head(path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["content-type"] == got.headers["content-type"]
    assert portal.client.head("/", headers={"Accept": "text/html"}).status_code == 303
    assert portal.client.head("/nowhere").status_code == 404


def test_head_takes_no_bundle(portal):
    release_id = portal.release()["id"]

    for folder in ("/api/v1/releases", "/releases"):
        assert portal.client.head(f"{folder}/{release_id}/bundle").status_code == 405


@pytest.mark.parametrize("contact", ["a@b.example\r\nBcc: c@d.example", "a\x00b", "\x1b[31mred"])
def test_a_contact_is_one_line(portal, contact):
    changed = portal.admin.request("PATCH", "/organisations/mine", json={"contact": contact})

    assert problem(changed) == (422, "invalid")
    assert "one line" in changed.json()["detail"]


def test_a_contact_may_be_left_out(portal):
    changed = portal.admin.request("PATCH", "/organisations/mine", json={"contact": " "})

    assert changed.json()["contact"] == ""
