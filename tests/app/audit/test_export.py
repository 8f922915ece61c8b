"""An exported log: whatever is done to the file, or to the log before it was exported, is found."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from app.audit.chain import follow, hash_entry
from app.audit.export import to_lines, verify_export
from app.audit.statement import signed_head
from app.cli import app
from app.signing.keys import KeyHistory, Purpose, encode, new_key, sign
from app.signing.signature import Signer
from iadd.bundle.format import canonical_json, signed_message

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
GOOD, BAD, UNREADABLE = 0, 1, 2


class SignedLog:
    """An organisation's log, and the key that signs its end."""

    def __init__(self, organisation_id="org_anna"):
        self.organisation_id = organisation_id
        self.private, self.public = new_key()
        self.history = KeyHistory(self.public)
        self.entries = []

    def write(self, count=1, **changes):
        for _ in range(count):
            entry = {
                "organisation_id": self.organisation_id,
                "number": len(self.entries) + 1,
                "at": "2026-11-24T12:00:00.000000Z",
                "actor": {"name": "Dr. Grey – „x“", "user": None},
                "action": "dataset.created",
                "subject": f"ds_{len(self.entries)}",
                "outcome": "done",
                "details": {"share": 0.1},
                "previous_hash": self.entries[-1]["hash"] if self.entries else "0" * 64,
                **changes,
            }
            self.entries.append({**entry, "hash": hash_entry(entry)})
        return self

    def rehash(self):
        """As a forger does, after a change: sound in itself from the first entry to the last."""
        previous = "0" * 64
        for number, entry in enumerate(self.entries, start=1):
            entry.update(number=number, previous_hash=previous)
            entry["hash"] = previous = hash_entry(entry)
        return self

    def rotate(self, at=NOW - timedelta(days=1)):
        private, public = new_key()
        self.history = self.history.rotated(self.private, public, at)
        self.private, self.public = private, public
        return self

    def last(self, at=NOW, head=None):
        signer = Signer.with_key("St. Anna", self.private, self.history)
        return signed_head(head or follow(self.entries), self.organisation_id, signer, at)

    def lines(self):
        return list(to_lines(self.entries, self.last()))


@pytest.fixture
def log():
    return SignedLog().write(5)


@pytest.fixture
def save(tmp_path):
    def write(lines, name="log.jsonl"):
        path = tmp_path / name
        path.write_bytes(b"".join(lines))
        return path

    return write


def told(found):
    return " ".join(found.lines)


def changed(line, **members):
    return canonical_json({**json.loads(line), **members}) + b"\n"


def test_an_untouched_log_is_intact(log, save):
    path = save(log.lines())
    unknown = verify_export(path)
    assert unknown.exit_code == GOOD
    assert "5 entries" in told(unknown)
    assert log.entries[-1]["hash"] in told(unknown)
    assert "2026-11-24T12:00:00Z" in told(unknown)
    assert "Nothing in the file proves that" in told(unknown)
    trusted = verify_export(path, log.public)
    assert trusted.exit_code == GOOD
    assert "signed with the trusted key" in told(trusted)


def test_a_log_without_entries_is_one(save):
    assert verify_export(save(SignedLog().lines())).exit_code == GOOD


TAMPERING = {
    "changed": lambda lines: [*lines[:2], changed(lines[2], subject="ds_9"), *lines[3:]],
    "changed deep inside": lambda lines: [
        *lines[:2],
        changed(lines[2], actor={"name": "Dr. Grex – „x“", "user": None}),
        *lines[3:],
    ],
    "deleted": lambda lines: [*lines[:2], *lines[3:]],
    "the first deleted": lambda lines: lines[1:],
    "reordered": lambda lines: [lines[0], lines[2], lines[1], *lines[3:]],
    "repeated": lambda lines: [*lines[:2], lines[1], *lines[2:]],
    "the last entry cut off": lambda lines: [*lines[:4], lines[5]],
    "the end cut off": lambda lines: lines[:5],
    "cut in the middle of a line": lambda lines: [*lines[:3], lines[3][:40]],
    "cut in the last line": lambda lines: [*lines[:5], lines[5][:-2]],
    "something after the end": lambda lines: [*lines, lines[0]],
    "an empty line after the end": lambda lines: [*lines, b"\n"],
    "an empty line inside": lambda lines: [lines[0], b"\n", *lines[1:]],
    "spaces": lambda lines: [lines[0].replace(b",", b", ", 1), *lines[1:]],
    "line ends of another system": lambda lines: [line.replace(b"\n", b"\r\n") for line in lines],
    "no line end": lambda lines: [*lines[:5], lines[5].rstrip()],
    "a member more in an entry": lambda lines: [changed(lines[0], note="seen"), *lines[1:]],
    "a member more in the last line": lambda lines: [*lines[:5], changed(lines[5], note="seen")],
    "an entry made the last line": lambda lines: [*lines[:4], changed(lines[4], head={})],
    "a member twice": lambda lines: [
        *lines[:4],
        lines[4].replace(b'"action"', b'"action":"x","action"'),
        lines[5],
    ],
    "not JSON any more": lambda lines: [lines[0], b"\x00" * 20 + b"\n", *lines[2:]],
    "a number that is none": lambda lines: [lines[0], changed(lines[1], number=2.0), *lines[2:]],
    "NaN": lambda lines: [lines[0], lines[1].replace(b"0.1", b"NaN"), *lines[2:]],
    "half a character": lambda lines: [lines[0], lines[1].replace(b"ds_1", b"\\ud800"), *lines[2:]],
    "deep nesting": lambda lines: [lines[0], b"[" * 100_000 + b"\n", *lines[1:]],
}


