import json
import time
from types import SimpleNamespace

import pytest

from iadd.intake.errors import DatasetError
from iadd.intake.layout.layout import Layout
from iadd.intake.layout.mapping import Mapping, Role
from iadd.intake.layout.placement import place
from iadd.intake.layout.readings import describe
from iadd.intake.layout.tables import Table

from .layouts import listed, paths, table
from .public_layouts import LAYOUTS

C = ("COVID", "Normal")


def read(files: list[str], *tables: Table) -> Layout:
    return describe(listed(files), tables)


def classes(layout: Layout) -> set[str]:
    return set(layout.readings[0].classes)


@pytest.mark.parametrize("name", LAYOUTS)
def test_public_layouts_are_read(name: str):
    files: list[str] = []
    tables: list[Table | None] = []
    expected = LAYOUTS[name](
        lambda path, _: files.append(path),
        lambda path, content: tables.append(Table.parse(path, content)),
    )
    known = [one for one in tables if one is not None]
    layout = read(files, *known)
    found = place(listed(files), layout.readings[0].mapping, known)
    assert found.classes() == expected.classes
    assert (layout.certain is not None) == expected.certain
    if expected.patients:
        assert len({one.patient for one in found.placements}) == expected.patients


@pytest.mark.parametrize(
    "pattern",
    ["{c}/{i}.png", "a/b/{c}/{i}.png", "{c}/images/{i}.png", "{c}/PA/{i}.png", "{c}/{c}/{i}.png"],
)
def test_class_folders_need_no_question(pattern: str):
    layout = read([path for c in C for path in paths(pattern, c=[c])])
    assert layout.certain is not None
    assert classes(layout) == set(C)


@pytest.mark.parametrize("pattern", ["{s}/{c}/{i}.png", "{c}/{s}/{i}.png", "x/{s}/{c}/img/{i}.png"])
@pytest.mark.parametrize(
    "splits",
    [("train", "val", "test"), ("Train_set", "Test_set"), ("entrenamiento", "prueba")],
)
def test_split_folders_need_no_question(pattern: str, splits: tuple[str, ...]):
    layout = read(paths(pattern, s=splits, c=C))
    assert layout.certain is not None
    assert classes(layout) == set(C)
    assert "" not in layout.readings[0].classes["COVID"]


@pytest.mark.parametrize(
    ("above", "role"),
    [
        (("train", "holdout"), Role.SPLIT),
        (("fold1", "fold2", "fold3"), Role.IGNORE),
        (("StMary", "General"), Role.SITE),
        (("Ulm", "Bonn"), Role.SITE),
        (("images_001", "images_002"), Role.IGNORE),
        (("MUELLER^HANS_1950", "MEIER^EVA_1960"), Role.PATIENT),
        (("PAT0001", "PAT0002", "PAT0003"), Role.PATIENT),
    ],
)
def test_other_levels_above_the_classes_are_asked_about(above: tuple[str, ...], role: Role):
    layout = read(paths("{a}/{c}/{i}.png", a=above, c=C))
    assert layout.certain is None
    assert layout.questions
    assert layout.readings[0].mapping.levels == (role, Role.CLASS)
    assert classes(layout) == set(C)


def test_people_called_by_plain_names_are_patients():
    names = {"Hans Mueller": "COVID", "Eva Schmidt": "Normal", "Uwe Meier": "COVID"}
    layout = read([f"{name}/{c}/{i}.png" for name, c in names.items() for i in range(3)])
    assert layout.readings[0].mapping.levels == (Role.PATIENT, Role.CLASS)
    assert "Mueller" not in json.dumps(layout.to_dict())


def test_patients_below_the_classes_stay_together_and_are_masked():
    layout = read([f"{c}/MEIER^UWE_{c}{k}/{i}.png" for c in C for k in range(3) for i in range(2)])
    assert layout.certain is not None
    assert layout.certain.levels == (Role.CLASS, Role.PATIENT)
    assert "MEIER" not in json.dumps(layout.to_dict())


def test_patients_in_file_names_are_suggested():
    layout = read(paths("{c}/{p}_{i}.png", c=C, p=("patient001", "patient002")))
    assert layout.certain is not None
    assert layout.certain.patient_in_name


def test_an_inner_copy_is_read_as_the_outer_set():
    files = paths("{w}/{s}/{c}/{i}.png", w=("x", "x/x"), s=("train", "test"), c=C)
    layout = read(files)
    assert layout.certain is not None
    assert layout.readings[0].classes == {c: {"test": 8, "train": 8} for c in C}


def test_two_classes_below_each_of_two_unknown_words_can_be_read_in_two_ways():
    layout = read(paths("{a}/{b}/{i}.png", a=("A", "B"), b=("x", "y")))
    assert layout.certain is None
    assert len(layout.readings) == 2


def test_finer_classes_below_the_classes_are_asked_about():
    layout = read(paths("{c}/{i}.png", c=("Infected/COVID", "Infected/Viral", "Healthy/Normal")))
    assert layout.certain is None


def test_masks_are_left_out_and_documents_asked_about():
    layout = read([*paths("{c}/{i}.png", c=C), "lung_masks/a.png", "lung_masks/b.png"])
    assert layout.certain is not None
    assert layout.certain.leave_out == ("lung_masks",)
    layout = read([*paths("ds/{c}/{i}.png", c=C), *paths("docs/{i}.png")])
    assert layout.certain is None
    assert classes(layout) == set(C)
    assert layout.readings[0].mapping.leave_out == ("docs",)


