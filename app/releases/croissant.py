"""Renders ``croissant.json``, the machine-readable description of a release.

Croissant 1.1 (http://mlcommons.org/croissant/1.1) with its vocabulary for responsible AI, PROV-O
for where the images come from, and terms of the Data Use Ontology for what they may be used for.
Nothing in it names a patient, a file of the hospital or a person.
"""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any

from app.releases.duo import parse_conditions
from app.releases.facts import VERDICTS, ReleaseFacts, how_it_began
from app.releases.markdown import one_line
from app.signing.keys import rfc3339
from iadd.bundle.format import RESEARCH_ONLY

Json = dict[str, Any]

METHOD = (
    "Guang Li, Ren Togo, Takahiro Ogawa, Miki Haseyama: Importance-Aware Adaptive Dataset "
    "Distillation. https://arxiv.org/abs/2401.15863"
)

_FORMATS = {
    ".html": "text/html",
    ".json": "application/json",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".safetensors": "application/octet-stream",
}
_IMAGES = "images/"

# The context that the specification recommends in its first appendix, and what it adds in its text
# for provenance.
_CONTEXT: Json = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "annotation": "cr:annotation",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "excludes": "cr:excludes",
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "readLines": "cr:readLines",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "sdVersion": "cr:sdVersion",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
    "unArchive": "cr:unArchive",
    "value": "cr:value",
}


