"""croissant.json: read by the format's own library, which loads the images by it."""

import hashlib
import io
import json
import logging
import socket
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import rdflib
from PIL import Image

from app.releases.croissant import croissant
from app.releases.duo import DuoError
from app.releases.facts import ReleaseFacts
from app.releases.pack import pack_release
from app.signing.signature import Signer

MakeFacts = Callable[..., ReleaseFacts]

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)
SDO = rdflib.Namespace("https://schema.org/")
PROV = rdflib.Namespace("http://www.w3.org/ns/prov#")
RAI = rdflib.Namespace("http://mlcommons.org/croissant/RAI/")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reaches for a network fails here as in a hospital."""

    def refuse(*_: object) -> None:
        raise OSError("there is no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def folder(tmp_path: Path, release: bytes) -> Path:
    zipfile.ZipFile(io.BytesIO(release)).extractall(tmp_path)
    return tmp_path


@pytest.fixture
def document(folder: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((folder / "croissant.json").read_bytes())
    return read


def open_dataset(folder: Path) -> Any:
    import mlcroissant  # takes seconds, and every process of a parallel run reads this file

    return mlcroissant.Dataset(str(folder / "croissant.json"))


def graph_of(document: dict[str, Any]) -> rdflib.Graph:
    return rdflib.Graph().parse(data=json.dumps(document), format="json-ld", publicID="file:///x/")


def test_the_format_accepts_it_without_a_word(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        dataset = open_dataset(folder)
    assert not dataset.metadata.ctx.issues.errors
    assert not dataset.metadata.ctx.issues.warnings
    assert not caplog.records
    assert dataset.metadata.ctx.is_v1_1()
    assert dataset.metadata.name == "Chest X-rays in two classes"
    assert dataset.metadata.version == "2.0.0"
    assert dataset.metadata.cite_as == "St. Anna Hospital (2026). Distilled chest X-rays."
    assert dataset.metadata.date_published == NOW
    assert dataset.metadata.creators[0].name == "St. Anna Hospital"


def test_the_format_loads_the_images_and_their_classes(folder: Path) -> None:
    dataset = open_dataset(folder)
    records = list(dataset.records("images"))
    assert [record["images/label"].decode() for record in records] == ["COVID"] * 2 + ["肺炎"] * 2
    for record, path in zip(records, sorted(folder.glob("images/*/*.png")), strict=True):
        assert record["images/image"].size == (8, 8)
        assert record["images/image"].convert("L").tobytes() == Image.open(path).tobytes()
    classes = [record["classes/name"] for record in dataset.records("classes")]
    assert classes == ["COVID", "肺炎"]


def test_it_lists_every_file_that_can_be_listed(folder: Path, document: dict[str, Any]) -> None:
    files = {
        entry["@id"]: entry
        for entry in document["distribution"]
        if entry["@type"] == "cr:FileObject"
    }
    there = {path.name for path in folder.iterdir() if path.is_file()}
    assert set(files) == there - {"croissant.json", "SHA256SUMS", "SIGNATURE"}
    for name, entry in files.items():
        content = (folder / name).read_bytes()
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()
        assert entry["contentSize"] == f"{len(content)} B"


def test_conditions_are_terms_of_the_ontology(document: dict[str, Any]) -> None:
    graph = graph_of(document)
    (term,) = graph.objects(None, SDO.usageInfo)
    assert graph.value(term, rdflib.RDF.type) == SDO.DefinedTerm
    assert str(graph.value(term, SDO.termCode)) == "DUO_0000042"
    assert str(graph.value(term, SDO.url)) == "http://purl.obolibrary.org/obo/DUO_0000042"


def test_responsible_ai_and_provenance_are_said(document: dict[str, Any]) -> None:
    graph = graph_of(document)
    (dataset,) = (s for s in graph.subjects(SDO.distribution, None, unique=True))
    for name in (
        "dataCollection",
        "dataLimitations",
        "dataBiases",
        "dataUseCases",
        "personalSensitiveInformation",
        "dataReleaseMaintenancePlan",
    ):
        assert graph.value(dataset, RAI[name]), name
    for name in ("wasDerivedFrom", "wasGeneratedBy", "wasAttributedTo"):
        assert graph.value(dataset, PROV[name]), name
    text = json.dumps(document)
    assert "For research use. Not a medical device." in text
    assert "Not refuted" in text
    assert "certificate.html says how" in text
    assert "anonym" not in text.lower()
    # The dataset's own name stays in the report.
    assert '"test"' not in text


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ("real", "began as one real X-ray"),
        ("k_mean", "shows who is in it"),
        ("noise", "began as noise"),
        ("dp_mean", "under differential privacy"),
        ("public", "which show no patient"),
        ("new way", "from these."),
    ],
)
def test_it_says_what_the_images_began_as(
    folder: Path, make_facts: MakeFacts, start: str, words: str
) -> None:
    metadata = json.loads((folder / "metadata.json").read_bytes())
    metadata["config"]["distillation"]["initialisation"] = start
    assert words in croissant(metadata, make_facts(), {})["rai:dataCollection"]


def test_hostile_text_stays_text(
    tmp_path: Path, whole: bytes, make_facts: MakeFacts, signer: Signer
) -> None:
    hostile = 'a"}], "@id": "x\n\u202e\x00\x1b[31m</script> {{'
    facts = make_facts(title=hostile, summary=hostile, citation=hostile, card=hostile)
    released = pack_release(whole, facts=facts, signer=signer, signed_at=NOW)
    zipfile.ZipFile(io.BytesIO(released)).extractall(tmp_path)
    dataset = open_dataset(tmp_path)
    assert dataset.metadata.name == 'a"}], "@id": "x [31m</script> {{'
    assert len(list(dataset.records("images"))) == 4


def test_a_release_without_citation_or_with_a_page(folder: Path, make_facts: MakeFacts) -> None:
    metadata = json.loads((folder / "metadata.json").read_bytes())
    bare = croissant(metadata, make_facts(citation=""), {})
    assert "citeAs" not in bare
    assert bare["url"] == "urn:iadd-exchange:release:rel_0123456789abcdef01234567"
    page = croissant(metadata, make_facts(url="https://portal.example/releases/x"), {})
    assert page["url"] == "https://portal.example/releases/x"
    with pytest.raises(DuoError):
        croissant(metadata, make_facts(duo=("DUO:1",)), {})
