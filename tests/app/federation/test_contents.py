"""What a hub refuses to show: bundles that are not what their owner signed and cleared."""

import copy
import json
import zlib
from types import SimpleNamespace

import pytest

from app.core.clock import utc_now
from app.federation.documents import PublicationDocument
from app.federation.publications.contents import look_into
from app.federation.publications.refusal import PublicationRefused
from app.federation.shares.documents import publication
from app.organisations.release_policy import Policy, decide
from app.releases.facts import OverrideFacts, ReleaseFacts
from app.releases.pack import pack_release
from app.releases.row import release_row
from app.releases.terms import default_conditions, render_terms
from app.signing.keys import KeyHistory, new_key
from app.signing.signature import Signature, Signer
from app.signing.verify import read_bundle
from app.signing.zip_container import write_container
from iadd.bundle.format import SIGNATURE, SUMS, json_file, list_sums, sha256_of
from tests.fixtures.portal import distilled_bundle

NOW = utc_now().replace(microsecond=0)


def signer_with(key, organisation="St. Anna"):
    return Signer.with_key(organisation, key[0], KeyHistory(key[1]))


@pytest.fixture(scope="module")
def key():
    return new_key()


@pytest.fixture(scope="module")
def released(key):
    """A release as its owner's portal makes it: bundle, document and key."""
    whole, report = distilled_bundle()
    said = {
        "title": "Chest X-rays",
        "organisation": "St. Anna",
        "contact": "data@st-anna.example",
        "citation": "",
    }
    duo = tuple(map(str, default_conditions("research_only")))
    facts = ReleaseFacts(
        **said,
        id="rel_0123456789abcdef01234567",
        number=1,
        summary="Adults.",
        card="",
        terms=render_terms("research_only", duo=duo, **said),
        duo=duo,
        embargo_until=None,
        created_at=NOW,
        verdict="not_refuted",
    )
    bundle = pack_release(whole, facts=facts, signer=signer_with(key), signed_at=NOW)
    checked, _ = read_bundle(bundle)
    row = release_row(
        facts,
        report,
        organisation_id="org_1",
        distillation_id=None,
        terms_template="research_only",
        previews=False,
        decision=decide(report, Policy()).to_dict(),
        override=None,
        bundle=bundle,
        fingerprint=checked.sums_sha256,
        key_id="key_1",
        published_by="Dr. Grey",
    )
    document = publication(row, hub_key="ed25519:hub", supersedes=[])
    return SimpleNamespace(bundle=bundle, document=document, facts=facts, report=report)


class Forger:
    """Changes files of a release and signs it again with the owner's own key.

    Whoever can do that is the owner: what follows is what a hub does not take from anybody.
    """

    def __init__(self, released, key):
        self.document = copy.deepcopy(released.document)
        _, self.files = read_bundle(released.bundle)
        self.key = key

    def change_json(self, name, change):
        content = json.loads(self.files[name])
        change(content)
        self.files[name] = json_file(content)

    def look(self, *, signer=None, sign=True):
        files = dict(sorted(self.files.items()))
        sums = list_sums({name: sha256_of(content) for name, content in files.items()})
        signed = {**files, SUMS: sums}
        if sign:
            signature = Signature.make(
                signer or signer_with(self.key), sums_sha256=sha256_of(sums), signed_at=NOW
            )
            signed[SIGNATURE] = signature.to_bytes()
        bundle = write_container(signed)
        self.document["bundle"] = {
            "sha256": sha256_of(bundle),
            "fingerprint": sha256_of(sums),
            "size": len(bundle),
        }
        document = PublicationDocument.model_validate(self.document)
        return look_into(bundle, document, KeyHistory(self.key[1]))

    def refuses(self, what, **how):
        with pytest.raises(PublicationRefused) as refused:
            self.look(**how)
        assert what in refused.value.detail
        assert "Nothing is shown here" in refused.value.detail


@pytest.fixture
def forger(released, key):
    return Forger(released, key)


def test_what_the_owner_released_is_taken(forger, released):
    contents = forger.look()
    assert contents.facts.title == "Chest X-rays"
    assert contents.decision.allowed
    assert contents.report["utility"] == released.report["utility"]


@pytest.mark.parametrize("name", ["README.md", "report.json", "certificate.json", "TERMS.md"])
def test_a_file_that_every_release_has_is_missing(forger, name):
    del forger.files[name]
    forger.refuses(f"holds no {name}")