def croissant(
    metadata: Mapping[str, Any], release: ReleaseFacts, files: Mapping[str, tuple[int, str]]
) -> Json:
    """Describe a release.

    Args:
        metadata: As ``metadata.json`` of the bundle holds it.
        release: Facts of the release.
        files: Size in bytes and SHA-256 of every file that the bundle holds, by name; itself,
            the sums and the signature, which come later, left out.

    Raises:
        KeyError: When the metadata is none.
        DuoError: When a condition of the release is none.
    """
    organisation = {"@type": "Organization", "name": one_line(release.organisation)}
    released = rfc3339(release.created_at)
    classes = [str(name) for name in metadata["classes"]]
    return {
        "@context": _CONTEXT,
        "@type": "Dataset",
        "conformsTo": [
            "http://mlcommons.org/croissant/1.1",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "name": one_line(release.title),
        "description": f"{one_line(release.summary)} {RESEARCH_ONLY}".strip(),
        "identifier": one_line(release.id),
        "url": release.url or f"urn:iadd-exchange:release:{one_line(release.id)}",
        "version": f"{release.number}.0.0",
        "creator": organisation,
        "publisher": organisation,
        "datePublished": released,
        "license": {
            "@type": "CreativeWork",
            "name": f"Terms of use of {one_line(release.organisation)}",
            "url": "TERMS.md",
        },
        "usageInfo": _usage(release),
        "keywords": ["chest X-ray", "dataset distillation", "IADD", *classes],
        "citation": METHOD,
        **({"citeAs": one_line(release.citation)} if one_line(release.citation) else {}),
        **_provenance(metadata, organisation),
        **_responsible_ai(metadata, release),
        "distribution": [
            *(_file(name, *files[name]) for name in files if not name.startswith(_IMAGES)),
            {
                "@type": "cr:FileSet",
                "@id": "pictures",
                "name": "pictures",
                "description": "The images for the eye, clipped to 256 grey levels.",
                "encodingFormat": "image/png",
                "includes": f"{_IMAGES}*/*.png",
            },
        ],
        "recordSet": [_classes(classes), _images(metadata)],
    }


def _usage(release: ReleaseFacts) -> list[Json]:
    return [
        {
            "@type": "DefinedTerm",
            "name": condition.term.label,
            "description": condition.sentence,
            "termCode": condition.term.code.replace(":", "_"),
            "url": condition.term.url,
            "inDefinedTermSet": "http://purl.obolibrary.org/obo/duo.owl",
        }
        for condition in parse_conditions(release.duo)
    ]


def _provenance(metadata: Mapping[str, Any], organisation: Json) -> Json:
    version = one_line(str(metadata.get("versions", {}).get("iadd-exchange", ""))) or "unknown"
    source = {
        "@type": ["Dataset", "prov:Entity"],
        "name": "Chest X-rays of the releasing organisation",
        "description": (
            "They stay with the organisation and are no part of this release; patients and files "
            "are not named."
        ),
        "creator": organisation,
    }
    return {
        "isBasedOn": source,
        "prov:wasDerivedFrom": source,
        "prov:wasAttributedTo": {
            "@type": "prov:Organization",
            "prov:label": organisation["name"],
        },
        "prov:wasGeneratedBy": {
            "@type": "prov:Activity",
            "prov:label": "Importance-aware adaptive dataset distillation",
            "prov:wasAssociatedWith": {
                "@type": "prov:SoftwareAgent",
                "prov:label": f"IADD Exchange {version}",
            },
        },
    }


def _responsible_ai(metadata: Mapping[str, Any], release: ReleaseFacts) -> Json:
    verdict = VERDICTS.get(release.verdict, one_line(release.verdict))
    network = metadata["network"]
    return {
        "rai:dataCollection": (
            "The images were not taken: they were computed from chest X-rays of the releasing "
            "organisation, so that a network trained on them learns much of what it would learn "
            f"from these. {how_it_began(metadata)}".strip()
        ),
        "rai:dataCollectionType": ["Secondary Data Analysis", "Software Collection"],
        "rai:dataManipulationProtocol": (
            "Dataset distillation by matching training trajectories, with a weight for every "
            "parameter; the settings are in metadata.json."
        ),
        "rai:dataPreprocessingProtocol": [
            f"The X-rays were scaled to {metadata['image_size']}×{metadata['image_size']} pixels "
            "and normalised as metadata.json says."
        ],
        "rai:dataAnnotationProtocol": [
            "A distilled image has the class that it was computed for. The classes of the X-rays "
            "that it was computed from are the organisation's."
        ],
        "rai:dataLimitations": [
            RESEARCH_ONLY,
            (
                f"Made for networks like the one they were computed with ({network['name']}, depth "
                f"{network['depth']}) and for the recipe in metadata.json; other networks may "
                "learn less from them."
            ),
            "What they are worth was measured on the organisation's own test images; elsewhere it "
            "may be less. They show no anatomy to rely on.",
        ],
        "rai:dataBiases": [
            "They carry the biases of the X-rays that they were computed from: of the patients of "
            "one organisation, its devices and its labels."
        ],
        "rai:dataUseCases": [
            "Training and comparing networks that classify chest X-rays, and research into "
            "dataset distillation.",
            "Not: diagnosis, treatment or any decision about a person.",
        ],
        "rai:personalSensitiveInformation": [
            "Computed from health data. What the images give away about the patients was measured; "
            f"report.html and report.json say how. {verdict}"
        ],
        "rai:dataReleaseMaintenancePlan": (
            "This release never changes; a later one has a higher number. The organisation may "
            "withdraw it, and then asks for its deletion."
        ),
    }


def _file(name: str, size: int, sha256: str) -> Json:
    suffix = PurePosixPath(name).suffix
    return {
        "@type": "cr:FileObject",
        "@id": name,
        "name": name,
        "contentUrl": name,
        "contentSize": f"{size} B",
        "encodingFormat": _FORMATS.get(suffix, "application/octet-stream"),
        "sha256": sha256,
    }


def _classes(classes: list[str]) -> Json:
    return {
        "@type": "cr:RecordSet",
        "@id": "classes",
        "name": "classes",
        "dataType": "sc:Enumeration",
        "key": {"@id": "classes/name"},
        "field": [
            {"@type": "cr:Field", "@id": "classes/name", "name": "name", "dataType": "sc:Text"}
        ],
        "data": [{"classes/name": name} for name in classes],
    }


def _images(metadata: Mapping[str, Any]) -> Json:
    size = metadata["image_size"]
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": (
            f"The distilled images, {size}×{size} pixels, for the eye. Train with "
            "distilled.safetensors, which holds them unclipped."
        ),
        "field": [
            {
                "@type": "cr:Field",
                "@id": "images/image",
                "name": "image",
                "dataType": "sc:ImageObject",
                "source": {
                    "fileSet": {"@id": "pictures"},
                    "extract": {"fileProperty": "content"},
                },
            },
            {
                "@type": "cr:Field",
                "@id": "images/label",
                "name": "label",
                "description": "The class, which is the picture's folder.",
                "dataType": ["sc:Text", "cr:Label"],
                "source": {
                    "fileSet": {"@id": "pictures"},
                    "extract": {"fileProperty": "fullpath"},
                    "transform": {"regex": "^images/(.+)/[^/]+$"},
                },
            },
        ],
    }
