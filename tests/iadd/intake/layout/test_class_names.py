import pytest

from iadd.intake.layout.class_names import (
    class_name_problem,
    looks_like_patient,
    normalise,
    patient_of_name,
    suggested_merges,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("COVID-19", "COVID_19"),
        ("COVID-19", "Covid 19"),
        ("Lungenentzündung", "LUNGENENTZUENDUNG"),
        ("Nodules", "nodule"),
        ("No Finding", "NoFinding"),
        ("Pneumonie à Covid", "pneumonie_a_covid"),
    ],
)
def test_spellings_of_one_class_are_alike(one: str, other: str):
    assert normalise(one) == normalise(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("COVID+", "COVID-"),
        ("Grade 1-2", "Grade 12"),
        ("COVID", "COVID-19"),
        ("Normal", "Abnormal"),
        ("Tuberculosis", "Tuberculosi"),
    ],
)
def test_different_classes_are_not_alike(one: str, other: str):
    assert normalise(one) != normalise(other)


def test_the_most_frequent_spelling_is_kept():
    counts = {"covid 19": 2, "COVID-19": 9, "COVID_19": 3, "Normal": 1}
    assert suggested_merges(counts) == {"covid 19": "COVID-19", "COVID_19": "COVID-19"}


@pytest.mark.parametrize(
    "name",
    [
        "MUELLER^HANS_1950",
        "Mueller, Hans",
        "MUELLER_HANS_1950",
        "PAT0001",
        "patient00012",
        "sub-01",
        "P0012",
        "00012345",
        "12.03.1950",
        "1950-03-12",
        "MRN 77812",
        "Herr Meier",
        "1.2.840.113619.2.55",
        "患者12",
    ],
)
def test_names_and_numbers_of_people_look_like_patients(name: str):
    assert looks_like_patient(name)


@pytest.mark.parametrize(
    "name",
    [
        *("COVID-19", "Pneumonia, viral", "Lung_Opacity", "No Finding", "images_001", "part2"),
        *("0", "2017", "Chest_Xray_2017", "Grade 3", "train", "StMary", "正常"),
    ],
)
def test_names_of_classes_do_not_look_like_patients(name: str):
    assert not looks_like_patient(name)


@pytest.mark.parametrize(
    ("stem", "patient"),
    [
        ("P0012_3", "p0012"),
        ("person12_virus_34", "person12"),
        ("patient00012_view1", "patient00012"),
        ("00000013_002", "00000013"),
        ("MEIER^UWE_2", "meier^uwe"),
        ("COVID-19_0", None),
        ("Normal-12", None),
        ("000train", None),
    ],
)
def test_a_file_name_gives_its_patient(stem: str, patient: str | None):
    assert patient_of_name(stem) == patient


def test_a_class_name_that_windows_reserves_is_a_problem():
    assert class_name_problem("COM1") is not None
    assert class_name_problem("Normal") is None
