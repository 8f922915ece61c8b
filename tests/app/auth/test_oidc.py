"""Signing in with the hospital's own account, at a real provider in another process."""

import os
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import uvicorn
from cryptography.fernet import Fernet
from pydantic import SecretStr, ValidationError
from sqlalchemy import select

from app.core import oidc_client
from app.core.clock import utc_now
from app.core.security import Role
from app.core.settings import Settings
from app.models import Invitation, User
from tests.fixtures.clients import problem

CALLBACK = "http://127.0.0.1:8000/api/v1/session/oidc/callback"
EMAIL = "grey@st-anna.example"
GREY = {"email": EMAIL, "email_verified": True, "name": "Meredith Grey"}

pytestmark = pytest.mark.usefixtures("impatient")


class IdentityProvider:
    """The process, and this portal's name and secret there."""

    def __init__(self, url):
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=20)
        client = self.http.post("/oauth2/clients", json={"redirect_uris": [CALLBACK]}).json()
        self.settings = {
            "oidc_issuer": url,
            "oidc_client_id": client["client_id"],
            "oidc_client_secret": SecretStr(client["client_secret"]),
        }

    def knows(self, subject, **claims):
        assert self.http.put(f"/users/{subject}", json=claims).status_code == 204

    def let_in(self, address, subject, **form):
        """As the person does on the provider's page: who they are, and back to the portal."""
        reply = self.http.post(address, data={"sub": subject, **form})
        assert reply.status_code == 302, reply.text
        return reply.headers["location"]


@pytest.fixture(scope="module")
def provider():
    command = [sys.executable, "-W", "ignore", Path(__file__).with_name("identity_provider.py")]
    environment = {**os.environ, "AUTHLIB_INSECURE_TRANSPORT": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, text=True
    ) as process:
        try:
            opened = IdentityProvider(process.stdout.readline().strip())
            yield opened
            opened.http.close()
        finally:
            process.kill()


@pytest.fixture
def portal(portal, provider, monkeypatch):
    """The shared portal, with the provider that its settings would name."""
    settings = portal.services.settings.model_copy(update=provider.settings)
    monkeypatch.setitem(vars(portal.services), "provider", oidc_client.Provider.of(settings))
    return portal


def begin(browser):
    """Where the portal sends the browser to."""
    reply = browser.get("/session/oidc")
    assert reply.status_code == 303, reply.text
    return reply.headers["location"]


def come_back(browser, address):
    """The browser follows; the portal here listens at another port than its public address."""
    assert address.startswith(CALLBACK + "?")
    return browser.get(address.removeprefix("http://127.0.0.1:8000/api/v1"))


def sign_in(portal, provider, subject="grey", browser=None):
    browser = browser or portal.browser()
    return come_back(browser, provider.let_in(begin(browser), subject))


def who(browser):
    reply = browser.get("/session")
    return reply.json() if reply.status_code == 200 else None


def failures(portal):
    entries = portal.admin.get("/audit?action=session.failed").json()["items"]
    return [entry["details"]["reason"] for entry in entries]


def person(portal, email=EMAIL):
    with portal.database.reading() as session:
        return session.scalars(select(User).where(User.email == email)).one_or_none()


@pytest.mark.usefixtures("database")
def test_a_steward_signs_in_with_the_hospitals_account(portal_with, migrated_url, provider):
    portal = portal_with(**provider.settings, database_url=migrated_url)
    user_id = portal.account(Role.STEWARD)
    provider.knows("grey", **GREY)
    browser = portal.browser()

    signed_in = sign_in(portal, provider, browser=browser)

    assert (signed_in.status_code, signed_in.headers["location"]) == (303, "/")
    session = who(browser)
    assert (session["user_id"], session["name"]) == (user_id, "Dr. Grey")
    browser.csrf_token = session["csrf_token"]
    assert browser.post("/datasets", json={"name": "chest"}).status_code == 201
    actions = [entry["action"] for entry in portal.admin.get("/audit").json()["items"]]
    assert actions[1:3] == ["session.opened", "user.changed"]
    [opened] = portal.admin.get("/audit?action=session.opened").json()["items"]
    assert opened["details"] == {"by": "identity provider"}


