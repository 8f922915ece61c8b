"""Sends mails for notices. Every portal runs a mailer; one of them claims each mail.

A mail that cannot be sent is tried again, each time later, and given up after a week: the notice
stays in the portal.
"""

import logging
import smtplib
import ssl
from datetime import timedelta
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from urllib.parse import unquote, urlsplit

from app.core.clock import utc_now
from app.core.portal import Portal
from app.models.notification import Notification
from app.notifications.repository import LONGEST_PAUSE, NotificationRepository

logger = logging.getLogger(__name__)

FIRST_PAUSE = timedelta(minutes=1)
TAKEN_FOR = timedelta(minutes=10)
"""A portal that has not sent it by then has died on the way, and another one takes it."""
MOST_TRIES = 20
SECONDS_FOR_THE_SERVER = 30


def send_due(portal: Portal) -> int:
    """Send what is due; how many left. Without a mail server nothing is due any more."""
    if not portal.settings.smtp_url.get_secret_value():
        with portal.database.transaction() as session:
            NotificationRepository(session).send_none()
        return 0
    with portal.database.reading() as session:
        due = NotificationRepository(session).due(utc_now())
    return sum(_send(portal, notification_id) for notification_id in due)


def _send(portal: Portal, notification_id: str) -> bool:
    with portal.database.transaction() as session:
        row = NotificationRepository(session).take(notification_id, until=utc_now() + TAKEN_FOR)
    if row is None:
        return False
    try:
        _deliver(portal, compose(portal, row))
    except Exception as error:  # noqa: BLE001 (one mail never holds up the others)
        # The reason's text may repeat the address, so only its kind is logged.
        logger.warning("mail for %s was not sent: %s", notification_id, type(error).__name__)
        _postpone(portal, row)
        return False
    with portal.database.transaction() as session:
        NotificationRepository(session).finish(row)
    return True


def _postpone(portal: Portal, row: Notification) -> None:
    pause = min(FIRST_PAUSE * 2 ** (row.mail_tries - 1), LONGEST_PAUSE)
    with portal.database.transaction() as session:
        notifications = NotificationRepository(session)
        if row.mail_tries >= MOST_TRIES:
            notifications.give_up(row)
        else:
            notifications.postpone(row, utc_now() + pause)


def compose(portal: Portal, row: Notification) -> EmailMessage:
    """The mail of a notice: plain text, which every reader shows and nothing tracks."""
    link = f"{portal.settings.public_url}{row.link}" if row.link else None
    if row.sealed_link is not None:
        link = portal.vault.open(row.sealed_link).decode()
    paragraphs = [row.text, *([link] if link else []), "IADD Exchange. For research use."]
    message = EmailMessage()
    message["Subject"] = " ".join(row.title.split())
    message["From"] = portal.settings.mail_from
    message["To"] = row.email
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = make_msgid(row.id, domain="iadd-exchange.invalid")
    message["Auto-Submitted"] = "auto-generated"
    message.set_content("\n\n".join(paragraphs) + "\n")
    return message


def _deliver(portal: Portal, message: EmailMessage) -> None:
    url = urlsplit(portal.settings.smtp_url.get_secret_value())
    context = ssl.create_default_context()
    host = url.hostname or "localhost"
    server: smtplib.SMTP
    if url.scheme == "smtps":
        server = smtplib.SMTP_SSL(
            host, url.port or 465, timeout=SECONDS_FOR_THE_SERVER, context=context
        )
    else:
        server = smtplib.SMTP(host, url.port or 25, timeout=SECONDS_FOR_THE_SERVER)
    with server:
        server.ehlo()
        if url.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls(context=context)
            server.ehlo()
        if url.username:
            if not isinstance(server.sock, ssl.SSLSocket):
                raise smtplib.SMTPNotSupportedError("no password over a line that is not encrypted")
            server.login(unquote(url.username), unquote(url.password or ""))
        server.send_message(message)
