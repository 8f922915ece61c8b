"""Keys, signatures, and how trust in one key reaches another."""

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.signing.keys import (
    KeyHistory,
    Purpose,
    Rotation,
    SigningError,
    canonical,
    decode,
    encode,
    fingerprint,
    new_key,
    parse_public_key,
    parse_rfc3339,
    public_key,
    rfc3339,
    sign,
    verify,
)
from app.signing.signature import Signature, Signer
from iadd.bundle.format import signed_message

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
SUMS = "ab" * 32

Keys = list[tuple[bytes, str]]


def test_equals_the_standard() -> None:
    """RFC 8032, section 7.1, test 2."""
    private = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    public = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    signature = (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    key = public_key(private)
    assert key == "ed25519:" + base64.b64encode(bytes.fromhex(public)).decode().rstrip("=")
    assert sign(private, b"\x72").hex() == signature
    assert verify(key, bytes.fromhex(signature), b"\x72")


def test_a_signature_is_for_one_key_and_one_message() -> None:
    (private, public), (_, other) = new_key(), new_key()
    signature = sign(private, b"hello")
    assert verify(public, signature, b"hello")
    assert not verify(public, signature, b"hello!")
    assert not verify(other, signature, b"hello")
    assert not verify(public, signature[:-1], b"hello")
    assert not verify(public, b"", b"hello")


def test_a_signature_for_one_purpose_proves_nothing_for_another() -> None:
    messages = {signed_message(purpose, b"x") for purpose in Purpose}
    assert len(messages) == len(Purpose)
    assert signed_message(Purpose.RELEASE, b"x") == b"iadd-exchange release 1\nx"


def test_a_key_survives_being_copied_by_people() -> None:
    _, public = new_key()
    assert len(public) == 51
    assert parse_public_key(f"  {public}=\n") == parse_public_key(public) == public


@pytest.mark.parametrize(
    "spoil",
    [
        lambda key: "",
        lambda key: key[:-1],
        lambda key: key + "A",
        lambda key: key.removeprefix("ed25519:"),
        lambda key: key.replace("ed25519", "rsa"),
        lambda key: key[:20] + " " + key[21:],
        lambda key: key[:-1] + "é",
        lambda key: key[:-1] + "=",
        lambda key: key.upper(),
    ],
)
def test_what_is_no_key_is_told(spoil: Callable[[str], str]) -> None:
    _, public = new_key()
    with pytest.raises(SigningError, match="not a public key"):
        parse_public_key(spoil(public))
    with pytest.raises(SigningError):
        fingerprint(spoil(public))


def test_a_key_has_one_spelling() -> None:
    """Base64 of 32 bytes has two spare bits: they have to be zero."""
    key = "ed25519:" + "A" * 43
    assert parse_public_key(key) == key
    with pytest.raises(SigningError):
        parse_public_key("ed25519:" + "A" * 42 + "B")


@pytest.mark.parametrize("private", [b"", b"short", bytes(31), bytes(33)])
def test_what_is_no_private_key_is_told(private: bytes) -> None:
    with pytest.raises(SigningError, match="32 bytes"):
        sign(private, b"x")


def test_a_fingerprint_can_be_read_aloud() -> None:
    (_, public), (_, other) = new_key(), new_key()
    groups = fingerprint(public).split("-")
    assert [len(group) for group in groups] == [4] * 5
    assert fingerprint(public) != fingerprint(other)


@given(st.binary(max_size=80))
def test_bytes_come_back_from_text(raw: bytes) -> None:
    assert decode(encode(raw), len(raw)) == raw


@given(st.text(max_size=50), st.integers(0, 40))
def test_any_text_is_decoded_in_one_way_or_refused(text: str, length: int) -> None:
    try:
        raw = decode(text, length)
    except SigningError:
        return
    assert len(raw) == length
    assert encode(raw) == text


def test_times_are_written_in_one_way() -> None:
    tokyo = datetime(2026, 11, 24, 21, 30, 0, 999999, tzinfo=timezone(timedelta(hours=9)))
    assert rfc3339(tokyo) == "2026-11-24T12:30:00Z"
    assert parse_rfc3339("2026-11-24T12:30:00Z") == NOW
    with pytest.raises(SigningError, match="time zone"):
        rfc3339(datetime(2026, 11, 24))
    for text in ("", "2026-11-24", "2026-11-24T12:30:00+00:00", "2026-13-24T12:30:00Z", "٢026"):
        with pytest.raises(SigningError):
            parse_rfc3339(text)


def test_canonical_json() -> None:
    assert canonical({"b": 1, "a": ["é", "\n"]}) == '{"a":["é","\\n"],"b":1}'.encode()
    for document in ({"a": float("nan")}, {"a": "\ud800"}, {"a": object()}):
        with pytest.raises(SigningError):
            canonical(document)


@pytest.fixture
def keys() -> Keys:
    return [new_key() for _ in range(4)]


def test_history_leads_through_every_rotation(keys: Keys) -> None:
    history = KeyHistory(keys[0][1])
    for number in range(3):
        history = history.rotated(
            keys[number][0], keys[number + 1][1], NOW + timedelta(days=number)
        )
    assert history.problem() is None
    assert history.keys == tuple(public for _, public in keys)
    assert KeyHistory.from_list(history.key, history.to_list()) == history


def test_only_the_present_key_names_the_next(keys: Keys) -> None:
    history = KeyHistory(keys[0][1])
    with pytest.raises(SigningError, match="only the present key"):
        history.rotated(keys[1][0], keys[2][1], NOW)


def test_a_history_neither_returns_nor_goes_back(keys: Keys) -> None:
    history = KeyHistory(keys[0][1]).rotated(keys[0][0], keys[1][1], NOW)
    with pytest.raises(SigningError, match="comes back"):
        history.rotated(keys[1][0], keys[0][1], NOW)
    with pytest.raises(SigningError, match="back in time"):
        history.rotated(keys[1][0], keys[2][1], NOW - timedelta(days=1))
    with pytest.raises(SigningError, match="comes back"):
        KeyHistory(keys[0][1]).rotated(keys[0][0], keys[0][1], NOW)


def test_a_broken_history_is_told(keys: Keys) -> None:
    (a, a_public), (b, b_public), (_, c_public), (_, d_public) = keys
    first, second = Rotation.make(a, b_public, NOW), Rotation.make(b, c_public, NOW)
    assert KeyHistory(c_public, (first, second)).problem() is None
    for broken, why in (
        (KeyHistory(c_public, (second, first)), "gap"),
        (KeyHistory(c_public, (first,)), "another key"),
        (KeyHistory(d_public, (first, second)), "another key"),
        (KeyHistory(c_public, (Rotation.make(a, c_public, NOW), second)), "gap"),
        (KeyHistory(c_public, (first, replace(second, at=NOW + timedelta(1)))), "never made"),
        (KeyHistory(c_public, (replace(first, signature=bytes(64)), second)), "never made"),
        (KeyHistory(c_public, (first, replace(second, new=d_public))), "another key"),
        (KeyHistory(d_public, (first, replace(second, new=d_public))), "never made"),
        (KeyHistory(b_public, (replace(first, old=d_public),)), "never made"),
    ):
        problem = broken.problem()
        assert problem is not None
        assert why in problem
    assert a_public in KeyHistory(b_public, (first,)).keys


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("at"),
        lambda d: d.update(extra="x"),
        lambda d: d.update(at=5),
        lambda d: d.update(at="yesterday"),
        lambda d: d.update(old="no key"),
        lambda d: d.update(signature="AAAA"),
        lambda d: d.update(signature=None),
    ],
)
def test_what_is_no_rotation_is_refused(
    keys: Keys, change: Callable[[dict[str, object]], object]
) -> None:
    document: dict[str, object] = dict(Rotation.make(keys[0][0], keys[1][1], NOW).to_dict())
    change(document)
    with pytest.raises(SigningError):
        Rotation.from_dict(document)