def test_afterwards_the_subject_counts_and_not_the_address(portal, provider):
    user_id = portal.account(Role.STEWARD)
    provider.knows("grey", **GREY)
    sign_in(portal, provider)
    provider.knows("grey", email="married@st-anna.example", email_verified=False)
    browser = portal.browser()

    sign_in(portal, provider, browser=browser)

    assert who(browser)["user_id"] == user_id


def test_the_address_of_the_sign_in_holds_what_the_protocol_asks(portal, provider):
    address = begin(portal.browser())

    asked = parse_qs(urlsplit(address).query)
    assert address.startswith(provider.url + "/oauth2/authorize?")
    assert asked["response_type"] == ["code"]
    assert asked["redirect_uri"] == [CALLBACK]
    assert asked["scope"] == ["openid profile email"]
    assert asked["code_challenge_method"] == ["S256"]
    assert len(asked["state"][0]) >= 32
    assert len(asked["nonce"][0]) >= 32
    assert begin(portal.browser()) != address


def test_what_the_browser_keeps_meanwhile_it_cannot_read(portal, provider):
    browser = portal.browser()
    asked = parse_qs(urlsplit(begin(browser)).query)

    reply = browser.get("/session/oidc")
    kept = reply.headers["set-cookie"]

    assert kept.startswith("exchange_sign_in=")
    assert "HttpOnly" in kept
    assert "SameSite=lax" in kept
    assert "Max-Age=600" in kept
    for secret in (*asked["state"], *asked["nonce"]):
        assert secret not in kept


def test_an_invitation_is_accepted_by_signing_in(portal, provider):
    portal.admin.post("/invitations", json={"email": EMAIL, "roles": ["researcher"]})
    provider.knows("grey", **GREY)
    browser = portal.browser()

    sign_in(portal, provider, browser=browser)

    session = who(browser)
    assert (session["name"], session["roles"]) == ("Meredith Grey", ["researcher"])
    assert person(portal).password_hash is None
    assert portal.browser().sign_in(EMAIL).status_code == 401
    [invitation] = portal.admin.get("/invitations").json()["items"]
    assert invitation["accepted_at"] is not None
    [joined] = portal.admin.get("/audit?action=user.joined").json()["items"]
    assert joined["actor"]["name"] == "Meredith Grey"


@pytest.mark.parametrize("name", [None, "", "Dr.\u202e\x1b", 5])
def test_who_has_no_name_that_can_be_shown_is_called_by_the_address(portal, provider, name):
    portal.admin.post("/invitations", json={"email": EMAIL, "roles": ["researcher"]})
    provider.knows("grey", **(GREY | {"name": name}))

    assert sign_in(portal, provider).status_code == 303
    assert person(portal).name == EMAIL


def test_nobody_gets_an_account_who_was_not_invited(portal, provider):
    provider.knows("grey", **GREY)

    assert problem(sign_in(portal, provider)) == (403, "oidc-no-account")
    assert person(portal) is None


@pytest.mark.parametrize("state", ["expired", "of a disabled organisation", "accepted"])
def test_an_invitation_that_does_not_work_makes_no_account(portal, provider, state):
    portal.admin.post("/invitations", json={"email": EMAIL, "roles": ["researcher"]})
    provider.knows("grey", **GREY)
    operator = portal.member(portal.elsewhere_id, Role.OPERATOR)
    if state == "of a disabled organisation":
        path = f"/organisations/{portal.organisation_id}"
        operator.request("PATCH", path, json={"disabled": True})
    else:
        with portal.database.transaction() as session:
            row = session.scalars(select(Invitation)).one()
            row.expires_at = utc_now() if state == "expired" else row.expires_at
            row.accepted_at = utc_now() if state == "accepted" else None

    assert problem(sign_in(portal, provider)) == (403, "oidc-no-account")


def test_a_link_to_set_a_password_is_no_invitation(portal, provider):
    gone = portal.account(Role.STEWARD, email="other@st-anna.example")
    portal.admin.post(f"/users/{gone}/password-link")
    with portal.database.transaction() as session:
        session.scalars(select(Invitation)).one().email = EMAIL
    provider.knows("grey", **GREY)

    assert problem(sign_in(portal, provider)) == (403, "oidc-no-account")


