"""A distillation's own bundle and a release made of it, as small as they can be."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import torch

from app.releases.facts import ReleaseFacts
from app.releases.pack import pack_release
from app.releases.signature import Signer
from app.releases.signing import KeyHistory, new_key
from app.releases.terms import default_conditions, render_terms
from iadd.bundle import write_bundle
from iadd.config import Config
from iadd.distilled import DistilledDataset, History
from iadd.normalisation import Normalisation

NOW = datetime(2026, 11, 24, 12, 30, tzinfo=UTC)

MakeFacts = Callable[..., ReleaseFacts]


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A real bundle, not signed."""
    figure = {"mean": 0.75, "std": 0.01, "n": 5}
    figures = {"balanced_accuracy": figure, "accuracy": figure}
    path = tmp_path_factory.mktemp("whole") / "bundle.zip"
    write_bundle(
        path,
        DistilledDataset(
            images=torch.randn(4, 1, 8, 8),
            labels=torch.tensor([0, 0, 1, 1]),
            classes=("COVID", "肺炎"),
            syn_lr=0.01,
            importance_weights=None,
            history=History(),
            config=Config().override({"image_size": 8, "depth": 2}),
            normalisation=Normalisation((0.5,), (0.25,)),
            initial_images=None,
            best_iteration=0,
        ),
        report_html=b"<!doctype html>",
        report_json={
            "dataset": {"name": "test"},
            "versions": {"iadd-exchange": "0.1.0"},
            "utility": {"distilled": figures, "random": figures, "full": figures},
            "privacy": {"statement": "Not refuted."},
        },
    )
    return path.read_bytes()


@pytest.fixture(scope="session")
def make_facts() -> MakeFacts:
    """Facts of a release; what is given replaces what they would say."""

    def make(**changes: object) -> ReleaseFacts:
        said = {
            "title": "Chest X-rays in two classes",
            "organisation": "St. Anna Hospital",
            "contact": "data-office@st-anna.example",
            "citation": "St. Anna Hospital (2026). Distilled chest X-rays.",
        }
        duo = tuple(map(str, default_conditions("research_only")))
        facts = {
            **said,
            "id": "rel_0123456789abcdef01234567",
            "number": 2,
            "summary": "Distilled from X-rays of adults.",
            "card": "The classes were read by *two* radiologists.",
            "terms": render_terms("research_only", duo=duo, **said),
            "duo": duo,
            "embargo_until": None,
            "created_at": NOW,
            "verdict": "not_refuted",
        }
        return ReleaseFacts(**(facts | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def keys() -> list[tuple[bytes, str]]:
    """Four key pairs."""
    return [new_key() for _ in range(4)]


@pytest.fixture(scope="session")
def signer(keys: list[tuple[bytes, str]]) -> Signer:
    """St. Anna with the second key, which the first one named."""
    (first, first_public), (second, second_public), *_ = keys
    history = KeyHistory(first_public).rotated(first, second_public, NOW)
    return Signer.with_key("St. Anna Hospital", second, history)


@pytest.fixture(scope="session")
def release(whole: bytes, make_facts: MakeFacts, signer: Signer) -> bytes:
    return pack_release(whole, facts=make_facts(), signer=signer, signed_at=NOW)