@pytest.mark.parametrize(
    "name",
    ["receipts.jsonl", "raw/Meyer_Hans.dcm", "images/COVID/x.png", "trajectories/0.pt", "a.pkl"],
)
def test_a_file_that_no_release_has_is_not_let_in_and_not_named(forger, name):
    forger.files[name] = b"X-rays of Hans Meyer"
    with pytest.raises(PublicationRefused) as refused:
        forger.look()
    assert "holds 1 files that no bundle has" in refused.value.detail
    assert "Meyer" not in refused.value.detail


def first_picture(forger):
    return next(name for name in forger.files if name.endswith(".png"))


def chunk(kind, content):
    checksum = zlib.crc32(kind + content).to_bytes(4, "big")
    return len(content).to_bytes(4, "big") + kind + content + checksum


def with_chunk(png, kind, content):
    """The picture with one more chunk before its end."""
    return png[:-12] + chunk(kind, content) + png[-12:]


def idat(png):
    """The packed pixels of a small picture, which are in one chunk."""
    return png[41 : 41 + int.from_bytes(png[33:37], "big")]


@pytest.mark.parametrize(
    "forge",
    [
        lambda png: png + b"an X-ray after the end",
        lambda png: with_chunk(png, b"tEXt", b"Name\x00Hans Meyer"),
        lambda png: with_chunk(png, b"eXIf", b"x" * 100),
        lambda png: png[:-12] + chunk(b"IEND", b"Hans Meyer"),
        lambda png: png[:8] + chunk(b"IHDR", png[16:29] + b"Hans Meyer") + png[33:],
        lambda png: png[:8] + chunk(b"IHDR", b"") + png[33:],
        lambda png: png[:33] + chunk(b"IDAT", idat(png) + b"Hans Meyer") + chunk(b"IEND", b""),
        lambda png: png[:33] + chunk(b"IDAT", zlib.compress(b"x" * 9999)) + chunk(b"IEND", b""),
        lambda png: png[:40] + bytes([png[40] ^ 1]) + png[41:],
        lambda png: png[:20],
        lambda png: b"",
        lambda png: b"\xff\xd8\xff a JPEG",
        lambda png: png[:-12],
        lambda png: png.replace(b"\x00\x00\x00\x08\x00\x00\x00\x08", b"\x00\x00\x04\x00" * 2, 1),
    ],
    ids=[
        *("after", "text", "exif", "in the end", "long head", "no head", "after the pixels"),
        *("more pixels", "damaged", "cut", "empty", "jpeg", "no end", "1024 pixels"),
    ],
)
def test_a_picture_holds_the_pixels_of_a_distilled_image_and_nothing_else(forger, forge):
    name = first_picture(forger)
    forger.files[name] = forge(forger.files[name])
    forger.refuses("A picture in it")


def test_as_many_pictures_as_the_report_says(forger):
    name = first_picture(forger)
    forger.files[name.replace("001.png", "777.png")] = forger.files[name]
    forger.refuses("speaks of 4 images, and it holds 5")


@pytest.mark.parametrize(
    "forge",
    [
        lambda tensors: tensors + b"raw pixels behind the last tensor",
        lambda tensors: b"",
        lambda tensors: (2**40).to_bytes(8, "little") + tensors[8:],
        lambda tensors: tensors.replace(b"[4,1,8,8]", b"[4,1,8,9]", 1),
        lambda tensors: (
            with_header(
                tensors,
                lambda header: header.update(
                    xrays={
                        "dtype": "U8",
                        "shape": [9],
                        "data_offsets": [end_of(header), end_of(header) + 9],
                    }
                ),
            )
            + b"x" * 9
        ),
        lambda tensors: with_header(
            tensors, lambda header: header.update(__metadata__={"name": "Hans Meyer"})
        ),
        lambda tensors: with_header(tensors, lambda header: header["labels"].update(shape=[2])),
        lambda tensors: (20_000).to_bytes(8, "little") + b"[" * 20_000,
    ],
    ids=[
        *("more behind", "empty", "endless header", "another shape", "another tensor", "a text"),
        *("fewer labels", "deep header"),
    ],
)
def test_tensors_are_of_the_distilled_images_and_nothing_else(forger, forge):
    forger.files["distilled.safetensors"] = forge(forger.files["distilled.safetensors"])
    with pytest.raises(PublicationRefused):
        forger.look()


def end_of(header):
    return max(tensor["data_offsets"][1] for tensor in header.values())


def with_header(tensors, change):
    length = int.from_bytes(tensors[:8], "little")
    header = json.loads(tensors[8 : 8 + length])
    change(header)
    content = json.dumps(header).encode()
    return len(content).to_bytes(8, "little") + content + tensors[8 + length :]