def test_whom_two_organisations_invite_chooses_by_the_link(portal, provider):
    for admin in (portal.admin, portal.stranger):
        admin.post("/invitations", json={"email": EMAIL, "roles": ["researcher"]})
    provider.knows("grey", **GREY)

    assert problem(sign_in(portal, provider)) == (403, "oidc-several-invitations")
    assert person(portal) is None


@pytest.mark.parametrize("verified", [False, None, "false", 0])
def test_an_address_that_nobody_has_verified_opens_no_account(portal, provider, verified):
    portal.account(Role.STEWARD)
    provider.knows("grey", **(GREY | {"email_verified": verified}))

    assert problem(sign_in(portal, provider)) == (403, "oidc-address-not-verified")
    assert failures(portal) == ["address not verified"]
    assert person(portal).oidc_subject is None


def test_an_address_that_nobody_has_verified_accepts_no_invitation(portal, provider):
    portal.admin.post("/invitations", json={"email": EMAIL, "roles": ["admin"]})
    provider.knows("grey", **(GREY | {"email_verified": False}))

    assert problem(sign_in(portal, provider)) == (403, "oidc-address-not-verified")
    assert person(portal) is None


@pytest.mark.parametrize("claims", [{}, {"email": "no address", "email_verified": True}])
def test_without_an_address_there_is_no_first_sign_in(portal, provider, claims):
    provider.knows("grey", **claims)

    assert problem(sign_in(portal, provider)) == (403, "oidc-address-not-verified")


def test_an_account_of_one_identity_is_not_another_ones(portal, provider):
    portal.account(Role.STEWARD)
    provider.knows("grey", **GREY)
    sign_in(portal, provider)
    provider.knows("impostor", **GREY)

    assert problem(sign_in(portal, provider, "impostor")) == (403, "oidc-other-identity")
    assert failures(portal) == ["another identity"]
    assert person(portal).oidc_subject == "grey"


def test_whoever_is_disabled_is_not_let_in(portal, provider):
    user_id = portal.account(Role.STEWARD)
    provider.knows("grey", **GREY)
    portal.admin.request("PATCH", f"/users/{user_id}", json={"disabled": True})

    assert problem(sign_in(portal, provider)) == (403, "oidc-account-disabled")
    assert person(portal).oidc_subject is None
    assert failures(portal) == ["disabled"]


def test_an_address_that_only_the_userinfo_endpoint_tells(portal, provider):
    user_id = portal.account(Role.STEWARD)
    provider.knows("grey", **GREY, only_asked=True)
    browser = portal.browser()

    sign_in(portal, provider, browser=browser)

    assert who(browser)["user_id"] == user_id


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"aud": "another client"},
        {"aud": ["another client", "and a third"]},
        {"iss": "https://somebody.example"},
        {"exp": 1_600_000_000},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"azp": "another client"},
        {"at_hash": "of another token"},
        {"only_asked": True, "swapped": "somebody else"},
        {"swapped": "x" * 256},
        {"signed": "by another"},
        {"signed": "none"},
        {"signed": "with the public key"},
    ],
    ids=str,
)
def test_a_token_that_does_not_prove_it_lets_nobody_in(portal, provider, claims):
    portal.account(Role.STEWARD)
    provider.knows("grey", **GREY, **claims)
    browser = portal.browser()

    refused = sign_in(portal, provider, browser=browser)

    assert problem(refused) == (502, "identity-provider-answer")
    assert "inform the operator" in refused.json()["detail"]
    assert who(browser) is None


def test_a_token_for_another_client_lets_nobody_in_though_it_names_this_one(portal, provider):
    portal.account(Role.STEWARD)
    azp = provider.settings["oidc_client_id"]
    provider.knows("grey", **GREY, aud="another client", azp=azp)

    assert problem(sign_in(portal, provider)) == (502, "identity-provider-answer")


def test_a_key_that_the_provider_changed_is_looked_for(portal, provider, monkeypatch):
    monkeypatch.setattr(oidc_client, "SECONDS_BETWEEN_KEYS", 0)
    portal.account(Role.STEWARD)
    provider.knows("grey", **GREY)
    assert sign_in(portal, provider).status_code == 303

    provider.http.post("/new-key")

    assert sign_in(portal, provider).status_code == 303


