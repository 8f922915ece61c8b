"""One's own account on its page."""

import re

import pyotp

from app.core.security import Role
from app.models import Token
from tests.fixtures.clients import PASSWORD

SECRET = re.compile(r"iadd_[\w-]{20,}")


def secret_in(page: str) -> str:
    found = SECRET.findall(page)
    assert len(found) == 1, page
    return found[0]


def test_tells_roles_in_words(reader):
    page = reader(Role.RESEARCHER, Role.AUDITOR).open("/account")
    assert "Researcher: distills" in page
    assert "Auditor: reads the audit log" in page
    assert "person0@hospital.example" in page


def test_a_token_is_shown_once_and_works(portal, reader):
    steward = reader(Role.STEWARD)
    reply = steward.send("/account", "/account/tokens", name="nightly", days="30")
    secret = secret_in(reply.text)
    assert "<html" in reply.text
    assert secret not in steward.open("/account")
    assert "nightly" in steward.open("/account")
    headers = {"Authorization": f"Bearer {secret}"}
    session = portal.client.get("/api/v1/session", headers=headers).json()
    assert "upload" in session["permissions"]
    with portal.database.reading() as rows:
        token = rows.query(Token).filter_by(name="nightly").one()
    assert 29 <= (token.expires_at - token.created_at).days <= 30


def test_where_scripts_run_only_the_list_is_replaced(reader):
    steward = reader(Role.STEWARD)
    form = steward.form("/account", "/account/tokens")
    reply = steward.client.post(
        "/account/tokens",
        data=form.fields | {"name": "nightly", "days": "never"},
        headers={"HX-Request": "true"},
    )
    assert reply.text.lstrip().startswith('<section id="tokens"')
    secret_in(reply.text)


def test_a_token_may_do_what_was_ticked(portal, reader):
    steward = reader(Role.STEWARD)
    reply = steward.send("/account", "/account/tokens", name="reads", scopes=["read"])
    headers = {"Authorization": f"Bearer {secret_in(reply.text)}"}
    assert portal.client.get("/api/v1/session", headers=headers).json()["permissions"] == ["read"]


def test_a_token_cannot_do_more_than_its_owner(portal, reader):
    researcher = reader(Role.RESEARCHER)
    reply = researcher.send("/account", "/account/tokens", name="too much", scopes=["manage"])
    assert reply.status_code == 403
    assert "A token cannot do more than its maker" in reply.text
    assert "too much" not in researcher.open("/account")


def test_a_deleted_token_works_no_longer(portal, reader):
    steward = reader(Role.STEWARD)
    made = steward.send("/account", "/account/tokens", name="nightly").text
    action = re.search(r"/account/tokens/tok_\w+/delete", made).group()
    reply = steward.send("/account", action)
    assert "The token is deleted" in reply.text
    headers = {"Authorization": f"Bearer {secret_in(made)}"}
    assert portal.client.get("/api/v1/session", headers=headers).status_code == 401


def test_even_an_admin_sees_here_only_their_own(portal, reader):
    steward, admin = reader(Role.STEWARD), reader(Role.ADMIN)
    made = steward.send("/account", "/account/tokens", name="of the steward").text
    assert "of the steward" not in admin.open("/account")
    assert "of the steward" in made


def test_nobody_deletes_anothers(reader):
    steward, researcher = reader(Role.STEWARD), reader(Role.RESEARCHER)
    made = steward.send("/account", "/account/tokens", name="mine").text
    action = re.search(r"/account/tokens/tok_\w+/delete", made).group()
    token = researcher.form("/account", "/account/password").fields["csrf_token"]
    assert researcher.client.post(action, data={"csrf_token": token}).status_code == 404
    assert "mine" in steward.open("/account")


def test_a_new_password_ends_the_other_sessions(portal, reader, anybody):
    here = reader(Role.STEWARD)
    anybody.sign_in("person0@hospital.example", PASSWORD)
    assert "Welcome, " in anybody.open("/")
    new = "another sentence that nobody says"
    reply = here.send("/account", "/account/password", current=PASSWORD, new=new)
    assert "Your password is changed" in reply.text
    assert anybody.client.get("/").url.path == "/sign-in"
    assert anybody.sign_in("person0@hospital.example", new).url.path == "/"


