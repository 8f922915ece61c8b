"""Roles, permissions and callers. Roles are for people, permissions for code and token scopes.

A token or a session never has more permissions than its person has at that moment, so that taking
a role away takes effect with the next request.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

TOKEN_PREFIX = "iadd_"  # noqa: S105 (a recognisable prefix, so that leaked tokens can be searched for)


class Role(StrEnum):
    STEWARD = "steward"
    RESEARCHER = "researcher"
    ADMIN = "admin"
    AUDITOR = "auditor"
    OPERATOR = "operator"


class Permission(StrEnum):
    READ = "read"
    """The organisation's datasets, distillations and reports; the catalogue."""
    UPLOAD = "upload"
    """Datasets and their archives."""
    DISTILL = "distill"
    """Distillations and trainings."""
    DELETE = "delete"
    """Datasets and distillations; withdrawals."""
    SHARE = "share"
    """Releases, and who may have them."""
    REQUEST = "request"
    """Others' releases: ask, accept terms, download, train, send scores."""
    MANAGE = "manage"
    """The organisation: people, tokens, keys, policy."""
    AUDIT = "audit"
    """The organisation's log."""
    OPERATE = "operate"
    """The portal: organisations, quotas, queues. Nothing of what an organisation stores."""


_WITHIN = frozenset(Permission) - {Permission.OPERATE}

PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.STEWARD: _WITHIN - {Permission.MANAGE, Permission.AUDIT},
    Role.RESEARCHER: frozenset({Permission.READ, Permission.DISTILL, Permission.REQUEST}),
    # Admins can give themselves any role; so a hospital with one person needs just this one.
    Role.ADMIN: _WITHIN,
    Role.AUDITOR: frozenset({Permission.AUDIT}),
    Role.OPERATOR: frozenset({Permission.OPERATE}),
}


def permissions_of(
    roles: Iterable[Role], scopes: Collection[Permission] | None = None
) -> frozenset[Permission]:
    """Permissions of these roles, narrowed to the scopes if given."""
    allowed = frozenset[Permission]().union(*(PERMISSIONS[role] for role in roles))
    return allowed if scopes is None else allowed & frozenset(scopes)


@dataclass(frozen=True, kw_only=True)
class Caller:
    """The authenticated caller: every query starts with one.

    Attributes:
        organisation_id: Whose things are asked for.
        permissions: Permissions of the caller.
        roles: Roles that give the permissions, for messages.
        name: Name of the person, or of a token without a person.
        user_id: The person; None for a token of the organisation itself.
        token_id: The token; None for a session in a browser.
    """

    organisation_id: str
    permissions: frozenset[Permission]
    roles: tuple[Role, ...]
    name: str
    user_id: str | None = None
    token_id: str | None = None

    @classmethod
    def on_behalf(cls, organisation_id: str, role: Role, name: str) -> Self:
        """The caller on whose behalf a task works: tasks carry ids, not callers."""
        return cls(
            organisation_id=organisation_id,
            permissions=PERMISSIONS[role],
            roles=(role,),
            name=name,
        )

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    @property
    def is_narrowed(self) -> bool:
        """Whether a token's scopes take away some of what the roles give."""
        return self.permissions != permissions_of(self.roles)


def new_secret() -> str:
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """A plain hash is enough: 256 random bits cannot be guessed, unlike a password."""
    return hashlib.sha256(secret.encode()).hexdigest()


def same_secret(one: str, other: str) -> bool:
    """Compare without telling by the time it takes how much was right."""
    return hmac.compare_digest(one.encode(), other.encode())