@pytest.mark.parametrize("document", [None, [], "x", 5, {}, {"old": {}}])
def test_what_is_nothing_like_a_rotation_is_refused(document: object) -> None:
    with pytest.raises(SigningError):
        Rotation.from_dict(document)
    with pytest.raises(SigningError):
        KeyHistory.from_list("ed25519:" + "A" * 43, [document])


def make_signature(keys: Keys) -> Signature:
    history = KeyHistory(keys[0][1]).rotated(keys[0][0], keys[1][1], NOW)
    signer = Signer.with_key("St. Anna «Hospital»", keys[1][0], history)
    return Signature.make(signer, sums_sha256=SUMS, signed_at=NOW)


def test_a_signature_file_comes_back(keys: Keys) -> None:
    signature = make_signature(keys)
    assert signature.problem(SUMS) is None
    assert Signature.from_bytes(signature.to_bytes()) == signature
    assert signature.to_bytes().endswith(b"}\n")


def test_a_signature_covers_all_that_it_says(keys: Keys) -> None:
    signature = make_signature(keys)
    assert signature.problem("cd" * 32) is not None
    for changed in (
        replace(signature, organisation="St. Berta"),
        replace(signature, signed_at=NOW + timedelta(seconds=1)),
        replace(signature, history=KeyHistory(signature.history.key)),
        replace(signature, history=KeyHistory(keys[2][1])),
        replace(signature, signature=bytes(64)),
    ):
        assert changed.problem(SUMS) is not None