def test_a_stray_folder_is_no_class():
    layout = read([*paths("ds/{c}/{i}.png", c=C), *paths("extra/{i}.png")])
    assert layout.certain is None
    assert classes(layout) == set(C)


def test_spellings_are_asked_about_with_a_merge():
    layout = read(paths("{c}/{i}.png", c=("COVID-19", "COVID_19", "Covid 19", "Normal")))
    assert layout.certain is None
    assert classes(layout) == {"COVID-19", "Normal"}
    assert layout.readings[0].mapping.merge == {"COVID_19": "COVID-19", "Covid 19": "COVID-19"}


def test_small_classes_and_200_classes_are_asked_about():
    assert "fewer than 3" in read([*paths("{c}/{i}.png", c=C), "Viral/0.png"]).questions[0]
    many = paths("{c}/{i}.png", c=[f"kind {number} x" for number in range(200)])
    layout = read(many)
    assert layout.certain is None
    assert "200 folders would be classes" in layout.questions[0]


def test_empty_classes_are_listed():
    folders = [("COVID",), ("Normal",), ("Viral Pneumonia",), (".git",), ("masks",)]
    layout = describe(listed(paths("{c}/{i}.png", c=C)), folders=folders)
    assert layout.certain is not None
    assert layout.empty_classes == ("Viral Pneumonia",)


def test_unsure_names_of_folders_are_asked_about():
    guess = SimpleNamespace(encoding="cp932", candidates=("cp932",), sure=False, samples={})
    pictures = listed(paths("{c}/ｶ{i}.png", c=C))
    assert describe(pictures, (), guess).certain is not None  # the classes are clear
    layout = describe(listed(paths("{c}/{i}.png", c=("ｶｹ", "Normal"))), (), guess)
    assert layout.certain is None
    assert layout.to_dict()["encoding"]["guess"] == "cp932"


@pytest.mark.parametrize(
    ("code", "files"),
    [
        ("no_images", []),
        ("one_class", paths("ds/COVID/{i}.png")),
        ("no_classes", paths("{i}.png")),
        ("no_classes", paths("{s}/{i}.png", s=("train", "test"))),
        ("no_classes", paths("PAT000{i}/x.png")),
    ],
)
def test_archives_that_no_mapping_could_save_are_refused(code: str, files: list[str]):
    with pytest.raises(DatasetError) as error:
        read(files)
    assert error.value.code == code


IMAGES = paths("img/{i}.png", count=8)


def rows(count: int = 8, *, first: int = 0, labels: str = "AB", head: str = "file,label") -> str:
    lines = [f"img/{i + first}.png,{labels[i % 2]}" for i in range(count)]
    return "\n".join([head, *lines, ""])


def test_a_manifest_needs_no_question():
    assert read(IMAGES, table("manifest.csv", rows())).certain is not None
    assert read(IMAGES, table("manifest.csv", rows(head="Image Index,Befund"))).certain is not None


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"train.csv": rows(head="path,label")}, "holds labels"),
        ({"manifest.csv": rows(6)}, "2 of 8 images have no row"),
        ({"manifest.csv": rows(9)}, "1 of 9 rows"),
        ({"manifest.csv": rows(), "labels.csv": rows(labels="BC")}, "2 tables give labels"),
        ({"manifest.csv": rows().replace("A\n", "A|B\n")}, "several labels"),
        ({"manifest.csv": rows() + rows(labels="BA")}, "different labels"),
        ({"manifest.csv": "file,label,label\n" + rows()}, "twice"),
        (
            {
                "manifest.csv": rows(head="file,label,split")
                .replace("A\n", "A,train\n")
                .replace("B\n", "B,dev\n")
            },
            "Is “dev” the validation split",
        ),
    ],
)
def test_other_tables_are_asked_about(tables: dict[str, str], words: str):
    layout = read(IMAGES, *(table(name, content) for name, content in tables.items()))
    assert layout.certain is None
    assert words in " ".join(layout.questions)


def test_a_manifest_that_names_no_file_is_refused():
    with pytest.raises(DatasetError, match=r"None of the 8 rows of “labels\.csv”") as error:
        read(IMAGES, table("labels.csv", rows(first=100)))
    assert error.value.code == "table_names_no_file"


def test_every_reading_can_be_confirmed_as_it_is():
    files = paths("{a}/{c}/{i}.png", a=("StMary", "General"), c=C)
    layout = read(files)
    for reading in layout.readings:
        mapping = Mapping.from_dict(json.loads(json.dumps(reading.mapping.to_dict())))
        assert place(listed(files), mapping).classes() == reading.classes


def test_many_patients_are_described_in_time():
    files = listed([f"ds/{C[k % 2]}/PAT{k:06d}/{i}.png" for k in range(15_000) for i in range(2)])
    start = time.process_time()
    assert describe(files).certain is not None
    assert time.process_time() - start < 10


def test_a_table_of_several_labels_comes_before_numbered_folders():
    lines = "".join(f"{k}.png,\"['a{k % 2}', 'b']\"\n" for k in range(9))
    layout = read(
        [f"{k % 3}/{k}.png" for k in range(9)], table("p.csv", "ImageID,Labels\n" + lines)
    )
    assert layout.readings[0].mapping.csv is not None
    assert layout.readings[0].left_out == {"several_labels": 9}
