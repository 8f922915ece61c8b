"""From a distillation's bundle to a release."""

import hashlib
import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from app.releases.facts import OverrideFacts, ReleaseFacts
from app.releases.pack import PackError, pack_release
from app.signing.keys import KeyHistory
from app.signing.signature import Signature, Signer
from app.signing.verify import GOOD, verify_bundle
from app.signing.zip_container import DamagedError, write_container

MakeFacts = Callable[..., ReleaseFacts]
Keys = list[tuple[bytes, str]]

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


def files_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {entry.filename: archive.read(entry) for entry in archive.infolist()}


def rewritten(whole: bytes, **changes: bytes) -> bytes:
    """The bundle with other files, packed as a bundle is packed."""
    files = {**files_of(whole), **changes}
    del files["SHA256SUMS"]
    files = dict(sorted(files.items()))
    sums = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()
    )
    return write_container({**files, "SHA256SUMS": sums.encode()})


def headings(card: str) -> list[str]:
    found, depth = [], 0
    tokens = MarkdownIt("commonmark").enable("table").parse(card)
    for number, token in enumerate(tokens):
        depth += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if token.type == "heading_open" and depth == 0:
            found.append(tokens[number + 1].content)
    return found


def test_the_container_is_the_one_that_the_library_writes(whole: bytes) -> None:
    assert write_container(files_of(whole)) == whole
    assert rewritten(whole) == whole


@pytest.mark.parametrize("name", ["", "../up", "/root", "a\\b", "c:d", "a\nb", "n" * 600])
def test_the_container_refuses_names_that_lead_elsewhere(name: str) -> None:
    with pytest.raises(DamagedError, match="forbidden"):
        write_container({name: b""})
    with pytest.raises(DamagedError, match="no file"):
        write_container({})


def test_it_holds_the_bundle_and_what_a_release_adds(whole: bytes, release: bytes) -> None:
    assert list(files_of(release)) == [
        "README.md",
        "TERMS.md",
        "certificate.html",
        "certificate.json",
        "certificate.pdf",
        "croissant.json",
        "distilled.safetensors",
        "images/COVID/001.png",
        "images/COVID/002.png",
        "images/肺炎/001.png",
        "images/肺炎/002.png",
        "metadata.json",
        "report.html",
        "report.json",
        "SHA256SUMS",
        "SIGNATURE",
    ]
    before, after = files_of(whole), files_of(release)
    completed = {"README.md", "SHA256SUMS", "certificate.html", "certificate.json"}
    unchanged = set(before) - completed
    assert {name: after[name] for name in unchanged} == {name: before[name] for name in unchanged}


def test_the_same_gives_the_same_bytes(
    tmp_path: Path, whole: bytes, release: bytes, make_facts: MakeFacts, signer: Signer
) -> None:
    path = tmp_path / "bundle.zip"
    path.write_bytes(whole)
    again = pack_release(path, facts=make_facts(), signer=signer, signed_at=NOW)
    assert again == release
    later = pack_release(
        path, facts=make_facts(), signer=signer, signed_at=NOW + timedelta(seconds=1)
    )
    assert later != release


def test_the_certificate_says_that_nothing_was_waived(release: bytes) -> None:
    files = files_of(release)
    document = json.loads(files["certificate.json"])
    assert document["verdict"] == "not_refuted", "what was measured stays"
    assert document["release"]["organisation"] == "St. Anna Hospital"
    assert document["release"]["override"] is None
    assert b"nothing was waived" in files["certificate.html"]


def test_an_override_is_on_every_document_of_the_release(
    whole: bytes, make_facts: MakeFacts, signer: Signer
) -> None:
    override = OverrideFacts(
        reason="<b>A contract</b> forbids attacks.",
        objections=("Its attacks find leaks of 9% and more.",),
        decided_at=NOW,
    )
    files = files_of(
        pack_release(whole, facts=make_facts(override=override), signer=signer, signed_at=NOW)
    )
    document = json.loads(files["certificate.json"])["release"]["override"]
    assert (document["people"], document["reason"]) == (2, override.reason)
    page = files["certificate.html"].decode()
    assert "two people waived it" in page
    assert "Its attacks find leaks of 9% and more." in page
    assert "&lt;b&gt;A contract" in page
    assert "<b>" not in page
    assert "two people waived it" in files["README.md"].decode()


