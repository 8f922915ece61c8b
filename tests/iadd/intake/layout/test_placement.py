import pytest

from iadd.intake.errors import DatasetError
from iadd.intake.layout.mapping import Mapping, MappingError, Role, SeveralLabels, TableMapping
from iadd.intake.layout.placement import Placements, place

from .layouts import listed, paths, table

CLASS = (Role.CLASS,)
C = ("COVID", "Normal")


def placed(
    files: list[str],
    rows: str,
    *,
    columns: dict[str, str | list[str]] | None = None,
    **other: object,
) -> Placements:
    named = columns or {"file": "file", "label": "label"}
    mapping = Mapping(csv=TableMapping("m.csv", named), **other)  # type: ignore[arg-type]
    return place(listed(files), mapping, [table("m.csv", rows)], check=False)


def classes(found: Placements) -> list[str | None]:
    return [one.class_name for one in found.placements]


def codes(found: Placements) -> list[str | None]:
    return [one.left_out for one in found.placements]


def test_levels_give_class_split_site_and_patient():
    levels = (Role.SITE, Role.SPLIT, Role.CLASS, Role.PATIENT)
    (one,) = place(
        listed(["Ulm/dev/COVID/P1/x.png"]), Mapping(levels=levels), check=False
    ).placements
    assert (one.class_name, one.split, one.site, one.patient) == (
        "COVID",
        "validation",
        "Ulm",
        "P1",
    )


def test_the_mapping_decides_what_a_split_word_means():
    mapping = Mapping(levels=(Role.SPLIT, Role.CLASS), split_words={"Holdout": "validation"})
    found = place(listed(["holdout/A/x.png", "later/A/x.png"]), mapping, check=False)
    assert [one.split for one in found.placements] == ["validation", None]
    assert found.unknown_splits == {"later": 1}


def test_classes_merge_and_classes_and_folders_are_left_out():
    files = ["a/COVID_19/0.png", "a/Bad/0.png", "a/COVID-19/masks/0.png", "docs/x/0.png", "0.png"]
    mapping = Mapping(
        levels=(Role.ROOT, Role.CLASS),
        merge={"COVID_19": "COVID-19"},
        leave_out=("Bad", "docs", "*/masks"),
    )
    found = place(listed(files), mapping, check=False)
    assert found.placements[0].class_name == "COVID-19"
    assert codes(found) == [None, "left_out", "left_out", "left_out", "no_class"]


def test_an_absolute_path_names_the_file_with_its_longest_unique_end():
    files = ["set/a/0.png", "set/b/0.png", "set/1.png"]
    rows = "file,label\n/home/x/a/0.png,A\nC:\\y\\B\\0.PNG,B\n/z/1.png,C\n"
    assert classes(placed(files, rows)) == ["A", "B", "C"]


def test_a_path_that_fits_several_files_is_reported_and_names_none():
    found = placed(["a/0.png", "b/0.png"], "file,label\n/q/0.png,A\nb/0.png,B\n")
    assert classes(found) == [None, "B"]
    assert (found.rows_ambiguous.count, found.rows_ambiguous.first) == (1, ["/q/0.png"])


def test_a_row_for_a_missing_file_of_another_folder_takes_no_file_from_a_better_row():
    found = placed(["test/0.png"], "file,label\n/x/train/0.png,A\n/x/test/0.png,B\n")
    assert classes(found) == ["B"]
    assert found.rows_without_file.first == ["/x/train/0.png"]


def test_another_ending_or_none_names_the_file_too():
    assert classes(placed(["0.png", "1.2.840.5.png"], "file,label\n0.dcm,A\n1.2.840.5,B\n")) == [
        "A",
        "B",
    ]


def test_rows_without_file_and_files_without_row_are_counted_with_first_names():
    found = placed(["0.png", "1.png"], "file,label\n0.png,A\n7.png,B\n")
    assert codes(found) == [None, "no_row"]
    assert found.rows_without_file.first == ["7.png"]
    assert found.files_without_row.first == ["1.png"]


def test_rows_that_contradict_each_other_leave_the_file_out():
    found = placed(["0.png", "1.png"], "file,label\n0.png,A\n0.png,B\n1.png,A\n1.png,A\n")
    assert codes(found) == ["contradicting_rows", None]
    assert (found.rows_doubled.count, found.rows_contradicting.count) == (2, 1)


SEVERAL = "file,label\n0.png,A|B\n1.png,B\n2.png,C\n3.png,\n"
FOUR = [f"{number}.png" for number in range(4)]


def test_several_labels_are_left_out_unless_chosen_otherwise():
    found = placed(FOUR, SEVERAL)
    assert classes(found) == [None, "B", "C", None]
    assert codes(found) == ["several_labels", None, None, "no_label"]


