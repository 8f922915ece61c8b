"""Mails leave once, over a line that is safe, and leave no secret behind."""

from datetime import timedelta

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from app.background import mailer
from app.core.clock import utc_now
from app.core.security import Role
from app.models import Invitation, MailStatus, Notification, User
from app.notifications.service import Notice, notify
from tests.fixtures.clients import PASSWORD

pytestmark = pytest.mark.usefixtures("impatient")

EMAIL = "yang@st-anna.example"
INVITED = {"email": EMAIL, "roles": ["steward"]}
NEW_PASSWORD = "another sentence that I would say"


@pytest.fixture
def portal(portal_with, mail_server):
    """A portal that sends mails when the test says so."""
    url = f"smtp://127.0.0.1:{mail_server.port}"
    return portal_with(smtp_url=SecretStr(url), mail_seconds=3600)


def rows(portal):
    with portal.database.reading() as session:
        return session.scalars(select(Notification).order_by(Notification.created_at)).all()


def let_time_pass(portal):
    with portal.database.transaction() as session:
        for row in session.scalars(select(Notification)):
            row.next_try_at = utc_now() - timedelta(seconds=1)


def body_of(mail):
    return mail.get_content()


def test_an_invitation_is_mailed_and_its_link_is_then_kept_nowhere(portal, mail_server):
    link = portal.admin.post("/invitations", json=INVITED).json()["link"]
    secret = link.partition("#")[2]
    [row] = rows(portal)
    assert row.sealed_link is not None
    assert not portal.files_with(secret)

    assert mailer.send_due(portal.services) == 1

    [mail] = mail_server.mails
    assert mail["To"] == EMAIL
    assert mail["Subject"] == "You are invited to IADD Exchange"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content_type() == "text/plain"
    assert link in body_of(mail)
    [row] = rows(portal)
    assert (row.mail_status, row.sealed_link) == (MailStatus.SENT, None)
    assert not portal.files_with(secret)
    assert mailer.send_due(portal.services) == 0
    accepted = portal.client.post(
        "/api/v1/invitations/accept",
        json={"secret": secret, "name": "Dr. Yang", "password": PASSWORD},
    )
    assert accepted.status_code == 201


def test_the_thread_of_the_portal_sends_by_itself(portal_with, mail_server, wait_until):
    url = f"smtp://127.0.0.1:{mail_server.port}"
    portal = portal_with(smtp_url=SecretStr(url), mail_seconds=0.02)

    portal.admin.post("/invitations", json=INVITED)

    wait_until(lambda: len(mail_server.mails) == 1, "the mail came")


def test_who_forgot_the_password_gets_a_link_by_mail(portal, mail_server, wait_until):
    portal.account(Role.STEWARD, email=EMAIL)
    portal.account(Role.STEWARD, email="gone@st-anna.example")
    with portal.database.transaction() as session:
        gone = session.scalars(select(User).where(User.email == "gone@st-anna.example")).one()
        gone.disabled_at = utc_now()

    for email in (EMAIL, "gone@st-anna.example", "drelsewhere@hospital.example", "no@one.example"):
        portal.client.post("/api/v1/session/forgotten", json={"email": email})
    wait_until(lambda: len(rows(portal)) == 1, "the notice is there")
    mailer.send_due(portal.services)

    # Not the disabled, and not Dr. Elsewhere, who has no password and signs in by other means.
    [mail] = mail_server.mails
    assert mail["To"] == EMAIL
    secret = body_of(mail).partition("/join#")[2].split()[0]
    body = {"secret": secret, "password": NEW_PASSWORD}
    assert portal.client.post("/api/v1/invitations/accept", json=body).status_code == 201
    assert portal.browser().sign_in(EMAIL, NEW_PASSWORD).status_code == 201
    [entry] = portal.admin.get("/audit?action=user.invited").json()["items"]
    assert entry["actor"]["name"] == "somebody at the sign-in"


def test_a_server_with_starttls_and_a_password(portal_with, secure_mail_server):
    url = f"smtp://exchange:p%40ss%3Aword@127.0.0.1:{secure_mail_server.port}"
    portal = portal_with(smtp_url=SecretStr(url), mail_seconds=3600)
    portal.admin.post("/invitations", json=INVITED)

    assert mailer.send_due(portal.services) == 1

    assert secure_mail_server.tls == [True]


def test_no_password_goes_over_a_plain_line(portal_with, mail_server, caplog):
    url = f"smtp://exchange:hush@127.0.0.1:{mail_server.port}"
    portal = portal_with(smtp_url=SecretStr(url), mail_seconds=3600)
    portal.admin.post("/invitations", json=INVITED)

    assert mailer.send_due(portal.services) == 0

    assert mail_server.mails == []
    assert "SMTPNotSupportedError" in caplog.text
    assert "hush" not in caplog.text


