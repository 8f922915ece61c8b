"""The map of received classes to local ones: proposed by name, checked."""

import itertools

import pytest

from iadd.sharing.class_map import (
    _SYNONYMS,
    ClassMapError,
    _key,
    check_class_map,
    likeness,
    propose_class_map,
)


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        ("COVID", ["COVID", "COVID-19"], "COVID"),
        ("covid_19", ["Normal", "COVID-19"], "COVID-19"),
        ("COVID-19", ["covid19", "Normal"], "covid19"),
        ("COVID", ["COVID-19 positive", "Normal"], "COVID-19 positive"),
        ("No Finding", ["Normal", "COVID"], "Normal"),
        ("healthy", ["NORMAL", "COVID"], "NORMAL"),
        ("viral pneumonia", ["Pneumonia (viral)", "Pneumonia"], "Pneumonia (viral)"),
        ("Lung_Opacity", ["lung opacities"], "lung opacities"),
        ("Ｎｏｒｍａｌ", ["normal"], "normal"),
        ("TB", ["Tuberculosis"], "Tuberculosis"),
    ],
)
def test_a_name_finds_the_nearest_of_ours(theirs: str, ours: list[str], expected: str) -> None:
    assert propose_class_map([theirs], ours) == {theirs: expected}


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("Viral Pneumonia", ["Bacterial Pneumonia", "Pneumonia", "COVID-19 pneumonia"]),
        ("Pneumonia", ["Viral Pneumonia", "Bacterial Pneumonia"]),
        ("COVID-19 pneumonia", ["Viral Pneumonia", "COVID-19"]),
        ("Negative", ["Normal"]),
        ("COVID-", ["COVID", "COVID+"]),
        ("TB-", ["TB+", "TB"]),
        ("Non-COVID", ["COVID"]),
        ("abnormal", ["Normal"]),
        ("Stage 1.5", ["Stage 15"]),
        ("+", ["-", "!"]),
        ("Mass", ["Nodule"]),
    ],
)
def test_what_is_not_clearly_the_same_is_left_out(theirs: str, ours: list[str]) -> None:
    assert propose_class_map([theirs], ours) == {theirs: None}


def test_two_that_are_as_like_are_left_to_whoever_knows_the_data() -> None:
    assert propose_class_map(["No Finding"], ["Normal", "Healthy"]) == {"No Finding": None}
    assert propose_class_map(["healthy"], ["Normal", "Healthy"]) == {"healthy": "Healthy"}


def test_no_name_stands_for_two_findings() -> None:
    groups = [{_key(name) for name in names} for names in _SYNONYMS]
    for one, other in itertools.combinations(groups, 2):
        assert not one & other


def test_the_reason_of_a_proposal_can_be_said() -> None:
    assert likeness("Normal", "Normal") == "same name"
    assert likeness("Normal", "normal ") == "same but for spelling"
    assert likeness("Normal", "Healthy") == "synonym"
    assert likeness("Normal", "COVID") is None


THEIRS, OURS = ("Viral", "Bacterial", "None"), ("Pneumonia", "Normal")


def test_several_received_classes_may_be_one_of_ours() -> None:
    check_class_map({"Viral": "Pneumonia", "Bacterial": "Pneumonia", "None": None}, THEIRS, OURS)


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"Viral": None, "Bacterial": None, "None": None}, "map at least one"),
        ({"Viral": "Pneumonia", "Bacterial": None}, "omits “None”"),
        ({"Viral": "Flu", "Bacterial": None, "None": None}, "among yours: they are “Pneumonia”"),
        (
            {"Viral": "Normal", "Bacterial": None, "None": None, "Fungal": None},
            "names “Fungal”, and the received set has no such class",
        ),
    ],
)
def test_a_wrong_map_is_refused_with_advice(wrong: dict[str, str | None], advice: str) -> None:
    with pytest.raises(ClassMapError, match=advice):
        check_class_map(wrong, THEIRS, OURS)