def test_another_set_of_files_than_was_signed(forger, released):
    forger.look()
    document = PublicationDocument.model_validate(forger.document)
    with pytest.raises(PublicationRefused, match="not those that were signed"):
        look_into(released.bundle[:-1], document, KeyHistory(forger.key[1]))


def test_a_bundle_that_nobody_signed(forger):
    forger.refuses("not signed", sign=False)


def test_a_bundle_that_somebody_else_signed(forger):
    forger.refuses("no statement leads from", signer=signer_with(new_key()))


def test_a_bundle_signed_in_another_name_than_its_certificate(forger):
    forger.refuses("names another organisation", signer=signer_with(forger.key, "Elsewhere"))


def test_a_certificate_of_another_release(forger):
    forger.change_json("certificate.json", lambda document: document["release"].update(number=2))
    forger.refuses("certificate is of another release")


def refuted(report):
    report["privacy"]["verdict"] = "refuted"


def without_power(report):
    report["privacy"]["power"] = None


def without_attacks(report):
    report["privacy"]["attacks"] = []


def leaking(report):
    report["privacy"]["attacks"][0].update(tpr=0.4, tpr_interval=[0.3, 0.5], p=1e-9)


def from_single_patients(report):
    report["initialisation"] = "real"


def with_a_published_seed(report):
    report["randomness"] = "published"


@pytest.mark.parametrize(
    "change",
    [refuted, without_power, without_attacks, leaking, from_single_patients, with_a_published_seed],
)
def test_a_set_that_the_stated_policy_does_not_clear(forger, change):
    forger.change_json("report.json", change)
    forger.refuses("release policy that is stated does not allow it")


@pytest.mark.parametrize(
    "gone", ["privacy", "utility", "settings", "dataset", "images_per_class", "randomness"]
)
def test_a_report_without_its_parts_is_a_sentence_and_no_traceback(forger, gone):
    forger.change_json("report.json", lambda report: report.pop(gone))
    with pytest.raises(PublicationRefused):
        forger.look()


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"null", b"\xff" * 9, b"[" * 100_000])
def test_json_that_is_none(forger, content):
    forger.files["report.json"] = content
    forger.refuses("report.json cannot be read")


def test_what_was_waived_without_two_people_in_the_certificate(forger):
    forger.change_json("report.json", from_single_patients)
    forger.document["waived"] = ["real-starts"]
    forger.refuses("What was waived for it is not what its certificate says")


def test_what_two_people_waived_is_shown_with_it(released, key):
    whole, _ = distilled_bundle()
    override = OverrideFacts(reason="For the trial.", objections=("x",), decided_at=NOW)
    facts = copy.copy(released.facts)
    facts = ReleaseFacts(**{**facts.__dict__, "override": override})
    bundle = pack_release(whole, facts=facts, signer=signer_with(key), signed_at=NOW)
    forger = Forger(SimpleNamespace(bundle=bundle, document=released.document), key)
    forger.change_json("report.json", from_single_patients)
    forger.document["waived"] = ["real-starts"]
    contents = forger.look()
    assert contents.override["reason"] == "For the trial."
    assert contents.override["objections"] == ["real-starts"]


@pytest.mark.parametrize(
    "change",
    [
        lambda report: report["settings"].update(image_size=1e400),
        lambda report: report["utility"]["distilled"]["balanced_accuracy"].update(mean="x"),
        lambda report: report["utility"].update(full="x"),
        lambda report: report["utility"].update(start={"balanced_accuracy": {"mean": "high"}}),
        lambda report: report["privacy"].update(statement="Hans\0Meyer"),
        lambda report: report["privacy"].update(metrics=["x"]),
        lambda report: report["privacy"]["attacks"][0].update(title={}),
        lambda report: report["dataset"].update(classes={"x" * 101: {}, "Normal": {}}),
        lambda report: report.update(noisy_score={"accuracy": "x"}),
    ],
)
def test_a_report_that_no_page_could_show_is_refused(forger, change):
    def forge(report):
        change(report)

    content = json.loads(forger.files["report.json"])
    forge(content)
    forger.files["report.json"] = json.dumps(content).encode()
    with pytest.raises(PublicationRefused):
        forger.look()


def test_conditions_of_use_that_there_are_not_are_refused(forger):
    forger.document["duo"] = ["nonsense"]
    with pytest.raises(PublicationRefused):
        forger.look()