def test_a_certificate_that_nobody_trusts_gets_no_mail(
    portal_with, secure_mail_server, monkeypatch, caplog
):
    monkeypatch.delenv("SSL_CERT_FILE")
    url = f"smtp://exchange:p%40ss%3Aword@127.0.0.1:{secure_mail_server.port}"
    portal = portal_with(smtp_url=SecretStr(url), mail_seconds=3600)
    portal.admin.post("/invitations", json=INVITED)

    assert mailer.send_due(portal.services) == 0
    assert secure_mail_server.mails == []
    assert "SSLCertVerificationError" in caplog.text


def test_a_mail_that_cannot_be_sent_waits_longer_each_time_and_holds_up_no_other(
    portal, mail_server, caplog
):
    mail_server.refuse = {EMAIL}
    secret = portal.admin.post("/invitations", json=INVITED).json()["link"].partition("#")[2]
    portal.admin.post("/invitations", json={"email": "other@st-anna.example", "roles": ["auditor"]})

    assert mailer.send_due(portal.services) == 1
    assert [mail["To"] for mail in mail_server.mails] == ["other@st-anna.example"]
    assert EMAIL not in caplog.text
    first = rows(portal)[0]
    assert first.mail_status == MailStatus.PENDING
    assert timedelta(seconds=30) < first.next_try_at - utc_now() <= timedelta(minutes=1)
    assert mailer.send_due(portal.services) == 0

    let_time_pass(portal)
    mailer.send_due(portal.services)
    second = rows(portal)[0]
    assert timedelta(seconds=90) < second.next_try_at - utc_now() <= timedelta(minutes=2)

    with portal.database.transaction() as session:
        session.get(Notification, first.id).mail_tries = mailer.MOST_TRIES - 1
    let_time_pass(portal)
    mailer.send_due(portal.services)
    given_up = rows(portal)[0]
    assert (given_up.mail_status, given_up.sealed_link) == (MailStatus.FAILED, None)
    assert not portal.files_with(secret)


def test_a_link_that_cannot_be_opened_holds_up_no_other_mail(portal, mail_server):
    portal.admin.post("/invitations", json=INVITED)
    portal.admin.post("/invitations", json={"email": "other@st-anna.example", "roles": ["auditor"]})
    with portal.database.transaction() as session:
        session.scalars(
            select(Notification).where(Notification.email == EMAIL)
        ).one().sealed_link = "sealed with another secret"

    assert mailer.send_due(portal.services) == 1

    assert [mail["To"] for mail in mail_server.mails] == ["other@st-anna.example"]


def test_a_mail_that_one_portal_is_sending_is_left_to_it(either_portal, mail_server):
    database = either_portal.database
    with database.transaction() as session:
        person = session.scalars(select(User)).one()
        notify(session, [person], Notice(kind="access.granted", title="Granted", text="Read it."))
    notifications = mailer.NotificationRepository
    with database.transaction() as session:
        [due] = notifications(session).due(utc_now())
        assert notifications(session).take(due, until=utc_now() + timedelta(minutes=10)) is not None

    with database.transaction() as session:
        assert notifications(session).take(due, until=utc_now()) is None
        assert notifications(session).due(utc_now()) == []


def test_a_portal_without_a_mail_server_keeps_the_notice_and_no_link(portal_with):
    portal = portal_with(mail_seconds=3600)
    with portal.database.transaction() as session:
        person = session.scalars(select(User)).one()
        notify(session, [person], Notice(kind="access.granted", title="Granted", text="Read it."))
    portal.admin.post("/invitations", json=INVITED)

    assert mailer.send_due(portal.services) == 0

    [row] = rows(portal)
    assert (row.kind, row.mail_status) == ("access.granted", MailStatus.NONE)
    with portal.database.reading() as session:
        assert session.scalars(select(Invitation)).one().email == EMAIL


def test_a_title_with_line_breaks_makes_no_header(portal, mail_server):
    with portal.database.transaction() as session:
        person = session.scalars(select(User)).one()
        notice = Notice(
            kind="x", title="Granted\r\nBcc: everybody@example.org", text="Read it.", link="/here"
        )
        notify(session, [person], notice)

    mailer.send_due(portal.services)

    [mail] = mail_server.mails
    assert mail["Bcc"] is None
    assert "http://127.0.0.1:8000/here" in body_of(mail)
