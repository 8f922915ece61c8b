"""Bearer tokens: a random secret that is shown once, and stored as its SHA-256."""

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum

TOKEN_PREFIX = "iadd_"  # noqa: S105 (a recognisable prefix, so that leaked tokens can be searched for)


class Role(StrEnum):
    STEWARD = "steward"
    RESEARCHER = "researcher"
    ADMIN = "admin"


class Permission(StrEnum):
    READ = "read"
    UPLOAD = "upload"
    DISTILL = "distill"
    DELETE = "delete"
    MANAGE = "manage"


PERMISSIONS: dict[Role, frozenset[Permission]] = {
    Role.STEWARD: frozenset(
        {Permission.READ, Permission.UPLOAD, Permission.DISTILL, Permission.DELETE}
    ),
    Role.RESEARCHER: frozenset({Permission.READ, Permission.DISTILL}),
    Role.ADMIN: frozenset(Permission),
}


@dataclass(frozen=True)
class Caller:
    """Who asks: every query starts with one."""

    organisation_id: str
    token_id: str
    role: Role

    def may(self, permission: Permission) -> bool:
        return permission in PERMISSIONS[self.role]


def new_secret() -> str:
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def hash_secret(secret: str) -> str:
    """A plain hash is enough: 256 random bits cannot be guessed, unlike a password."""
    return hashlib.sha256(secret.encode()).hexdigest()
