"""Codes of authenticator apps and recovery codes."""

from datetime import UTC, datetime, timedelta

import pytest

from app.auth.second_factor.codes import (
    RECOVERY_CODES,
    Match,
    address_of_secret,
    hash_recovery_code,
    match_app_code,
    match_recovery_code,
    new_recovery_codes,
    new_totp_secret,
)

SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


def at(second):
    return datetime.fromtimestamp(second, UTC)


@pytest.mark.parametrize(
    ("second", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (2000000000, "279037")],
)
def test_the_codes_are_those_of_the_standard(second, code):
    assert match_app_code(SECRET, code, now=at(second), after=0) == Match(step=second // 30)
    assert match_app_code(SECRET, code[:3] + " " + code[3:], now=at(second), after=0) is not None


@pytest.mark.parametrize(
    ("apart", "is_right"), [(-60, False), (-30, True), (30, True), (60, False)]
)
def test_the_clock_of_a_phone_may_be_half_a_minute_off(apart, is_right):
    now = at(1111111109) + timedelta(seconds=apart)
    assert (match_app_code(SECRET, "081804", now=now, after=0) is not None) == is_right


def test_no_code_works_again_nor_does_an_earlier_one():
    step = 1111111109 // 30
    for after in (step, step + 1):
        assert match_app_code(SECRET, "081804", now=at(1111111109), after=after) is None
    assert match_app_code(SECRET, "081804", now=at(1111111109), after=step - 1) is not None


@pytest.mark.parametrize("code", ["", "81804", "0818040", "081805", "٠٨١٨٠٤", "x" * 40, "\0"])
def test_what_the_app_does_not_show_is_refused(code):
    assert match_app_code(SECRET, code, now=at(1111111109), after=0) is None


def test_the_app_shows_whose_code_it_is():
    address = address_of_secret(SECRET, "grey@st-anna.example")
    assert address == (
        f"otpauth://totp/IADD%20Exchange:grey%40st-anna.example?secret={SECRET}"
        "&issuer=IADD%20Exchange"
    )


def test_every_secret_and_recovery_code_is_another_one():
    assert len({new_totp_secret() for _ in range(50)}) == 50
    codes = new_recovery_codes() + new_recovery_codes()
    assert len(set(codes)) == 2 * RECOVERY_CODES
    assert all(len(code) == len("ABCD-EFGH-IJKL-MNOP") for code in codes)


def test_a_recovery_code_is_read_however_it_is_typed():
    code, other = new_recovery_codes()[:2]
    hashes = [hash_recovery_code(code)]
    for typed in (code, code.lower(), code.replace("-", ""), f" {code.replace('-', ' ')} "):
        assert match_recovery_code(hashes, typed) == Match(recovery_hash=hashes[0])
    assert match_recovery_code(hashes, other) is None
