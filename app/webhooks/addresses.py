"""Checks webhook addresses: public ones, and networks that the operator allowed.

A hospital's admin chooses the address, and the portal stands inside of a network that the admin may
not reach. So a name is resolved once, each of its addresses has to be allowed, and the connection
goes to one of those that were looked at: a name that means another machine a moment later (DNS
rebinding) leads nowhere else.
"""

import ipaddress
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import TypeAlias
from urllib.parse import urlsplit

from app.core.errors import Invalid

Address: TypeAlias = IPv4Address | IPv6Address
Networks: TypeAlias = Sequence[IPv4Network | IPv6Network]

_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL_UNICAST = IPv6Network("2000::/3")
"""Outside of it nothing of IPv6 is given to the public, whatever Python calls global."""
# Within, Python calls them global too. They carry an IPv4 address of anybody, or are examples.
_NOT_PUBLIC = (
    IPv4Network("192.88.99.0/24"),
    IPv6Network("2002::/16"),
    IPv6Network("3fff::/20"),
)


class AddressRefused(Invalid):
    code = "webhook-address-refused"
    title = "The webhook address is not allowed"


class NotAllowed(Exception):  # noqa: N818 (it names a finding)
    """The name leads nowhere, or where webhooks may not go.

    The two are reported as one: names within the operator's network stay private.
    """


@dataclass(frozen=True)
class Target:
    """A URL in parts, as a connection needs them."""

    is_https: bool
    host: str
    port: int
    path: str
    """With the query."""

    @property
    def host_header(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_https else 80) else f"{host}:{self.port}"


def read_target(url: str, networks: Networks) -> Target:
    """The parts of a URL that webhooks may be sent to, as far as it can be checked without DNS.

    Raises:
        AddressRefused: It is no such URL.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".").encode("idna").decode("ascii").lower()
        is_https = parts.scheme == "https"
        port = parts.port if parts.port is not None else (443 if is_https else 80)
    except (ValueError, UnicodeError):
        raise _refused("It cannot be read as a URL.") from None
    if not url.isascii() or not url.isprintable() or " " in url or not host or port == 0:
        raise _refused("It cannot be read as a URL.")
    if not is_https and not (parts.scheme == "http" and networks):
        raise _refused("It has to begin with https://.")
    if parts.username is not None or parts.password is not None:
        raise _refused("It holds a name or a password. The signature identifies the sender.")
    if parts.fragment:
        raise _refused("It has a part after #, which is never sent.")
    literal = _literal(host)
    if (host == "localhost" and not networks) or (
        literal is not None and not _is_allowed(literal, networks, public=is_https)
    ):
        raise _refused("It is not a public address, and in no network that this portal may reach.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(is_https, host, port, path)


def resolve(target: Target, networks: Networks) -> list[Address]:
    """The addresses of its host, in the order to try them. Raises NotAllowed."""
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotAllowed from None
    addresses = list(dict.fromkeys(ipaddress.ip_address(info[4][0]) for info in found))
    if not addresses or not all(
        _is_allowed(address, networks, public=target.is_https) for address in addresses
    ):
        raise NotAllowed
    return addresses


def _is_allowed(address: Address, networks: Networks, *, public: bool) -> bool:
    """True if the address is allowed; plain HTTP only within the named networks."""
    real = _real(address)
    if any(real in network for network in networks):
        return True
    return public and real.is_global and not real.is_multicast and not _is_odd(real)


def _is_odd(address: Address) -> bool:
    if isinstance(address, IPv6Address) and address not in _GLOBAL_UNICAST:
        return True
    return any(address in network for network in _NOT_PUBLIC)


def _real(address: Address) -> Address:
    """The IPv4 address within one of IPv6, where packets end there."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _literal(host: str) -> Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _refused(why: str) -> AddressRefused:
    return AddressRefused(
        f"{why} Nothing was changed. Give an address as in "
        "https://receiver.hospital.example/exchange; the operator of this portal can name networks "
        "of your own that it may reach."
    )
