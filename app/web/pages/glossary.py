"""Glossary page, with definitions and sources."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from app.web.dependencies import VisitorIfAny
from app.web.render import language_of, page
from app.web.texts import texts_in

router = APIRouter(prefix="/glossary")


@dataclass(frozen=True)
class Source:
    name: str
    url: str


IADD = Source(
    "Li, Togo, Ogawa, Haseyama: IADD (2024)", "https://doi.org/10.1016/j.neunet.2024.106154"
)
DISTILLATION = Source("Wang et al. (2018)", "https://arxiv.org/abs/1811.10959")
MATCHING = Source("Cazenavette et al. (2022)", "https://arxiv.org/abs/2203.11932")
K_SAME = Source("Newton, Sweeney, Malin (2005)", "https://doi.org/10.1109/TKDE.2005.32")
AUGMENTATION = Source("Zhao, Bilen (2021)", "https://arxiv.org/abs/2102.08259")
ACCURACY = Source("Brodersen et al. (2010)", "https://doi.org/10.1109/ICPR.2010.764")
ROC = Source("Fawcett (2006)", "https://doi.org/10.1016/j.patrec.2005.10.010")
INTERVAL = Source("Clopper, Pearson (1934)", "https://doi.org/10.1093/biomet/26.4.404")
ATTACKS = Source("Carlini et al. (2022)", "https://arxiv.org/abs/2112.03570")
MEMBERSHIP = Source("Shokri et al. (2017)", "https://arxiv.org/abs/1610.05820")
DISTANCES = Source("DCR Delusion (2025)", "https://arxiv.org/abs/2505.01524")
PRIVACY = Source("Dwork, Roth (2014)", "https://doi.org/10.1561/0400000042")
DP_SGD = Source("Abadi et al. (2016)", "https://arxiv.org/abs/1607.00133")
DUO = Source("GA4GH, Data Use Ontology", "https://doi.org/10.1016/j.xgen.2021.100028")
ED25519 = Source("RFC 8032", "https://www.rfc-editor.org/rfc/rfc8032")
TUS = Source("tus 1.0", "https://tus.io/protocols/resumable-upload")
CROISSANT = Source("MLCommons Croissant", "https://docs.mlcommons.org/croissant/")
DICOM = Source(
    "DICOM PS3.15", "https://dicom.nema.org/medical/dicom/current/output/html/part15.html"
)
WEBHOOKS = Source("Standard Webhooks", "https://www.standardwebhooks.com")
WP29 = Source(
    "Article 29 Working Party, opinion 05/2014",
    "https://ec.europa.eu/justice/article-29/documentation/opinion-recommendation/files/2014/wp216_en.pdf",
)
GDPR = Source("GDPR, recital 26", "https://eur-lex.europa.eu/eli/reg/2016/679/oj")

TERMS: dict[str, Source | None] = {
    "dataset-distillation": DISTILLATION,
    "iadd": IADD,
    "teacher": MATCHING,
    "student": MATCHING,
    "trajectory": MATCHING,
    "trajectory-matching": MATCHING,
    "images-per-class": DISTILLATION,
    "importance-weights": IADD,
    "syn-lr": MATCHING,
    "k-mean-start": K_SAME,
    "preset": None,
    "seed": None,
    "augmentation": AUGMENTATION,
    "accuracy": ACCURACY,
    "balanced-accuracy": ACCURACY,
    "auroc": ROC,
    "sensitivity": ROC,
    "specificity": ROC,
    "confidence-interval": INTERVAL,
    "patient-split": None,
    "random-baseline": DISTILLATION,
    "verdict": None,
    "refuted": DISTANCES,
    "inconclusive": None,
    "not-refuted": ATTACKS,
    "proven": PRIVACY,
    "positive-control": None,
    "negative-control": None,
    "near-copy": DISTANCES,
    "retention": None,
    "membership-inference": MEMBERSHIP,
    "attack-power": ATTACKS,
    "attempt": None,
    "audit-unit": None,
    "certificate": WP29,
    "internal-audit": None,
    "canary": ATTACKS,
    "differential-privacy": PRIVACY,
    "epsilon": PRIVACY,
    "dp-sgd": DP_SGD,
    "personal-data": GDPR,
    "de-identification": DICOM,
    "gate": None,
    "release": None,
    "bundle": None,
    "signature": ED25519,
    "fingerprint": ED25519,
    "duo": DUO,
    "grant": None,
    "embargo": None,
    "withdrawal": None,
    "tombstone": None,
    "audit-log": None,
    "score": None,
    "croissant": CROISSANT,
    "steward": None,
    "token": None,
    "tus": TUS,
    "webhook": WEBHOOKS,
}
"""The anchors of the words, which other pages link to, with where each is written about."""


@router.get("")
def show_glossary(
    request: Request,
    _visitor: VisitorIfAny,
    q: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    return page(request, "glossary/glossary.html", terms=_found(request, q), q=q.strip())


def _found(request: Request, wanted: str) -> list[tuple[str, Source | None]]:
    """The words that have all of these in their name or meaning, by their names."""
    t = texts_in(language_of(request))
    words = wanted.casefold().split()
    named = sorted((t(f"term-{anchor}").casefold(), anchor) for anchor in TERMS)
    return [
        (anchor, TERMS[anchor])
        for name, anchor in named
        if all(word in f"{name} {t(f'means-{anchor}').casefold()}" for word in words)
    ]