@pytest.mark.parametrize("state", ["", "guessed", "ä"])
def test_who_did_not_begin_it_here_is_not_signed_in(portal, provider, state):
    """Else a link could sign somebody in as its author."""
    portal.account(Role.STEWARD)
    provider.knows("grey", **GREY)
    theirs, ours = portal.browser(), portal.browser()
    address = provider.let_in(begin(theirs), "grey")

    assert problem(come_back(ours, address)) == (400, "oidc-not-begun")
    begin(ours)
    assert problem(come_back(ours, address)) == (400, "oidc-not-begun")
    code = parse_qs(urlsplit(address).query)["code"][0]
    changed = f"{CALLBACK}?{httpx.QueryParams(code=code, state=state)}"
    assert problem(come_back(theirs, changed)) == (400, "oidc-not-begun")


def test_a_code_that_somebody_else_asked_for_is_worth_nothing(portal, provider):
    """Injected into another sign-in it meets another PKCE challenge."""
    portal.account(Role.STEWARD)
    provider.knows("grey", **GREY)
    theirs, ours = portal.browser(), portal.browser()
    stolen = parse_qs(urlsplit(provider.let_in(begin(theirs), "grey")).query)["code"][0]
    state = parse_qs(urlsplit(begin(ours)).query)["state"][0]

    injected = f"{CALLBACK}?{httpx.QueryParams(code=stolen, state=state)}"

    assert problem(come_back(ours, injected)) == (400, "oidc-code-not-valid")


def test_a_code_works_once(portal, provider):
    portal.account(Role.STEWARD)
    provider.knows("grey", **GREY)
    browser = portal.browser()
    address = provider.let_in(begin(browser), "grey")
    kept = dict(browser.client.cookies)

    assert come_back(browser, address).status_code == 303
    assert "exchange_sign_in" not in browser.client.cookies
    assert problem(come_back(browser, address)) == (400, "oidc-not-begun")
    again = portal.browser()
    again.client.cookies.update(kept)
    assert problem(come_back(again, address)) == (400, "oidc-code-not-valid")


def test_a_sign_in_that_took_too_long_begins_again(portal, provider):
    portal.account(Role.STEWARD)
    provider.knows("grey", **GREY)
    browser = portal.browser()
    address = provider.let_in(begin(browser), "grey")
    fernet: Fernet = portal.services.vault._fernets["sign-in 1"]
    kept = browser.client.cookies["exchange_sign_in"].encode()
    begun = fernet.extract_timestamp(kept)
    late = fernet.encrypt_at_time(fernet.decrypt(kept), begun - 601).decode()
    browser.client.cookies.clear()
    browser.client.cookies.set("exchange_sign_in", late)

    assert problem(come_back(browser, address)) == (400, "oidc-not-begun")


def test_who_says_no_at_the_provider_is_told_so(portal, provider):
    browser = portal.browser()
    asked = parse_qs(urlsplit(begin(browser)).query)

    back = f"{CALLBACK}?{httpx.QueryParams(error='access_denied', state=asked['state'][0])}"

    assert problem(come_back(browser, back)) == (403, "oidc-refused")


def test_an_answer_in_another_providers_name_is_refused(portal, provider):
    portal.account(Role.STEWARD)
    provider.knows("grey", **GREY)
    browser = portal.browser()
    address = provider.let_in(begin(browser), "grey")

    mixed_up = f"{address}&iss=https%3A%2F%2Fsomebody.example"

    assert problem(come_back(browser, mixed_up)) == (400, "oidc-not-begun")
    assert come_back(browser, f"{address}&iss={provider.url}").status_code == 303


def test_the_page_that_follows_is_never_somebody_elses(portal, provider):
    portal.account(Role.STEWARD)
    provider.knows("grey", **GREY)
    browser = portal.browser()
    reply = browser.get("/session/oidc?next=https://evil.example&redirect_uri=https://evil.example")
    address = provider.let_in(reply.headers["location"], "grey")

    signed_in = come_back(browser, f"{address}&next=//evil.example")

    assert signed_in.headers["location"] == "/"
    assert signed_in.headers["referrer-policy"] == "no-referrer"


