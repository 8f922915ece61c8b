"""Talks to a hub in an organisation's name; nothing ever calls this portal from there.

The hub proves at each contact that it has the key that it had at the first one. Whoever took its
address over, or stands in between, has not.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import BaseModel, Field

from app.client.errors import PortalError
from app.client.transport import Bounds, Retries, Transport
from app.core.errors import Problem
from app.core.portal import Portal
from app.federation.identity import new_challenge, proves
from app.federation.schemas import PortalIdentity
from app.webhooks.addresses import AddressRefused, NotAllowed, read_target, resolve

RETRIES = Retries(attempts=2, longest_pause=2.0)
"""Within one contact. The courier comes again by itself."""


BOUNDS = Bounds(seconds=30.0, most_bytes=1024 * 1024)
"""Of an answer. A hub that trickles would otherwise hold up what goes to all others."""


class HubUnreachable(Problem):
    status = 502
    code = "hub-unreachable"
    title = "The hub does not answer as one"


class HubKeyChanged(Problem):
    status = 502
    code = "hub-key-changed"
    title = "The hub has another key than before"


class HubAddressRefused(Problem):
    status = 422
    code = "hub-address-refused"
    title = "The address is not allowed"


class Account(BaseModel):
    """Who the token is at the hub."""

    organisation_id: str = Field(max_length=40)
    organisation: str = Field(max_length=200)
    permissions: list[str]


@contextmanager
def contact(
    portal: Portal, url: str, token: str, *, pinned: str | None
) -> Iterator[tuple[Transport, PortalIdentity]]:
    """A connection to a hub that has proved its key.

    Args:
        portal: Knows the networks that may be reached.
        url: Root of the hub.
        token: The organisation's, at the hub. It is not sent before the hub has proved its key.
        pinned: The key that it has to have; None at the first contact.

    Raises:
        HubAddressRefused: Nothing may be sent to this address.
        HubUnreachable: Nobody answers there, or somebody who is no portal.
        HubKeyChanged: The hub has another key.
        PortalError: What the hub answers to later requests.
    """
    expect_allowed(portal, url)
    hub = _ask(url, pinned)
    transport = Transport(url, token, RETRIES, bounds=BOUNDS)
    try:
        yield transport, hub
    finally:
        transport.close()


def expect_allowed(portal: Portal, url: str) -> None:
    """Raises HubAddressRefused."""
    networks = portal.settings.webhook_networks_allowed
    try:
        resolve(read_target(url, networks), networks)
    except (AddressRefused, NotAllowed) as error:
        raise HubAddressRefused(
            "A hub has a public https:// address, or one in a network that the operator of this "
            "portal named (EXCHANGE_WEBHOOK_NETWORKS). Nothing was sent."
        ) from error


def _ask(url: str, pinned: str | None) -> PortalIdentity:
    challenge = new_challenge()
    try:
        stranger = Transport(url, None, RETRIES, bounds=BOUNDS)
    except PortalError as error:
        raise HubUnreachable(f"{error} Nothing was sent.") from error
    try:
        found = stranger.read("/portal", PortalIdentity, {"challenge": challenge})
    except PortalError as error:
        raise HubUnreachable(
            "No IADD Exchange answers at this address, or one that is too old for hubs. Nothing "
            "was sent; it is tried again."
        ) from error
    finally:
        stranger.close()
    if not proves(found, challenge):
        raise HubUnreachable("It has not proved that its key is its own. Nothing was sent.")
    if pinned is not None and found.public_key != pinned:
        raise HubKeyChanged(
            "Nothing is sent there any more. Ask the people who run it by telephone whether they "
            "had to make it anew. If so, connect again with the same address and compare the new "
            "fingerprint; what was shared stays known."
        )
    return found
