import json

import pytest

from iadd.intake.layout.mapping import Mapping, MappingError, Role, SeveralLabels, TableMapping

FULL = Mapping(
    encoding="cp932",
    levels=(Role.ROOT, Role.SPLIT, Role.CLASS, Role.PATIENT),
    csv=TableMapping(
        "train.csv",
        {"file": ["subject_id", "study_id"], "label": ["Edema", "Mass"], "view": "View"},
        (TableMapping("split.csv", {"file": "dicom_id", "split": "split"}),),
    ),
    split_words={"holdout": "test"},
    merge={"COVID_19": "COVID-19"},
    leave_out=("docs", "*/masks"),
    uncertain="positive",
    several_labels=SeveralLabels("first_by_priority", ("Mass", "Edema")),
    patient_in_name=True,
)


def test_a_mapping_survives_its_json():
    assert Mapping.from_dict(json.loads(json.dumps(FULL.to_dict()))) == FULL


def test_keys_that_are_missing_take_their_defaults():
    assert Mapping.from_dict({"levels": ["class"]}) == Mapping(levels=(Role.CLASS,))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"levels": ["class", "class"]}, "twice"),
        ({"levels": ["klass"]}, "root, site, split, class"),
        ({"levels": ["root"], "csv": None}, "Nothing says which class"),
        ({"levels": "class"}, "list"),
        ({"csv": {"columns": {"file": "a", "label": "b"}}}, "csv.file is missing"),
        ({"csv": {"file": "x", "columns": {"label": "b"}}}, "csv.columns.file is missing"),
        ({"csv": {"file": "x", "columns": {"file": "a"}}}, "file names alone"),
        ({"csv": {"file": "x", "columns": {"file": "a", "split": ["b"]}}}, "not a list"),
        ({"csv": {"file": "x", "columns": {"file": "a", "age": "b"}}}, "unknown key"),
        ({"split_words": {"holdout": "exam"}}, "train, validation or test"),
        ({"merge": {"A": "A"}}, "into itself"),
        ({"merge": {"A": "B", "B": "C"}}, "in steps"),
        ({"uncertain": "maybe"}, "leave_out, positive, negative"),
        ({"several_labels": {"how": "first_by_priority"}}, "most important first"),
        ({"several_labels": {"how": "one_against_the_rest"}}, "against the"),
        ({"leave_out": [1]}, "leave_out must be a text"),
        ({"surprise": 1}, "unknown key"),
    ],
)
def test_a_wrong_mapping_says_what_to_change(change: dict[str, object], words: str):
    with pytest.raises(MappingError, match=words):
        Mapping.from_dict(FULL.to_dict() | change)


def test_what_is_no_object_is_refused():
    with pytest.raises(MappingError, match="must be an object"):
        Mapping.from_dict([])
