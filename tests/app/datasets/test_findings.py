"""A quality report, grouped and looked through."""

from app.datasets.findings import FIRST_NAMES, PAGE, group, search


def refused(name: str, code: str = "duplicate", reason: str = "It is there twice.") -> dict:
    return {"name": name, "code": code, "reason": reason}


MANY = {
    "refused": [
        refused("Normal/Meyer.png", "truncated", "It is cut short."),
        refused("Normal/large.png", "too_large", "It has too many pixels."),
        refused("Normal/heavy.png", "too_large", "It has too many bytes."),
        *(refused(f"COVID/{number}.png") for number in range(2 * PAGE + 1)),
    ]
}


def test_the_most_frequent_reason_comes_first_with_a_few_of_its_files():
    first, second, third = group(MANY)
    assert (first.code, first.count, len(first.names)) == ("duplicate", 2 * PAGE + 1, FIRST_NAMES)
    assert second.reasons == ["It has too many pixels.", "It has too many bytes."]
    assert third.names == ["Normal/Meyer.png"]


def test_a_report_that_names_no_file_has_no_findings():
    assert group({"images": 3}) == []
    assert search([]).total == 0


def test_a_report_that_groups_its_files_itself_is_taken_at_its_word():
    one = {"code": "blank", "reasons": ["It is blank."], "count": 9, "names": ["COVID/1.png"]}
    assert [finding.count for finding in group({"refused_groups": [one]})] == [9]


def test_files_are_found_by_a_part_of_their_name_in_any_case():
    assert [file["name"] for file in search(MANY["refused"], words=["MEYER"]).files] == [
        "Normal/Meyer.png"
    ]
    assert search(MANY["refused"], words=["meyer"], code="duplicate").total == 0


def test_pages_hold_every_file_once():
    pages = [search(MANY["refused"], code="duplicate", page=number) for number in (1, 2, 3)]
    names = [file["name"] for page in pages for file in page.files]
    assert [page.pages for page in pages] == [3, 3, 3]
    assert len(names) == len(set(names)) == 2 * PAGE + 1


def test_a_page_that_is_not_there_is_the_nearest_that_is():
    assert search(MANY["refused"], page=-5).page == 1
    assert search(MANY["refused"], page=99).page == 3
    assert search([], page=99).pages == 1
