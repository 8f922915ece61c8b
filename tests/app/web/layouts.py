"""Layouts and quality reports as the intake writes them, and datasets that have them."""

import json
from typing import Any

from app.datasets.repository import DatasetRepository
from app.models import Dataset, DatasetStatus

NOTHING_SPECIAL = {
    "encoding": None,
    "csv": None,
    "split_words": {},
    "merge": {},
    "leave_out": [],
    "uncertain": "leave_out",
    "several_labels": {"how": "leave_out"},
    "patient_in_name": False,
}


def reading(levels: list[str], classes: dict[str, int], why: str, **mapping: Any) -> dict[str, Any]:
    return {
        "mapping": {**NOTHING_SPECIAL, "levels": levels, **mapping},
        "classes": {name: {"": count} for name, count in classes.items()},
        "score": 0.5,
        "why": why,
        "left_out": {},
    }


def level(role: str, *samples: str) -> dict[str, Any]:
    return {
        "role": role,
        "kind": "names",
        "samples": list(samples),
        "names": len(samples),
        "files": 80,
    }


def hospitals(**more: Any) -> dict[str, Any]:
    """Folders of hospitals above those of classes: which of them are the classes?"""
    return {
        "encoding": None,
        "levels": [level("site", "Hospital A", "Hospital B"), level("class", "COVID", "Normal")],
        "tables": [],
        "readings": [
            reading(["site", "class"], {"COVID": 41, "Normal": 39}, "Level 2 holds the classes."),
            reading(
                ["class", "ignore"],
                {"Hospital A": 40, "Hospital B": 40},
                "Level 1 holds the classes.",
            ),
        ],
        "certain": None,
        "questions": ["Are “Hospital A” and “Hospital B” hospitals?"],
        "notes": [],
        "empty_classes": [],
        **more,
    }


def wide_table() -> dict[str, Any]:
    """A table of 0 and 1 beside images in one folder."""
    columns = [
        {"name": "Path", "role": "file", "wide": False, "samples": []},
        {"name": "Sex", "role": None, "wide": False, "samples": []},
        {"name": "Set", "role": "split", "wide": False, "samples": ["fold1", "fold2"]},
        {"name": "Edema", "role": "label", "wide": True, "samples": ["0", "1", "-1"]},
        {"name": "Pneumonia", "role": "label", "wide": True, "samples": ["0", "1"]},
    ]
    csv = {"file": "t.csv", "columns": {"file": "Path", "label": ["Edema", "Pneumonia"]}}
    return hospitals(
        levels=[level("root", "images")],
        tables=[
            {
                "file": "t.csv",
                "rows": 80,
                "rows_with_file": 78,
                "columns": columns,
                "problems": [],
            }
        ],
        readings=[
            reading(["root"], {"Edema": 40, "Pneumonia": 38}, "A table.", csv=csv, split_words={})
        ],
    )


def ask_for_mapping(portal: Any, layout: dict[str, Any] | None = None) -> str:
    """A dataset whose archive can be read in several ways."""
    dataset_id: str = portal.uploaded_dataset()
    with portal.database.transaction() as session:
        datasets = DatasetRepository(session)
        fence = datasets.claim(dataset_id, owner="test", seconds=60)
        assert fence is not None
        datasets.mark_awaiting_mapping(
            dataset_id, fence=fence, layout=layout or hospitals(), signature="0" * 64
        )
    return dataset_id


def row(portal: Any, dataset_id: str) -> Dataset:
    with portal.database.reading() as session:
        found = DatasetRepository(session).load(dataset_id)
    assert found is not None
    return found


def finding(code: str, severity: str, action: str, count: int = 3, **more: Any) -> dict[str, Any]:
    return {
        "code": code,
        "severity": severity,
        "title": f"Title of {code}",
        "meaning": f"Meaning of {code}.",
        "action": action,
        "count": count,
        "names": [f"COVID/{code}.png"],
        "has_picture": True,
        **more,
    }


PAIRS = [{"names": ["COVID/1.png", "COVID/2.png"], "correlation": 0.9967}]
FINDINGS = [
    finding("pages", "info", "accept", has_picture=False),
    finding("inverted", "warn", "turn"),
    finding("near_duplicate_across_splits", "warn", "leave_out", 24, names=[], pairs=PAIRS),
    finding("class_spellings", "warn", "merge", 2, names=["COVID", "Normal"], has_picture=False),
    finding("text_in_picture", "hold", "leave_out"),
]


def examined(portal: Any, **more: Any) -> str:
    """A dataset that is ready, with findings as the check leaves them."""
    dataset_id: str = portal.ready_dataset()
    findings = more.pop("findings", FINDINGS)
    quality = {
        "entries": 200,
        "images": 174,
        "image_size": 112,
        "classes": {},
        "split_by": "near_duplicates",
        "patients": None,
        "findings": findings,
        "refused": [],
        "refused_groups": [],
        "refused_count": 20,
        "ignored": [{"reason": "masks", "count": 6}],
        "charts": {
            "sizes": {"224×224": 150, "other": 24},
            "brightness": {"COVID": [0] * 7 + [30, 24] + [0] * 7, "Normal": [0] * 8 + [120] * 8},
        },
        "changes": None,
        "accepted_findings": [],
        **more,
    }
    files = {one["code"]: [f"{n:064x}" for n in range(one["count"])] for one in findings}
    folder = f"datasets/{dataset_id}"
    portal.storage.put(f"{folder}/quality.json", json.dumps(quality).encode())
    portal.storage.put(f"{folder}/finding-files.json", json.dumps(files).encode())
    for one in findings:
        portal.storage.put(f"{folder}/sheets/{one['code']}.png", b"\x89PNG")
    with portal.database.transaction() as session:
        dataset = DatasetRepository(session).load(dataset_id)
        assert dataset is not None
        assert dataset.status == DatasetStatus.READY
        dataset.read_key = f"{folder}/read"
        dataset.split_by = "near_duplicates"
        dataset.open_holds = {
            one["code"]: one["count"] for one in findings if one["severity"] == "hold"
        }
    return dataset_id