def test_a_bundle_without_a_certificate_is_released_as_before(
    whole: bytes, make_facts: MakeFacts, signer: Signer
) -> None:
    files = {n: c for n, c in files_of(whole).items() if not n.startswith("certificate")}
    del files["SHA256SUMS"]
    sums = "".join(f"{hashlib.sha256(c).hexdigest()}  {n}\n" for n, c in files.items())
    old = write_container({**files, "SHA256SUMS": sums.encode()})
    packed = files_of(pack_release(old, facts=make_facts(), signer=signer, signed_at=NOW))
    assert not any(name.startswith("certificate") for name in packed)


def test_it_verifies_with_the_organisations_key(tmp_path: Path, release: bytes, keys: Keys) -> None:
    path = tmp_path / "release.zip"
    path.write_bytes(release)
    assert verify_bundle(path, keys[1][1]).exit_code == GOOD
    signature = Signature.from_bytes(files_of(release)["SIGNATURE"])
    assert signature.organisation == "St. Anna Hospital"
    assert signature.signed_at == NOW


def test_the_terms_are_the_ones_that_were_accepted(release: bytes, make_facts: MakeFacts) -> None:
    assert files_of(release)["TERMS.md"].decode() == make_facts().terms


def test_the_card_tells_all(release: bytes, make_facts: MakeFacts) -> None:
    card = files_of(release)["README.md"].decode()
    facts = make_facts()
    text = " ".join(card.split())
    for words in (
        facts.title,
        facts.summary,
        facts.organisation,
        facts.contact,
        facts.citation,
        facts.id,
        "For research use. Not a medical device.",
        "> The classes were read by *two* radiologists.",
        "`TERMS.md`",
        "DUO:0000042 (general research use)",
        "exchange verify bundle.zip --trusted-key KEY",
        'iadd.load_bundle("bundle.zip")',
        "Each image began as",
        "0.750 ± 0.010 (n = 5)",
        "2026-11-24, 12:30 UTC",
        "Not refuted: no attack that was tried worked.",
    ):
        assert words in text, words
    assert headings(card) == [
        "Chest X-rays in two classes",
        "What the data steward says",
        "What you may do with it",
        "Check that it is genuine",
        "What it is",
        "Utility",
        "Privacy",
        "How to use it",
        "Contents",
        "What the release adds",
    ]
    assert "anonym" not in card.lower()
    assert "test, distilled" not in card
    assert "ed25519:" not in card


def test_an_empty_card_is_left_out_and_an_embargo_told(
    whole: bytes, make_facts: MakeFacts, signer: Signer
) -> None:
    facts = make_facts(
        card=" \n", citation="", duo=(), embargo_until=datetime(2027, 1, 1, tzinfo=UTC)
    )
    packed = pack_release(whole, facts=facts, signer=signer, signed_at=NOW)
    card = files_of(packed)["README.md"].decode()
    assert "data steward" not in card
    assert "cite as" not in card
    assert "None but those of `TERMS.md`" in card
    assert "| not before | 2027-01-01, 00:00 UTC |" in card


@given(st.sampled_from(["title", "summary", "card", "contact", "citation", "id"]), st.text())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_text_leaves_the_card_in_its_form(
    whole: bytes, make_facts: MakeFacts, signer: Signer, name: str, text: str
) -> None:
    facts = make_facts(**{name: f"x{text}"})
    files = files_of(pack_release(whole, facts=facts, signer=signer, signed_at=NOW))
    card = files["README.md"].decode()
    assert (
        headings(card)[1:]
        == headings(
            files_of(pack_release(whole, facts=make_facts(), signer=signer, signed_at=NOW))[
                "README.md"
            ].decode()
        )[1:]
    )
    assert json.loads(files["croissant.json"])["version"] == "2.0.0"