def test_the_session_before_ends_and_its_cookie_is_not_taken_over(portal, provider):
    portal.account(Role.STEWARD)
    provider.knows("grey", **GREY)
    browser = portal.browser()
    browser.sign_in(EMAIL)
    before = browser.client.cookies["exchange_session"]

    sign_in(portal, provider, browser=browser)

    assert browser.client.cookies["exchange_session"] != before
    old = {"Cookie": f"exchange_session={before}"}
    assert portal.client.get("/api/v1/session", headers=old).status_code == 401


def test_no_code_and_no_state_ends_in_the_log(portal_with, provider, monkeypatch, caplog):
    config = uvicorn.Config
    monkeypatch.setattr(
        uvicorn, "Config", lambda app, **how: config(app, **{**how, "access_log": True})
    )
    caplog.set_level("INFO")
    portal = portal_with(**provider.settings)
    portal.account(Role.STEWARD)
    provider.knows("grey", **GREY)
    browser = portal.browser()
    address = provider.let_in(begin(browser), "grey")

    come_back(browser, address)
    sign_in(portal, provider, "nobody")

    told = "\n".join(record.getMessage() for record in caplog.records if "uvicorn" in record.name)
    assert "/api/v1/session/oidc/callback" in told
    for secrets in parse_qs(urlsplit(address).query).values():
        assert secrets[0] not in told
    assert "code=" not in told


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def test_a_provider_that_is_down_holds_up_nobody_with_a_password(portal_with):
    portal = portal_with(oidc_issuer=f"http://127.0.0.1:{closed_port()}", oidc_client_id="portal")
    portal.account(Role.STEWARD)
    browser = portal.browser()

    down = browser.get("/session/oidc")

    assert problem(down) == (503, "identity-provider-unreachable")
    assert "password" in down.json()["detail"]
    assert down.headers["retry-after"] == "10"
    assert browser.sign_in(EMAIL).status_code == 201


def test_a_provider_that_is_silent_is_left_alone_for_a_while(portal_with, monkeypatch):
    """It accepts connections and says nothing; only the first request waits for it."""
    monkeypatch.setattr(oidc_client, "SECONDS_TO_ANSWER", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0)
        issuer = f"http://127.0.0.1:{listener.getsockname()[1]}"
        portal = portal_with(oidc_issuer=issuer, oidc_client_id="portal")
        for _ in range(3):
            reply = portal.browser().get("/session/oidc")
            assert problem(reply) == (503, "identity-provider-unreachable")
        listener.accept()[0].close()
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_a_provider_that_calls_itself_something_else_is_not_trusted(portal_with, provider):
    issuer = provider.url.replace("127.0.0.1", "localhost")
    portal = portal_with(**(provider.settings | {"oidc_issuer": issuer + "/"}))

    assert problem(portal.browser().get("/session/oidc")) == (502, "identity-provider-answer")


def test_a_wrong_secret_is_the_operators_affair(portal_with, provider):
    portal = portal_with(**(provider.settings | {"oidc_client_secret": SecretStr("wrong")}))
    provider.knows("grey", **GREY)

    refused = sign_in(portal, provider)

    assert problem(refused) == (502, "identity-provider-answer")
    assert "does not accept this portal" in refused.json()["detail"]


def test_a_portal_without_a_provider_says_so(portal_with):
    portal = portal_with()

    for path in ("/session/oidc", "/session/oidc/callback?code=x&state=y"):
        assert problem(portal.browser().get(path)) == (404, "no-identity-provider")


def test_beginning_again_and_again_is_held_up(portal_with, provider):
    portal = portal_with(**provider.settings, sign_in_rate="2/minute")

    statuses = [portal.browser().get("/session/oidc").status_code for _ in range(3)]

    assert statuses == [303, 303, 429]


@pytest.mark.parametrize(
    "settings",
    [
        {"oidc_issuer": "http://login.hospital.example", "oidc_client_id": "portal"},
        {"oidc_issuer": "login.hospital.example", "oidc_client_id": "portal"},
        {"oidc_issuer": "https://login.hospital.example"},
    ],
)
def test_a_provider_that_cannot_be_relied_on_is_refused_at_the_start(settings):
    with pytest.raises(ValidationError, match="EXCHANGE_OIDC_ISSUER"):
        Settings(_env_file=None, **settings)
