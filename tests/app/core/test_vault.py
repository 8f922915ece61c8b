"""What is sealed opens with the same secret alone, and for the same purpose."""

import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from pydantic import ValidationError

from app.core.settings import Settings
from app.core.vault import Purpose, Vault, WrongSecretKey

SECRET = "one that is random and long enough."
MINUTE = timedelta(minutes=1)


def settings(tmp_path, **changes):
    return Settings(_env_file=None, data_dir=tmp_path / "data", **changes)


def test_what_is_sealed_opens_again_and_looks_like_nothing():
    sealed = Vault(SECRET).seal(b"a private key")

    assert Vault(SECRET).open(sealed) == b"a private key"
    assert b"private" not in sealed.encode()
    assert Vault(SECRET).seal(b"a private key") != sealed


@pytest.mark.parametrize("spoil", [lambda text: text[:-4] + "AAA=", lambda _: "", lambda _: "ä"])
def test_what_was_changed_does_not_open(spoil):
    sealed = Vault(SECRET).seal(b"a private key")

    with pytest.raises(WrongSecretKey):
        Vault(SECRET).open(spoil(sealed))
    assert Vault(SECRET).open_recent(spoil(sealed), Purpose.STORED, MINUTE) is None


def test_another_secret_opens_nothing_and_says_what_to_do():
    sealed = Vault(SECRET).seal(b"a private key")

    with pytest.raises(WrongSecretKey, match="EXCHANGE_SECRET_KEY"):
        Vault(SECRET + "!").open(sealed)


def test_what_is_sealed_for_one_purpose_does_not_open_for_another():
    vault = Vault(SECRET)

    with pytest.raises(WrongSecretKey):
        vault.open(vault.seal(b"state", Purpose.SIGN_IN))
    assert vault.open_recent(vault.seal(b"key"), Purpose.SIGN_IN, MINUTE) is None
    assert vault.open_recent(vault.seal(b"state", Purpose.SIGN_IN), Purpose.SIGN_IN, MINUTE) == (
        b"state"
    )


def test_the_previous_secret_opens_what_is_stored_and_nothing_else():
    before, vault = Vault(SECRET + "!"), Vault(SECRET, previous=SECRET + "!")

    assert vault.open(before.seal(b"key")) == b"key"
    assert Vault(SECRET).open(vault.reseal(before.seal(b"key"))) == b"key"
    assert Vault(SECRET).open(vault.seal(b"key")) == b"key"
    cookie = before.seal(b"state", Purpose.SIGN_IN)
    assert vault.open_recent(cookie, Purpose.SIGN_IN, MINUTE) is None


def test_a_digest_is_the_same_each_time_and_needs_the_secret():
    assert Vault(SECRET).digest(b"x") == Vault(SECRET).digest(b"x")
    assert Vault(SECRET).digest(b"x") != Vault(SECRET + "!").digest(b"x")
    assert len(Vault(SECRET).digest(b"x")) == 64


def test_one_machine_makes_its_own_secret_and_keeps_it(tmp_path):
    sealed = Vault.of(settings(tmp_path)).seal(b"key")

    path = tmp_path / "data" / "secret.key"
    assert Vault.of(settings(tmp_path)).open(sealed) == b"key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["secret.key"]


def test_of_portals_that_start_at_once_one_makes_the_secret(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        vaults = list(threads.map(lambda _: Vault.of(settings(tmp_path)), range(8)))

    sealed = vaults[0].seal(b"key")
    assert {vault.open(sealed) for vault in vaults} == {b"key"}


def test_a_start_that_was_cut_off_does_not_stop_the_next_one(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret.key.abc").write_bytes(b"half")

    Vault.of(settings(tmp_path))

    assert len((tmp_path / "data" / "secret.key").read_text()) == 64


@pytest.mark.parametrize("content", ["", "half"])
def test_a_secret_that_was_emptied_is_not_used(tmp_path, content):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "secret.key").write_text(content)

    with pytest.raises(WrongSecretKey, match="Put a copy of it back"):
        Vault.of(settings(tmp_path))


@pytest.mark.parametrize(
    "placeholder",
    ["short", "x" * 31, "please-change-me-please-change-me", "SECRET" * 8, "example" * 8],
)
def test_a_placeholder_is_no_secret_and_is_not_repeated(tmp_path, placeholder):
    with pytest.raises(ValidationError) as refused:
        settings(tmp_path, secret_key=placeholder)

    assert "openssl rand" in str(refused.value)
    assert placeholder not in str(refused.value)