def test_the_first_label_by_priority_may_count():
    several = SeveralLabels("first_by_priority", ("B", "A"))
    found = placed(FOUR, SEVERAL, several_labels=several)
    assert classes(found) == ["B", "B", "C", None]
    assert found.several_labels.count == 1


def test_one_class_may_stand_against_the_rest():
    several = SeveralLabels("one_against_the_rest", (), "A", "Not A")
    assert classes(placed(FOUR, SEVERAL, several_labels=several)) == ["A", "Not A", "Not A", None]


WIDE = "file,A,B\n0.png,1.0,\n1.png,-1.0,\n2.png,0,1\n3.png,,\n"
WIDE_COLUMNS: dict[str, str | list[str]] = {"file": "file", "label": ["A", "B"]}


@pytest.mark.parametrize(
    ("uncertain", "expected"),
    [
        ("leave_out", ["A", None, "B", None]),
        ("positive", ["A", "A", "B", None]),
        ("negative", ["A", None, "B", None]),
    ],
)
def test_minus_one_counts_as_chosen(uncertain: str, expected: list[str | None]):
    found = placed(FOUR, WIDE, columns=WIDE_COLUMNS, uncertain=uncertain)
    assert classes(found) == expected
    assert codes(found)[1] == {"leave_out": "uncertain", "positive": None}.get(
        uncertain, "no_label"
    )


def test_laterals_are_left_out_where_a_view_column_says_so():
    columns: dict[str, str | list[str]] = {"file": "file", "label": "label", "view": "v"}
    rows = "file,label,v\n0.png,A,PA\n1.png,A,Lateral\n2.png,A,L\n3.png,A,\n"
    found = placed(FOUR, rows, columns=columns)
    assert codes(found) == [None, "lateral", "lateral", None]
    assert found.laterals.count == 2


def test_identifiers_name_the_folders_of_a_study():
    files = ["p10/p1001/s50/a.jpg", "p10/p1001/s50/b.jpg", "p10/p1002/s50/a.jpg"]
    columns: dict[str, str | list[str]] = {
        "file": ["subject_id", "study_id"],
        "label": "label",
        "patient": "subject_id",
    }
    found = placed(files, "subject_id,study_id,label\n1001,50,A\n1002,50.0,B\n", columns=columns)
    assert classes(found) == ["A", "A", "B"]
    assert [one.patient for one in found.placements] == ["1001", "1001", "1002"]


def test_a_further_table_adds_a_split_and_no_label():
    first = TableMapping("m.csv", {"file": "file", "label": "label"})
    mapping = Mapping(
        csv=TableMapping(
            first.file, first.columns, (TableMapping("s.csv", {"file": "f", "split": "s"}),)
        )
    )
    tables = [
        table("m.csv", "file,label\n0.png,A\n"),
        table("s.csv", "f,s\n0.png,validate\n1.png,test\n"),
    ]
    found = place(listed(["0.png", "1.png"]), mapping, tables, check=False)
    assert next(one.split for one in found.placements) == "validation"
    assert codes(found) == [None, "no_row"]


def test_a_table_or_column_that_is_not_there_is_said():
    with pytest.raises(MappingError, match="no table of the name"):
        place(listed(["0.png"]), Mapping(csv=TableMapping("q.csv", {"file": "f", "label": "l"})))
    with pytest.raises(MappingError, match=r"csv\.columns\.label"):
        placed(["0.png"], "file,label\n0.png,A\n", columns={"file": "file", "label": "other"})


def test_patients_come_from_names_only_when_the_mapping_says_so():
    files = listed(["A/P0012_1.png"])
    assert place(files, Mapping(levels=CLASS)).placements[0].patient is None
    with_names = place(files, Mapping(levels=CLASS, patient_in_name=True))
    assert with_names.placements[0].patient == "p0012"


def test_a_class_that_train_lacks_is_refused_with_both_names():
    files = paths("train/{c}/{i}.png", c=C) + paths("test/{c}/{i}.png", c=("Normal", "COVID-19"))
    with pytest.raises(
        DatasetError, match="“COVID-19” is only in test; train has “COVID”"
    ) as error:
        place(listed(files), Mapping(levels=(Role.SPLIT, Role.CLASS)))
    assert error.value.code == "class_in_one_split"


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("class_name", ["a?", "b"]),
        ("class_names_alike", ["covid", "COVID"]),
        ("too_many_classes", [f"c{number}" for number in range(101)]),
    ],
)
def test_names_that_cannot_be_used_are_refused(code: str, names: list[str]):
    with pytest.raises(DatasetError) as error:
        place(listed(paths("{c}/{i}.png", c=names, count=1)), Mapping(levels=CLASS))
    assert error.value.code == code