def test_a_wrong_present_password_changes_nothing(reader, anybody):
    here = reader(Role.STEWARD)
    reply = here.send(
        "/account", "/account/password", current="not it at all", new="a new sentence of mine"
    )
    assert reply.status_code == 422
    assert "The current password is wrong" in reply.text
    assert anybody.sign_in("person0@hospital.example", PASSWORD).url.path == "/"


def test_signing_out_everywhere_ends_every_session(reader, anybody):
    here = reader(Role.STEWARD)
    anybody.sign_in("person0@hospital.example", PASSWORD)
    form = here.form("/account", "/sign-out")
    here.client.post("/sign-out", data=form.fields | {"everywhere": "true"})
    assert anybody.client.get("/account").url.path == "/sign-in"
    assert here.client.get("/account").url.path == "/sign-in"


def add_app(reader):
    """Add an authenticator app on the page; the app, and the page with the recovery codes."""
    shown = reader.send("/account", "/account/second-factor", password=PASSWORD).text
    assert "<svg" in shown
    [secret] = re.findall(r"<code>([A-Z2-7]{32})</code>", shown)
    token = reader.form("/account", "/account/password").fields["csrf_token"]
    code = {"csrf_token": token, "code": pyotp.TOTP(secret).now()}
    confirmed = reader.client.post("/account/second-factor/confirm", data=code)
    assert confirmed.status_code == 200, confirmed.text
    assert secret not in confirmed.text
    return confirmed.text


def recovery_codes_in(text):
    return re.findall(r"(?:[A-Z2-7]{4}-){3}[A-Z2-7]{4}", text)


def test_an_authenticator_app_is_added_asked_for_and_removed(reader, anybody, impatient):
    steward = reader(Role.STEWARD)
    codes = recovery_codes_in(add_app(steward))
    assert len(codes) == 8
    account = steward.open("/account")
    assert "8 recovery codes are left" in account
    assert codes[0] not in account

    asked = anybody.sign_in("person0@hospital.example", PASSWORD)
    assert asked.url.path == "/sign-in/code"
    wrong = anybody.send("/sign-in/code?next=/catalogue", "/sign-in/code", code="000000")
    assert wrong.status_code == 401
    assert "This code is not right" in wrong.text
    right = anybody.send("/sign-in/code?next=/catalogue", "/sign-in/code", code=codes[0])
    assert right.url.path == "/catalogue"
    assert "7 recovery codes are left" in anybody.open("/account")

    removed = steward.send(
        "/account", "/account/second-factor/remove", password=PASSWORD, code=codes[1]
    )
    assert "Two-factor authentication is off" in removed.text


def test_the_secret_of_an_app_is_shown_once(reader):
    steward = reader(Role.STEWARD)
    shown = steward.send("/account", "/account/second-factor", password=PASSWORD).text
    [secret] = re.findall(r"<code>([A-Z2-7]{32})</code>", shown)
    assert secret not in steward.open("/account")


def test_the_second_step_needs_the_first(anybody, impatient):
    assert anybody.client.get("/sign-in/code").url.path == "/sign-in"
    refused = anybody.client.post("/sign-in/code", data={"code": "123456"})
    assert refused.status_code == 401
    assert "Sign in again" in refused.text


def test_a_new_password_ends_a_sign_in_that_waits_for_its_code(portal, reader, anybody, impatient):
    steward = reader(Role.STEWARD)
    codes = recovery_codes_in(add_app(steward))
    anybody.sign_in("person0@hospital.example", PASSWORD)
    new = "another sentence that nobody says"
    steward.send("/account", "/account/password", current=PASSWORD, new=new)
    refused = anybody.client.post("/sign-in/code", data={"code": codes[0]})
    assert refused.status_code == 401
    assert "Wrong address or password" in refused.text


def test_an_admin_lets_a_person_in_who_has_lost_the_app(portal, reader, anybody):
    steward, admin = reader(Role.STEWARD), reader(Role.ADMIN)
    add_app(steward)
    people = admin.open("/organisation/people")
    [person] = {
        address
        for address in re.findall(r"/organisation/people/us_\w+", people)
        if "person0@" in admin.open(address)
    }
    reply = admin.send(person, f"{person}/second-factor/reset")
    assert "Two-factor authentication is off for this person" in reply.text
    assert anybody.sign_in("person0@hospital.example", PASSWORD).url.path == "/"
