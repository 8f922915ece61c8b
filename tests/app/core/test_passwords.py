"""Passwords: slow to try, and as slow for an address that nobody has."""

import pytest
from pwdlib import PasswordHash

from app.core import passwords
from app.core.passwords import check_password, hash_password


@pytest.fixture(autouse=True)
def real_cost(monkeypatch):
    """Other tests have a cheap one."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHash.recommended())
    passwords._unused_hash.cache_clear()
    yield
    passwords._unused_hash.cache_clear()


def test_a_hash_costs_what_is_recommended():
    stored = hash_password("a sentence that only I would say")
    assert stored.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert check_password("a sentence that only I would say", stored)
    assert not check_password("another sentence", stored)


def test_an_address_without_a_password_costs_as_much_and_never_gets_in(monkeypatch):
    checked = []
    real = passwords._hasher.verify
    monkeypatch.setattr(
        passwords._hasher, "verify", lambda *given: checked.append(given[1]) or real(*given)
    )
    assert not check_password("nobody has this password", None)
    assert checked[0].startswith("$argon2id$v=19$m=65536,t=3,p=4$")