@pytest.mark.parametrize("tamper", TAMPERING.values(), ids=TAMPERING)
def test_what_is_done_to_the_file_is_found(log, save, tamper):
    lines = tamper(log.lines())
    found = verify_export(save(lines), log.public)
    assert found.exit_code == BAD
    assert "The log was changed" in told(found)


def test_no_byte_is_free(log, save):
    content = b"".join(log.lines())
    for position in range(0, len(content), 7):
        forged = bytearray(content)
        forged[position] ^= 1
        found = verify_export(save([bytes(forged)]), log.public)
        assert found.exit_code != GOOD, (position, content[position - 20 : position + 20])


def test_a_forger_without_the_key_cannot_close_the_chain(log, save):
    signed = log.lines()[-1]
    log.entries[2]["subject"] = "ds_9"
    forged = [*(canonical_json(entry) + b"\n" for entry in log.rehash().entries), signed]
    found = verify_export(save(forged))
    assert found.exit_code == BAD
    assert "ends with another entry" in told(found)
    # Nor by naming the forged end in the statement that was signed of the other.
    last = json.loads(signed)
    last["head"]["hash"] = log.entries[-1]["hash"]
    found = verify_export(save([*forged[:-1], canonical_json(last) + b"\n"]))
    assert found.exit_code == BAD
    assert "not signed with the key" in told(found)


def test_a_forger_with_a_key_of_his_own_is_found_by_the_trusted_one(log, save):
    trusted = log.public
    log.private, log.public = new_key()
    log.history = KeyHistory(log.public)
    log.entries[2]["subject"] = "ds_9"
    path = save(log.rehash().lines())
    assert verify_export(path).exit_code == GOOD
    found = verify_export(path, trusted)
    assert found.exit_code == BAD
    assert "Do not rely on it" in told(found)


def test_a_forger_cannot_claim_that_the_trusted_key_led_to_his(log, save):
    honest = log.history
    private, public = new_key()
    forged = KeyHistory(honest.key).rotated(log.private, new_key()[1], NOW)
    for rotations in (
        [{**forged.to_list()[0], "new": public}],
        forged.to_list(),
    ):
        log.private, log.history = private, KeyHistory.from_list(public, rotations)
        found = verify_export(save(log.lines()), honest.key)
        assert found.exit_code == BAD
        assert "key history" in told(found)


def test_a_key_that_the_trusted_one_led_to_is_good(log, save):
    old = log.public
    path = save(log.rotate().lines())
    found = verify_export(path, old)
    assert found.exit_code == GOOD
    assert log.public in told(found)
    early = save(to_lines(log.entries, log.last(at=NOW - timedelta(days=2))), name="early.jsonl")
    assert "before its key was in use" in told(verify_export(early, old))


def test_the_owner_of_the_key_cannot_rewrite_what_was_exported_before(log, save):
    """The log holds the key: only an earlier export, kept elsewhere, tells."""
    earlier = save(log.lines(), name="earlier.jsonl")
    later = save(log.write(3).lines())
    found = verify_export(later, log.public, earlier=earlier)
    assert found.exit_code == GOOD
    assert "It continues the earlier export" in told(found)

    log.entries[2]["subject"] = "ds_9"
    rewritten = save(log.rehash().lines(), name="rewritten.jsonl")
    assert verify_export(rewritten, log.public).exit_code == GOOD
    found = verify_export(rewritten, log.public, earlier=earlier)
    assert found.exit_code == BAD
    assert "entry 5 is another than in the earlier export" in told(found)

    del log.entries[3:]
    shortened = save(log.rehash().lines(), name="shortened.jsonl")
    found = verify_export(shortened, log.public, earlier=earlier)
    assert found.exit_code == BAD
    assert "2 entries more" in told(found)


