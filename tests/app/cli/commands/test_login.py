"""Signing in and out on the command line, and where the token is kept."""

import json
import os
import stat
import sys

import pyotp
import pytest

from app.client import NotSignedInError, PortalClient, PortalError
from app.client.signins import SignIns, find_portal, find_sign_in
from tests.fixtures.clients import PASSWORD

EMAIL = "dr.meyer@hospital.example"


@pytest.fixture
def meyer(portal):
    body = {"email": EMAIL, "name": "Dr. Meyer", "roles": ["steward"], "password": PASSWORD}
    reply = portal.admin.post("/users", json=body)
    assert reply.status_code == 201, reply.text
    return reply.json()


@pytest.fixture
def store(tmp_path):
    return tmp_path / "config" / "iadd-exchange" / "sign-ins.json"


def sign_in(exchange, *arguments, given=PASSWORD):
    return exchange(None, "login", "--email", EMAIL, *arguments, given=f"{given}\n")


def tokens(portal):
    return portal.admin.get("/tokens").json()["items"]


def stored(store, live_url):
    return json.loads(store.read_text())["portals"][live_url]


def test_signing_in_makes_a_token_that_the_other_commands_use(
    exchange, portal, meyer, store, live_url
):
    done = sign_in(exchange)

    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("Dr. Meyer of St. Anna is signed in at")
    token = stored(store, live_url)["token"]
    assert token.startswith("iadd_")
    assert token not in done.output
    assert PASSWORD not in done.output
    [made] = [row for row in tokens(portal) if row["user_id"] == meyer["id"]]
    assert made["name"].startswith("exchange login on ")
    assert made["expires_at"] is not None
    assert "Dr. Meyer of St. Anna (steward)" in exchange(None, "status").stdout


def test_an_account_with_a_second_factor_is_asked_for_a_code(exchange, portal, meyer, store):
    browser = portal.browser()
    browser.sign_in(EMAIL)
    begun = browser.post("/users/me/second-factor", json={"password": PASSWORD}).json()
    app = pyotp.TOTP(begun["secret"])
    codes = browser.post("/users/me/second-factor/confirm", json={"code": app.now()}).json()[
        "recovery_codes"
    ]

    missing = sign_in(exchange)
    assert missing.exit_code != 0
    assert "no code of your authenticator app" in missing.output
    done = sign_in(exchange, given=f"{PASSWORD}\n{codes[0]}")
    assert done.exit_code == 0, done.output
    assert codes[0] not in done.output
    assert "wrong" not in done.output
    assert "used before" in sign_in(exchange, given=f"{PASSWORD}\n{codes[0]}").output


def test_only_its_owner_can_read_the_token(exchange, meyer, store):
    sign_in(exchange)
    assert stat.S_IMODE(store.stat().st_mode) == 0o600
    assert stat.S_IMODE(store.parent.stat().st_mode) == 0o700
    assert [path.name for path in store.parent.iterdir()] == [store.name]
    store.chmod(0o644)
    sign_in(exchange)
    assert stat.S_IMODE(store.stat().st_mode) == 0o600


def test_no_session_stays_open(exchange, portal, meyer):
    sign_in(exchange)
    done = [entry["action"] for entry in portal.admin.get("/audit").json()["items"]]
    assert done[:3] == ["session.closed", "token.created", "session.opened"]


def test_signing_in_again_replaces_the_token(exchange, portal, meyer, store, live_url):
    sign_in(exchange)
    first = stored(store, live_url)["token_id"]
    sign_in(exchange, "--days", "1", "--scope", "read")
    [left] = [row for row in tokens(portal) if row["user_id"] == meyer["id"]]
    assert left["id"] != first
    assert left["scopes"] == ["read"]


def test_signing_out_deletes_the_token_there_and_here(exchange, portal, meyer, store):
    sign_in(exchange)
    done = exchange(None, "logout")
    assert done.exit_code == 0, done.output
    assert [row for row in tokens(portal) if row["user_id"] == meyer["id"]] == []
    assert json.loads(store.read_text()) == {"portals": {}}
    assert exchange(None, "logout").exit_code == 3
    assert exchange(None, "status").exit_code == 3


def test_a_token_that_was_deleted_meanwhile_hinders_nobody(exchange, portal, meyer):
    sign_in(exchange)
    for row in tokens(portal):
        if row["user_id"] == meyer["id"]:
            portal.admin.delete(f"/tokens/{row['id']}")
    refused = exchange(None, "status")
    assert refused.exit_code == 3
    assert "Sign in again: exchange login" in refused.stderr
    assert exchange(None, "logout").exit_code == 0


def test_a_portal_that_is_gone_is_forgotten_when_that_is_said(exchange, meyer, store, live_url):
    sign_in(exchange)
    gone = {"portals": {"http://127.0.0.1:9": stored(store, live_url)}}
    store.write_text(json.dumps(gone))
    refused = exchange(None, "logout", "--portal", "http://127.0.0.1:9")
    assert refused.exit_code == 6
    assert json.loads(store.read_text()) == gone
    done = exchange(None, "logout", "--portal", "http://127.0.0.1:9", "--forget")
    assert done.exit_code == 0
    assert "stays valid there" in done.stdout
    assert json.loads(store.read_text()) == {"portals": {}}