def test_no_key_signs_before_it_is_in_use(keys: Keys) -> None:
    history = KeyHistory(keys[0][1]).rotated(keys[0][0], keys[1][1], NOW)
    signer = Signer.with_key("St. Anna", keys[1][0], history)
    with pytest.raises(SigningError, match="before its key was in use"):
        Signature.make(signer, sums_sha256=SUMS, signed_at=NOW - timedelta(seconds=1))


def test_a_signer_whose_key_does_not_fit_is_told(keys: Keys) -> None:
    signer = Signer.with_key("St. Anna", keys[0][0], KeyHistory(keys[1][1]))
    with pytest.raises(SigningError, match="not made for these files"):
        Signature.make(signer, sums_sha256=SUMS, signed_at=NOW)
    lazy = Signer(organisation="St. Anna", history=KeyHistory(keys[0][1]), sign=lambda _: b"")
    with pytest.raises(SigningError):
        Signature.make(lazy, sums_sha256=SUMS, signed_at=NOW)


@pytest.mark.parametrize("name", ["", " ", " St. Anna", "a\nb", "\u202eannA", "x" * 201])
def test_a_name_that_deceives_is_refused(keys: Keys, name: str) -> None:
    signer = Signer.with_key(name, keys[0][0], KeyHistory(keys[0][1]))
    with pytest.raises(SigningError, match="name"):
        Signature.make(signer, sums_sha256=SUMS, signed_at=NOW)


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c[:-1],
        lambda c: c + b"\n",
        lambda c: b" " + c,
        lambda c: c.replace(b":", b": ", 1),
        lambda c: c.replace(b'"format":1', b'"format":1,"format":1'),
        lambda c: c.replace(b'"format":1', b'"format":1.0'),
        lambda c: c.replace(b'"format":1', b'"format":true'),
        lambda c: c.replace(b'"format":1', b'"format":2'),
        lambda c: c.replace(b'"format":1', b'"extra":1,"format":1'),
        lambda c: c.replace("«".encode(), b"\\u00ab"),
        lambda c: c.replace(b'"ed25519"', b'"ed448"'),
        lambda c: c.replace(b'"history":[', b'"history":[null,'),
        lambda c: c.replace(b'"history":[', b'"history":{"a":') + b"}",
        lambda c: b"",
        lambda c: b"null\n",
        lambda c: b"[]\n",
        lambda c: b"\xff\xfe",
        lambda c: b"[" * 100_000,
        lambda c: b'{"format":' + b"9" * 10_000 + b"}",
        lambda c: b" " * 300_000,
        lambda c: c.replace(b'"St.', b'"\\ud800St.'),
    ],
)
def test_a_signature_file_has_one_form(keys: Keys, change: Callable[[bytes], bytes]) -> None:
    content = make_signature(keys).to_bytes()
    changed = change(content)
    assert changed != content
    with pytest.raises(SigningError):
        Signature.from_bytes(changed)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_by_name(content: bytes) -> None:
    with pytest.raises(SigningError):
        Signature.from_bytes(content)