@pytest.mark.parametrize(
    "text",
    [
        "# x\n\n## What you may do with it\n\nAll of it.",
        "```\nopen",
        "<script>alert(1)</script>",
        "<!-- hidden",
        "![x](https://tracker.example/x.png)",
        "[TERMS.md]: https://evil.example",
        "x\r\n\r\n# y\x0b\x0c# z\u2028# w",
    ],
)
def test_the_stewards_words_stay_within_theirs(
    whole: bytes, release: bytes, make_facts: MakeFacts, signer: Signer, text: str
) -> None:
    facts = make_facts(card=text, title=text, summary=text, contact=text)
    packed = pack_release(whole, facts=facts, signer=signer, signed_at=NOW)
    card = files_of(packed)["README.md"].decode()
    assert headings(card)[1:] == headings(files_of(release)["README.md"].decode())[1:]
    html = MarkdownIt("commonmark").enable("table").render(card)
    for tag in ("<script", "<img", "<!--", 'href="https://evil'):
        assert tag not in html


def test_a_bundle_that_somebody_touched_is_not_released(
    whole: bytes, make_facts: MakeFacts, signer: Signer
) -> None:
    changed = bytearray(whole)
    changed[len(changed) // 2] ^= 1
    for content, why in (
        (bytes(changed), "not as it was packed"),
        (b"", "not as it was packed"),
        (b"hello, world " * 9, "not as it was packed"),
        (write_container({"a.txt": b"hello"}), "not as it was packed"),
    ):
        with pytest.raises(PackError, match=why):
            pack_release(content, facts=make_facts(), signer=signer, signed_at=NOW)


def test_a_release_is_not_released_again(
    whole: bytes, release: bytes, make_facts: MakeFacts, signer: Signer
) -> None:
    for content in (release, rewritten(whole, **{"TERMS.md": b"none"})):
        with pytest.raises(PackError, match="a release already"):
            pack_release(content, facts=make_facts(), signer=signer, signed_at=NOW)


def test_what_was_refuted_is_not_released(
    whole: bytes, make_facts: MakeFacts, signer: Signer
) -> None:
    with pytest.raises(PackError, match="refuted"):
        pack_release(whole, facts=make_facts(verdict="refuted"), signer=signer, signed_at=NOW)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"{}", b'{"classes":5}', b"[" * 100_000, b"\xff"]
)
def test_metadata_that_is_none_is_told(
    whole: bytes, make_facts: MakeFacts, signer: Signer, content: bytes
) -> None:
    bundle = rewritten(whole, **{"metadata.json": content})
    with pytest.raises(PackError, match=r"cannot be read|not complete"):
        pack_release(bundle, facts=make_facts(), signer=signer, signed_at=NOW)


def test_a_zip_that_is_no_distillation_is_told(
    whole: bytes, make_facts: MakeFacts, signer: Signer
) -> None:
    files = files_of(whole)
    for name in ("README.md", "metadata.json"):
        kept = {key: content for key, content in files.items() if key not in (name, "SHA256SUMS")}
        sums = "".join(f"{hashlib.sha256(kept[key]).hexdigest()}  {key}\n" for key in kept)
        bundle = write_container({**kept, "SHA256SUMS": sums.encode()})
        with pytest.raises(PackError, match=f"holds no {name}"):
            pack_release(bundle, facts=make_facts(), signer=signer, signed_at=NOW)


def test_what_cannot_be_signed_or_said_is_told(
    whole: bytes, make_facts: MakeFacts, signer: Signer, keys: Keys
) -> None:
    misfit = replace(signer, history=KeyHistory(keys[2][1]))
    with pytest.raises(PackError, match="cannot be signed"):
        pack_release(whole, facts=make_facts(), signer=misfit, signed_at=NOW)
    with pytest.raises(PackError, match="cannot be signed"):
        pack_release(whole, facts=make_facts(), signer=signer, signed_at=NOW - timedelta(days=1))
    for changes in (
        {"duo": ("DUO:1",)},
        {"created_at": datetime(2026, 1, 1)},
        {"terms": "\ud800"},
    ):
        with pytest.raises(PackError):
            pack_release(whole, facts=make_facts(**changes), signer=signer, signed_at=NOW)