def test_a_wrong_password_signs_nobody_in(exchange, meyer, store):
    refused = sign_in(exchange, given="a guess")
    assert refused.exit_code == 3
    assert "Wrong address or password" in refused.stderr
    assert "a guess" not in refused.output
    assert not store.exists()
    assert sign_in(exchange, given="").exit_code == 2


def test_a_token_that_one_has_is_kept_once_it_is_good(exchange, portal, store, live_url):
    given = f"{portal.recipient.token}\n"
    done = exchange(None, "login", "--token-stdin", given=given)
    assert done.exit_code == 0, done.output
    assert portal.recipient.token not in done.output
    assert "Dr. Elsewhere of Elsewhere" in exchange(None, "status").stdout
    out = exchange(None, "logout")
    assert "The token stays valid there" in out.stdout
    assert portal.recipient.get("/session").status_code == 200
    refused = exchange(None, "login", "--token-stdin", given="iadd_wrong\n")
    assert refused.exit_code == 3
    assert "iadd_wrong" not in refused.output


def test_a_token_that_cannot_be_kept_is_deleted(exchange, portal, meyer, store):
    store.parent.parent.mkdir()
    store.parent.write_text("a file in the place of the folder")
    refused = sign_in(exchange)
    assert refused.exit_code == 1
    assert [row for row in tokens(portal) if row["user_id"] == meyer["id"]] == []


def test_a_password_goes_over_no_line_that_others_read(exchange):
    refused = exchange(
        None, "login", "--portal", "http://exchange.example", "--email", EMAIL, given="x\n"
    )
    assert refused.exit_code == 2
    assert "is not https://" in refused.stderr


def test_the_environment_comes_first(exchange, portal, meyer):
    sign_in(exchange)
    assert "Dr. Elsewhere" in exchange(portal.recipient, "status").stdout
    out = exchange(portal.recipient, "logout")
    assert "EXCHANGE_TOKEN is still set" in out.stdout


def test_a_file_that_is_not_as_it_was_written_is_told_without_its_content(exchange, meyer, store):
    sign_in(exchange)
    token = json.loads(store.read_text())["portals"].popitem()[1]["token"]
    store.write_text(store.read_text()[:-20])
    refused = exchange(None, "status")
    assert refused.exit_code == 1
    assert "sign in again" in refused.stderr
    assert token not in refused.output


def test_a_token_is_for_its_portal_alone(exchange, meyer, store, live_url, monkeypatch):
    sign_in(exchange)
    with pytest.raises(NotSignedInError):
        find_sign_in("http://127.0.0.1:9")
    monkeypatch.delenv("EXCHANGE_PORTAL_URL")
    assert find_portal() == live_url
    assert find_sign_in() == (live_url, stored(store, live_url)["token"])
    # A token of the environment goes where the environment says, or to this machine.
    monkeypatch.setenv("EXCHANGE_TOKEN", "iadd_other")
    assert find_sign_in() == ("http://127.0.0.1:8000", "iadd_other")


def test_the_last_sign_in_is_the_one_meant(tmp_path, exchange, meyer, store, live_url):
    sign_in(exchange)
    kept = SignIns(store)
    entry = kept.get(live_url)
    older = entry.model_copy(update={"signed_in_at": entry.signed_in_at.replace(year=2000)})
    kept.put("https://older.example", older)
    assert kept.latest() == live_url
    kept.remove(live_url)
    assert kept.latest() == "https://older.example"


def test_a_script_uses_the_same_sign_in(exchange, meyer, live_url):
    with pytest.raises(PortalError, match="not signed in"):
        PortalClient.signed_in()
    sign_in(exchange)
    with PortalClient.signed_in() as portal:
        assert portal.me().email == EMAIL
    with PortalClient.with_password(live_url, EMAIL, PASSWORD) as portal:
        assert portal.datasets.create("by hand").status == "awaiting_upload"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_password_is_not_shown_while_it_is_typed(exchange, meyer, store, live_url):
    import pty

    code, screen = None, b""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(
            sys.executable,
            [sys.executable, "-m", "app.cli", "login", "--portal", live_url, "--email", EMAIL],
        )
    # The space comes once the terminal shows nothing any more.
    while b"Password: " not in screen:
        screen += os.read(terminal, 1024)
    os.write(terminal, PASSWORD.encode() + b"\n")
    while code is None:
        try:
            screen += os.read(terminal, 1024)
        except OSError:  # the other end was closed
            code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    assert code == 0, screen
    assert PASSWORD.encode() not in screen
    assert b"Dr. Meyer of St. Anna is signed in" in screen
    assert stored(store, live_url)["name"] == "Dr. Meyer"
