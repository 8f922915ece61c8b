"""`exchange verify`: every byte of a bundle counts."""

import base64
import hashlib
import io
import json
import stat
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.releases.facts import ReleaseFacts
from app.releases.pack import pack_release
from app.signing.keys import KeyHistory, Rotation, fingerprint, public_key
from app.signing.signature import Signature, Signer
from app.signing.verify import BAD, GOOD, UNREADABLE, Verification, verify_bundle
from iadd.bundle.bundle import BundleError, load_bundle

Files = list[tuple[str, bytes]]
Keys = list[tuple[bytes, str]]
MakeFacts = Callable[..., ReleaseFacts]

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)


@pytest.fixture
def bundle(tmp_path: Path, whole: bytes) -> Path:
    path = tmp_path / "bundle.zip"
    path.write_bytes(whole)
    return path


def files_of(content: bytes) -> Files:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(entry.filename, archive.read(entry)) for entry in archive.infolist()]


def pack(files: Files, *, method: int = zipfile.ZIP_STORED) -> bytes:
    """Exactly as a bundle is packed, whatever the files are."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", method) as archive:
        for name, content in files:
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            entry.compress_type = method
            archive.writestr(entry, content)
    return packed.getvalue()


def with_sums(files: Files) -> Files:
    """The files with a list of sums that fits them, as a forger without a key can make it."""
    listed = [(name, content) for name, content in files if name != "SHA256SUMS"]
    sums = "".join(f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in listed)
    return [*listed, ("SHA256SUMS", sums.encode())]


def test_a_bundle_is_good_and_its_signer_unknown(bundle: Path, whole: bytes) -> None:
    result = verify_bundle(bundle)
    assert result.exit_code == GOOD == 0
    assert "intact: 12 files" in result.lines[0]
    assert "Unknown signer" in result.lines[1]
    sums = dict(files_of(whole))["SHA256SUMS"]
    assert result.lines[2].strip() == hashlib.sha256(sums).hexdigest()


def test_with_a_trusted_key_an_unsigned_bundle_is_not_good(bundle: Path, keys: Keys) -> None:
    code, lines = verify_bundle(bundle, trusted_key=keys[0][1])
    assert code == BAD == 1
    assert "not signed" in lines[1]


def test_the_test_packs_as_the_bundle_is_packed(whole: bytes) -> None:
    """Without this the tampering below would be found by its packing alone."""
    assert pack(files_of(whole)) == whole
    assert pack(with_sums(files_of(whole))) == whole


def test_every_entry_changed(bundle: Path, whole: bytes) -> None:
    files = files_of(whole)
    for number, (name, content) in enumerate(files):
        changed = bytes([content[0] ^ 1]) + content[1:]
        bundle.write_bytes(pack([*files[:number], (name, changed), *files[number + 1 :]]))
        code, lines = verify_bundle(bundle)
        assert code == BAD, name
        if name != "SHA256SUMS":
            assert name in lines[0]


def test_every_entry_removed(bundle: Path, whole: bytes) -> None:
    files = files_of(whole)
    for number, (name, _) in enumerate(files):
        bundle.write_bytes(pack([*files[:number], *files[number + 1 :]]))
        assert verify_bundle(bundle).exit_code == BAD, name


def test_an_entry_added(bundle: Path, whole: bytes) -> None:
    files = files_of(whole)
    bundle.write_bytes(pack(sorted([*files[:-1], ("extra.txt", b"hi")]) + files[-1:]))
    code, lines = verify_bundle(bundle)
    assert code == BAD
    assert "extra.txt is not listed" in lines[0]


def test_an_entry_twice(bundle: Path, whole: bytes) -> None:
    files = files_of(whole)
    with pytest.warns(UserWarning, match="Duplicate"):
        bundle.write_bytes(pack([files[0], *files]))
    assert verify_bundle(bundle).exit_code == BAD


def test_two_entries_in_another_order(bundle: Path, whole: bytes) -> None:
    files = files_of(whole)
    swapped = [files[1], files[0], *files[2:]]
    for forged in (swapped, with_sums(swapped), files[-1:] + files[:-1]):
        bundle.write_bytes(pack(forged))
        assert verify_bundle(bundle).exit_code == BAD


def test_every_length_of_it(bundle: Path, whole: bytes) -> None:
    for length in {0, 1, 3, 4, 21, 22, 23, *range(0, len(whole), 97), len(whole) - 1}:
        bundle.write_bytes(whole[:length])
        expected = UNREADABLE if length < 4 else BAD
        assert verify_bundle(bundle).exit_code == expected, length


def test_any_byte_of_it(bundle: Path, whole: bytes) -> None:
    """No byte is free: names, dates, attributes, checksums and contents alike."""
    directory = whole.index(b"PK\x01\x02")
    # Contents are covered by hashes: there every ninth byte, and all of the container's own.
    for position in (*range(0, directory, 9), *range(directory, len(whole))):
        changed = bytearray(whole)
        changed[position] ^= 0x20
        bundle.write_bytes(changed)
        assert verify_bundle(bundle).exit_code == BAD, position


@pytest.mark.parametrize(
    "change",
    [
        lambda whole: whole + b"\0",
        lambda whole: b"\0" + whole,
        lambda whole: whole + whole,
        lambda whole: pack(files_of(whole), method=zipfile.ZIP_DEFLATED),
        lambda whole: whole[:-2] + struct.pack("<H", 5) + b"hello",
    ],
    ids=["appended", "prepended", "doubled", "compressed", "commented"],
)
def test_another_container_around_the_same_files(
    bundle: Path, whole: bytes, change: Callable[[bytes], bytes]
) -> None:
    bundle.write_bytes(change(whole))
    assert verify_bundle(bundle).exit_code == BAD


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "a//b", "a\\b", "c:evil", "a\nb", "a/./b", "\u202eevil", "n" * 600]
)
def test_forbidden_names(bundle: Path, whole: bytes, name: str) -> None:
    files = with_sums(sorted([*files_of(whole)[:-1], (name, b"x")]))
    bundle.write_bytes(pack(files))
    code, lines = verify_bundle(bundle)
    assert code == BAD
    assert all(line.isprintable() for line in lines)


def test_what_is_no_zip_cannot_be_read(tmp_path: Path) -> None:
    cases = {"empty": b"", "text": b"hello, world\n" * 9, "tar": b"\0" * 1024}
    for name, content in cases.items():
        path = tmp_path / name
        path.write_bytes(content)
        code, lines = verify_bundle(path)
        assert code == UNREADABLE == 2
        assert "not a bundle" in lines[0]


def test_nothing_there_and_a_folder_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "nothing.zip", tmp_path):
        code, lines = verify_bundle(path)
        assert code == UNREADABLE
        assert "cannot be read" in lines[0]


def test_another_zip_is_not_a_bundle(tmp_path: Path) -> None:
    path = tmp_path / "other.zip"
    path.write_bytes(pack([("a.txt", b"hello")]))
    code, lines = verify_bundle(path)
    assert code == BAD
    assert "SHA256SUMS" in lines[0]


def test_headers_that_promise_gigabytes_cost_nothing(bundle: Path, whole: bytes) -> None:
    """Sizes in headers are compared with the file before anything is read by them."""
    end = whole.rindex(b"PK\x05\x06")
    directory = int.from_bytes(whole[end + 16 : end + 20], "little")
    for position in (directory + 20, directory + 24, end + 12, end + 16, directory + 42):
        forged = bytearray(whole)
        forged[position : position + 4] = b"\xff\xff\xff\xff"
        bundle.write_bytes(forged)
        assert verify_bundle(bundle).exit_code == BAD


def test_memory_does_not_grow_with_the_bundle(tmp_path: Path) -> None:
    """A file of 400 MB is checked within 100 MB."""
    zeros = bytes(1 << 20)
    digest, count = hashlib.sha256(), 400
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w") as archive:
        entry = zipfile.ZipInfo("zeros", (1980, 1, 1, 0, 0, 0))
        entry.create_system, entry.external_attr = 3, (stat.S_IFREG | 0o644) << 16
        entry.file_size = count << 20
        with archive.open(entry, "w") as file:
            for _ in range(count):
                file.write(zeros)
                digest.update(zeros)
        sums = zipfile.ZipInfo("SHA256SUMS", (1980, 1, 1, 0, 0, 0))
        sums.create_system, sums.external_attr = 3, (stat.S_IFREG | 0o644) << 16
        archive.writestr(sums, f"{digest.hexdigest()}  zeros\n")
    program = (
        "import resource, sys; from pathlib import Path;"
        "resource.setrlimit(resource.RLIMIT_AS, (100 << 20, 100 << 20));"
        "from app.signing.verify import verify_bundle;"
        "sys.exit(verify_bundle(Path(sys.argv[1])).exit_code)"
    )
    run = subprocess.run([sys.executable, "-c", program, str(path)], check=False)
    assert run.returncode == GOOD


@pytest.fixture
def released(tmp_path: Path, release: bytes) -> Path:
    path = tmp_path / "release.zip"
    path.write_bytes(release)
    return path


def verify(content: bytes, path: Path, key: str | None = None) -> Verification:
    path.write_bytes(content)
    return verify_bundle(path, key)


def with_signature(files: Files, signature: bytes | None) -> bytes:
    """A release whose sums fit its files, with this signature or none."""
    unsigned = with_sums([file for file in files if file[0] != "SIGNATURE"])
    return pack([*unsigned, ("SIGNATURE", signature)] if signature is not None else unsigned)


def signed_by(release: bytes, signer: Signer, *, at: datetime = NOW) -> bytes:
    """A release with the signature of somebody else."""
    files = files_of(release)
    sums = hashlib.sha256(dict(files)["SHA256SUMS"]).hexdigest()
    made = Signature.make(signer, sums_sha256=sums, signed_at=at)
    return with_signature(files, made.to_bytes())


def test_the_test_packs_as_the_release_is_packed(release: bytes) -> None:
    files = files_of(release)
    assert pack(files) == release
    assert with_signature(files, dict(files)["SIGNATURE"]) == release


def test_a_signed_bundle_is_intact_and_says_what_it_claims(released: Path, keys: Keys) -> None:
    code, lines = verify_bundle(released)
    text = "\n".join(lines)
    assert code == GOOD
    assert "14 files are exactly" in text
    assert "Unknown signer" in text
    assert "“St. Anna Hospital”" in text
    assert keys[1][1] in text
    assert fingerprint(keys[1][1]) in text
    assert "--trusted-key" in text


def test_the_key_that_signed_is_good(released: Path, keys: Keys) -> None:
    code, lines = verify_bundle(released, keys[1][1])
    assert code == GOOD
    assert fingerprint(keys[1][1]) in lines[-1]
    assert "replaced" not in "".join(lines)


def test_an_earlier_key_that_named_it_is_good_and_told_of(released: Path, keys: Keys) -> None:
    code, lines = verify_bundle(released, keys[0][1])
    assert code == GOOD
    assert "That key was replaced on 2026-11-24T12:30:00Z" in lines[-2]
    assert keys[1][1] in lines[-1]


def test_another_key_is_not_good(released: Path, keys: Keys) -> None:
    code, lines = verify_bundle(released, keys[2][1])
    assert code == BAD
    assert "not signed by the key that you trust" in lines[2]


def test_trust_does_not_reach_a_key_that_replaced_a_stolen_one(
    released: Path, release: bytes, keys: Keys
) -> None:
    fresh = Signer.with_key("St. Anna Hospital", keys[2][0], KeyHistory(keys[2][1]))
    content = signed_by(release, fresh)
    assert verify(content, released, keys[2][1]).exit_code == GOOD
    for stolen in (keys[0][1], keys[1][1]):
        assert verify(content, released, stolen).exit_code == BAD


def test_a_successor_vouches_for_no_earlier_key(released: Path, release: bytes, keys: Keys) -> None:
    first = Signer.with_key("St. Anna Hospital", keys[0][0], KeyHistory(keys[0][1]))
    assert verify(signed_by(release, first), released, keys[1][1]).exit_code == BAD


def test_a_key_may_be_given_as_a_file(released: Path, tmp_path: Path, keys: Keys) -> None:
    path = tmp_path / "anna.key"
    path.write_text(f"# St. Anna, by telephone\n\n{keys[1][1]}\n")
    assert verify_bundle(released, str(path)).exit_code == GOOD
    path.write_text(keys[2][1])
    assert verify_bundle(released, str(path)).exit_code == BAD


@pytest.mark.parametrize(
    "content", [b"", b"\xff\xfe", b"hello", b"ed25519:AAAA", b"x" * 9000, b"a\nb\n"]
)
def test_a_file_without_a_key_is_told(released: Path, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "anna.key"
    path.write_bytes(content)
    code, lines = verify_bundle(released, str(path))
    assert code == UNREADABLE
    assert "trusted key cannot be used" in lines[0]
    assert "51 characters" in lines[1]


@pytest.mark.parametrize("key", ["", "ed25519:AAAA", "nothing.key", "a\0b", "ed25519:" + "A" * 44])
def test_a_key_that_is_none_is_told_before_anything_else(released: Path, key: str) -> None:
    for path in (released, released / "nothing"):
        code, lines = verify_bundle(path, key)
        assert code == UNREADABLE
        assert "trusted key cannot be used" in lines[0]


def test_a_folder_is_no_key(released: Path, tmp_path: Path) -> None:
    assert verify_bundle(released, str(tmp_path)).exit_code == UNREADABLE


def test_a_release_without_its_signature_is_not_good(
    released: Path, release: bytes, keys: Keys
) -> None:
    content = with_signature(files_of(release), None)
    assert verify(content, released).exit_code == GOOD
    assert verify(content, released, keys[1][1]).exit_code == BAD


def test_the_signature_of_another_release_is_not_good(
    released: Path, release: bytes, whole: bytes, make_facts: MakeFacts, signer: Signer, keys: Keys
) -> None:
    other = pack_release(whole, facts=make_facts(number=3), signer=signer, signed_at=NOW)
    content = with_signature(files_of(release), dict(files_of(other))["SIGNATURE"])
    for key in (None, keys[1][1]):
        code, lines = verify(content, released, key)
        assert code == BAD
        assert "not made for these files" in lines[0]


def test_a_file_changed_with_fitting_sums_is_not_good(released: Path, release: bytes) -> None:
    """What somebody without the key can do at most."""
    files = files_of(release)
    signature = dict(files)["SIGNATURE"]
    for number, (name, content) in enumerate(files[:-2]):
        changed = [*files[:number], (name, content + b" "), *files[number + 1 :]]
        assert verify(with_signature(changed, signature), released).exit_code == BAD, name
        without = [*files[:number], *files[number + 1 :]]
        assert verify(with_signature(without, signature), released).exit_code == BAD, name
    added = sorted([*files[:-2], ("added.txt", b"hello")])
    assert verify(with_signature(added, signature), released).exit_code == BAD


def test_every_member_of_the_signature_changed(released: Path, release: bytes, keys: Keys) -> None:
    files = files_of(release)
    signature = Signature.from_bytes(dict(files)["SIGNATURE"])
    history = signature.history
    (rotation,) = history.rotations
    stranger = KeyHistory(keys[2][1])
    forged = Rotation.make(keys[2][0], history.key, NOW)
    for changed in (
        replace(signature, organisation="St. Berta"),
        replace(signature, signed_at=NOW + timedelta(days=1)),
        replace(signature, history=stranger),
        replace(signature, history=KeyHistory(history.key)),
        replace(signature, history=KeyHistory(history.key, (rotation, rotation))),
        replace(signature, history=KeyHistory(history.key, (forged,))),
        replace(signature, history=KeyHistory(keys[2][1], history.rotations)),
        replace(
            signature,
            history=KeyHistory(history.key, (replace(rotation, signature=bytes(64)),)),
        ),
        replace(signature, signature=bytes(64)),
    ):
        content = with_signature(files, changed.to_bytes())
        for key in (None, keys[0][1], keys[1][1], keys[2][1]):
            assert verify(content, released, key).exit_code == BAD


def signature_by(private: bytes, *, sums: bytes, history: list[Rotation]) -> bytes:
    """SIGNATURE by its specification, of whoever claims whatever: what a thief can write."""
    document = {
        "format": 1,
        "algorithm": "ed25519",
        "organisation": "St. Anna Hospital",
        "key": public_key(private),
        "signed_at": "2026-11-24T12:30:00Z",
        "history": [rotation.to_dict() for rotation in history],
    }

    def canonical(of: dict[str, object]) -> bytes:
        return json.dumps(of, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    covered = {**document, "sums_sha256": hashlib.sha256(sums).hexdigest()}
    key = Ed25519PrivateKey.from_private_bytes(private)
    signature = key.sign(b"iadd-exchange release 1\n" + canonical(covered))
    text = base64.b64encode(signature).decode().rstrip("=")
    return canonical({**document, "signature": text}) + b"\n"


def test_equals_its_specification(release: bytes, keys: Keys) -> None:
    files = dict(files_of(release))
    rotation = Rotation.make(keys[0][0], keys[1][1], NOW)
    made = signature_by(keys[1][0], sums=files["SHA256SUMS"], history=[rotation])
    assert made == files["SIGNATURE"]


def test_a_history_that_a_thief_made_up_is_not_good(
    released: Path, release: bytes, keys: Keys
) -> None:
    """The thief signs all of it with a key of its own, and can make no statement by the others."""
    files = files_of(release)
    sums = dict(files)["SHA256SUMS"]
    (first, first_public), (_, second_public), _, (thief, thief_public) = keys
    own = Rotation.make(thief, thief_public, NOW)
    real = Rotation.make(first, second_public, NOW)
    back = NOW - timedelta(days=1)
    for history in (
        [replace(own, old=second_public)],
        [replace(own, old=first_public)],
        [real, replace(own, old=second_public)],
        [real],
        [replace(real, new=thief_public)],
        [real, Rotation.make(thief, second_public, NOW)],
        [Rotation.make(thief, second_public, NOW), replace(own, old=second_public)],
        [Rotation.make(first, thief_public, NOW + timedelta(days=1))],
        [real, Rotation.make(keys[1][0], thief_public, back)],
        [Rotation.make(first, thief_public, back), own],
    ):
        content = with_signature(files, signature_by(thief, sums=sums, history=history))
        for key in (None, first_public, second_public, thief_public):
            assert verify(content, released, key).exit_code == BAD
    # Signed by the thief alone it is intact, and not the organisation's.
    content = with_signature(files, signature_by(thief, sums=sums, history=[]))
    assert verify(content, released).exit_code == GOOD
    assert verify(content, released, thief_public).exit_code == GOOD
    assert verify(content, released, second_public).exit_code == BAD


def test_what_the_real_key_said_is_good(released: Path, release: bytes, keys: Keys) -> None:
    """The same way of writing it, with statements that were made."""
    files = files_of(release)
    history = [Rotation.make(keys[number][0], keys[number + 1][1], NOW) for number in range(3)]
    made = signature_by(keys[3][0], sums=dict(files)["SHA256SUMS"], history=history)
    content = with_signature(files, made)
    for _, public in keys:
        assert verify(content, released, public).exit_code == GOOD
    assert load_bundle(released).classes == ("COVID", "肺炎")


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c + b"\n",
        lambda c: c.rstrip(b"\n"),
        lambda c: b" " + c,
        lambda c: c.replace(b",", b", "),
        lambda c: c.replace(b'{"algorithm"', b'{"aside":"hello","algorithm"'),
        lambda c: b"",
        lambda c: b"\xff",
        lambda c: b"{" * 100_000,
        lambda c: c + b" " * 300_000,
    ],
)
def test_nothing_hides_in_the_signature(
    released: Path, release: bytes, change: Callable[[bytes], bytes]
) -> None:
    files = files_of(release)
    content = with_signature(files, change(dict(files)["SIGNATURE"]))
    code, lines = verify(content, released)
    assert code == BAD
    assert "SIGNATURE" in lines[0]


def test_the_signature_is_the_last_file_and_no_other(released: Path, release: bytes) -> None:
    *files, sums, signature = files_of(release)
    for forged in (
        [*files, signature, sums],
        [signature, *files, sums],
        with_sums([*files, signature]),
        [*files, sums, signature, ("after.txt", b"hello")],
        [*files, sums, ("SIGNATURE ", signature[1])],
        [*files, sums, ("signature", signature[1])],
        [signature],
    ):
        assert verify(pack(forged), released).exit_code == BAD
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = [
            pack([*files, sums, signature, signature]),
            pack([*with_sums([*files, signature]), signature]),
        ]
    for content in twice:
        assert verify(content, released).exit_code == BAD


@given(st.data())
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bit_of_a_release(
    released: Path, release: bytes, keys: Keys, data: st.DataObject
) -> None:
    bit = data.draw(st.integers(0, len(release) * 8 - 1))
    changed = bytearray(release)
    changed[bit // 8] ^= 1 << bit % 8
    assert verify(bytes(changed), released, keys[1][1]).exit_code == BAD


def test_every_byte_of_its_signature(released: Path, release: bytes) -> None:
    start = release.index(b'{"algorithm"')
    length = len(dict(files_of(release))["SIGNATURE"])
    for position in range(start, start + length):
        changed = bytearray(release)
        changed[position] ^= 1
        assert verify(bytes(changed), released).exit_code == BAD, position


def test_the_command_tells_by_its_exit_code(released: Path, keys: Keys, tmp_path: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "app.cli", "verify", *arguments],
            capture_output=True,
            text=True,
            check=False,
        )

    good = run(str(released), "--trusted-key", keys[0][1])
    assert good.returncode == GOOD, good.stderr
    assert "owner of the key that you trust" in good.stdout
    other = run(str(released), "--trusted-key", keys[2][1])
    assert other.returncode == BAD
    assert "not signed by the key" in other.stderr
    none = run(str(released), "--trusted-key", "nonsense")
    assert none.returncode == UNREADABLE
    assert "Traceback" not in none.stderr


def test_it_needs_nothing_but_the_base_install(bundle: Path, released: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from app.signing.verify import verify_bundle;"
        "assert all(verify_bundle(Path(path)).exit_code == 0 for path in sys.argv[1:]);"
        "print(*sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(bundle), str(released)],
        check=True,
        capture_output=True,
        text=True,
    )
    loaded = set(run.stdout.split())
    heavy = {"torch", "numpy", "PIL", "safetensors", "worker", "pydantic", "fastapi", "sqlalchemy"}
    assert not {name.partition(".")[0] for name in loaded} & heavy
    of_library = {name for name in loaded if name.partition(".")[0] == "iadd"}
    assert of_library == {"iadd", "iadd.bundle", "iadd.bundle.format"}


def test_what_verifies_also_loads(bundle: Path) -> None:
    assert verify_bundle(bundle).exit_code == GOOD
    assert load_bundle(bundle).classes == ("COVID", "肺炎")


def test_what_is_released_also_loads(released: Path, release: bytes) -> None:
    assert load_bundle(released).classes == ("COVID", "肺炎")
    released.write_bytes(with_signature(files_of(release), None))
    assert load_bundle(released).classes == ("COVID", "肺炎")


def test_a_release_that_somebody_changed_does_not_load(
    released: Path, release: bytes, keys: Keys
) -> None:
    files = files_of(release)
    signature = Signature.from_bytes(dict(files)["SIGNATURE"])
    renamed = replace(signature, organisation="St. Berta")
    elsewhere = replace(signature, history=KeyHistory(keys[2][1]))
    other_card = [(name, b"x" if name == "README.md" else content) for name, content in files]
    for content in (
        with_signature(other_card, signature.to_bytes()),
        with_signature(files, renamed.to_bytes()),
        with_signature(files, elsewhere.to_bytes()),
        with_signature(files, b""),
        with_signature(files, b"[]"),
        with_signature(files, b"[" * 100_000),
        with_signature(files, b'{"signature":5}'),
        pack(with_sums([*files[:-2], files[-1]])),
    ):
        released.write_bytes(content)
        with pytest.raises(BundleError, match="damaged or forged"):
            load_bundle(released)