def test_an_earlier_export_has_to_be_good_and_of_the_same_organisation(log, save):
    path = save(log.lines())
    other = save(SignedLog("org_other").write(2).lines(), name="other.jsonl")
    assert verify_export(path, earlier=other).exit_code == BAD
    broken = save(log.lines()[:3], name="broken.jsonl")
    found = verify_export(path, earlier=broken)
    assert found.exit_code == BAD
    assert "earlier export proves nothing" in told(found)
    assert verify_export(path, earlier=path.with_name("none")).exit_code == UNREADABLE
    assert verify_export(path, earlier=path).exit_code == GOOD


def test_entries_are_of_the_organisation_that_signs(log, save):
    log.write(1, organisation_id="org_other")
    assert "entry 6 is of another organisation" in told(verify_export(save(log.lines())))
    entries = SignedLog("org_other").write(2).entries
    log.entries = entries
    assert "last line is of another organisation" in told(verify_export(save(log.lines())))


@pytest.mark.parametrize(
    "change",
    [
        {"number": "5"},
        {"number": True},
        {"number": 10**30},
        {"hash": None},
        {"at": "yesterday"},
        {"key": 3},
        {"key": "ed25519:x"},
        {"history": [3]},
        {"history": "x"},
        {"organisation": None},
        {"mood": "good"},
    ],
)
def test_a_last_line_of_another_form_is_told_and_no_crash(log, save, change):
    """Signed with the key that it names, as a forger can."""
    last = log.last()
    last["head"].update(change)
    message = signed_message(Purpose.LOG, canonical_json(last["head"]))
    last["signature"] = encode(sign(log.private, message))
    found = verify_export(save([*log.lines()[:-1], canonical_json(last) + b"\n"]), log.public)
    assert found.exit_code == BAD
    for missing in ("organisation", "at", "history"):
        last = log.last()
        del last["head"][missing]
        assert verify_export(save([canonical_json(last) + b"\n"])).exit_code == BAD


def test_a_signature_for_something_else_is_none(log, save):
    last = log.last()
    message = signed_message(Purpose.SCORE, canonical_json(last["head"]))
    last["signature"] = encode(sign(log.private, message))
    found = verify_export(save([*log.lines()[:-1], canonical_json(last) + b"\n"]))
    assert "not signed with the key" in told(found)


@pytest.mark.parametrize(
    "content", [b"PK\x03\x04", b"<!doctype html>", b"[]\n", b'{"a":1}\n', b"\xff", b"x" * 2_000_000]
)
def test_what_is_no_log_cannot_be_read(save, content):
    found = verify_export(save([content]))
    assert found.exit_code == UNREADABLE
    assert found.lines == ["This is not an exported log."]


def test_what_is_not_there_cannot_be_read(tmp_path):
    assert verify_export(tmp_path).exit_code == UNREADABLE
    assert verify_export(tmp_path / "none").exit_code == UNREADABLE


def test_the_trusted_key_may_be_in_a_file(log, save, tmp_path):
    path = save(log.lines())
    (tmp_path / "anna.key").write_text(f"# St. Anna\n{log.public}\n")
    assert verify_export(path, str(tmp_path / "anna.key")).exit_code == GOOD
    for nonsense in ("ed25519:x", str(path), "nowhere"):
        found = verify_export(path, nonsense)
        assert found.exit_code == UNREADABLE
        assert "trusted key cannot be used" in told(found)


def test_an_entry_that_is_written_meanwhile_is_not_of_the_export(log, save):
    """The head was read; then somebody did something; then the entries were read."""
    last = log.last()
    lines = to_lines(log.write(2).entries, last)
    found = verify_export(save(lines), log.public)
    assert found.exit_code == GOOD
    assert "5 entries" in told(found)


def test_the_command_says_it_by_its_exit_code(log, save):
    path = save(log.lines())
    bad = save(log.lines()[:-1], name="bad.jsonl")

    def run(*arguments):
        return CliRunner().invoke(app, ["audit", "verify", *map(str, arguments)])

    assert run(path, "--trusted-key", log.public, "--earlier", path).exit_code == GOOD
    assert "is intact" in run(path).stdout
    assert run(bad).exit_code == BAD
    assert "was changed" in run(bad).stderr
    assert run(path.with_name("none")).exit_code == UNREADABLE
