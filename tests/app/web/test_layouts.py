"""The page that asks how an archive is to be read."""

import re
from typing import Any

import pytest

from app.core.queue import Task
from app.core.security import Role
from app.models import DatasetStatus
from tests.app.web.layouts import ask_for_mapping, hospitals, reading, row, wide_table

OPTION = re.compile(r'<option(?: value="([^"]*)")?( selected)?>([^<]*)')


def details(steward: Any, dataset_id: str, query: str = "") -> dict[str, Any]:
    """The form of the details as a browser would send it untouched."""
    address = f"/datasets/{dataset_id}/layout"
    shown = steward.open(address + query)
    form = shown.split('id="details-form"')[1].split("</form>")[0]
    fields: dict[str, Any] = {}

    def add(name: str, value: str) -> None:
        fields.setdefault(name, []).append(value)

    for tag in re.findall(r"<input[^>]*>", form):
        name, value = re.search(r'name="([^"]*)"', tag), re.search(r'value="([^"]*)"', tag)
        if 'type="checkbox"' not in tag or "checked" in tag:
            add(name[1] if name else "", value[1] if value else "")
    for name, inner in re.findall(r'<select name="([^"]*)"[^>]*>(.*?)</select>', form, re.DOTALL):
        options = OPTION.findall(inner)
        chosen = [value for value, selected, _ in options if selected] or [options[0][0]]
        add(name, chosen[0])
    return fields


def confirm(steward: Any, dataset_id: str, fields: dict[str, Any], **headers: str) -> Any:
    return steward.client.post(f"/datasets/{dataset_id}/layout", data=fields, headers=headers)


@pytest.fixture
def steward(reader):
    return reader(Role.STEWARD)


def test_every_page_leads_to_the_question(portal, steward):
    dataset_id = ask_for_mapping(portal)
    address = f'href="/datasets/{dataset_id}/layout"'
    shown = steward.open(f"/datasets/{dataset_id}")
    assert address in shown
    assert "Upload another archive instead" in shown
    assert "waiting for layout" in steward.open("/datasets")
    assert address in steward.open("/"), "the overview names it"


def test_whoever_may_not_upload_sees_no_names_of_folders(portal, reader):
    dataset_id = ask_for_mapping(portal)
    researcher = reader(Role.RESEARCHER)
    shown = researcher.open(f"/datasets/{dataset_id}")
    assert "until a data steward" in shown
    assert "Hospital A" not in shown
    assert f"/datasets/{dataset_id}/layout" not in shown
    researcher.open(f"/datasets/{dataset_id}/layout", status=403)
    reader(Role.STEWARD, elsewhere=True).open(f"/datasets/{dataset_id}/layout", status=404)


def test_the_page_says_what_is_not_clear_and_offers_the_readings(portal, steward):
    shown = steward.open(f"/datasets/{ask_for_mapping(portal)}/layout")
    for words in ("hospitals?", "2 readings were found", "Level 1 holds the classes.", "41"):
        assert words in shown
    assert "upload.js" not in shown


def test_a_chosen_reading_is_confirmed_and_the_check_continues(portal, steward, broker):
    dataset_id = ask_for_mapping(portal)
    broker.lose_messages()
    address = f"/datasets/{dataset_id}/layout"
    reply = steward.send(address, address, reading="1")
    assert reply.url.path == f"/datasets/{dataset_id}"
    assert "The layout is confirmed" in reply.text
    assert row(portal, dataset_id).status == DatasetStatus.CHECKING
    assert row(portal, dataset_id).mapping["levels"] == ["class", "ignore"]
    assert broker.messages() == [("cpu", Task.CHECK_DATASET.value, dataset_id)]


def test_details_sent_untouched_are_the_reading_they_were_filled_in_from(portal, steward):
    for layout in (hospitals(), wide_table()):
        for number, one in enumerate(layout["readings"]):
            dataset_id = ask_for_mapping(portal, layout)
            reply = confirm(steward, dataset_id, details(steward, dataset_id, f"?reading={number}"))
            assert reply.status_code == 200, reply.text
            assert row(portal, dataset_id).mapping == one["mapping"]


def test_details_change_every_part_of_the_mapping(portal, steward):
    dataset_id = ask_for_mapping(portal, wide_table())
    fields = details(steward, dataset_id)
    fields |= {
        "level-0": "site",
        "table-0-2": "split",
        "uncertain": "positive",
        "several": "first_by_priority",
        "priority": "Pneumonia\r\n\r\nEdema\r\n",
        "patient_in_name": "1",
        "class-0-into": "Pneumonia",
        "word": ["fold1", "fold2"],
        "word-split": ["train", "test"],
    }
    assert confirm(steward, dataset_id, fields).status_code == 200
    mapping = row(portal, dataset_id).mapping
    assert mapping["levels"] == ["site"]
    assert mapping["csv"]["columns"] == {
        "file": "Path",
        "label": ["Edema", "Pneumonia"],
        "split": "Set",
    }
    assert mapping["uncertain"] == "positive"
    assert mapping["several_labels"] == {
        "how": "first_by_priority",
        "priority": ["Pneumonia", "Edema"],
    }
    assert mapping["merge"] == {"Edema": "Pneumonia"}
    assert mapping["split_words"] == {"fold1": "train", "fold2": "test"}
    assert mapping["patient_in_name"] is True


def test_words_of_a_split_are_asked_for(portal, steward):
    layout = hospitals(
        levels=[level_of("split", "holdout", "dev"), level_of("class", "COVID", "Normal")],
        readings=[
            reading(["split", "class"], {"COVID": 9}, "Splits.", split_words={"dev": "validation"})
        ],
    )
    dataset_id = ask_for_mapping(portal, layout)
    shown = steward.open(f"/datasets/{dataset_id}/layout")
    assert "Split that holdout means" in shown
    fields = details(steward, dataset_id)
    assert fields["word"][:2] == ["dev", "holdout"]
    fields["word-split"] = ["validation", "test", "", ""]
    confirm(steward, dataset_id, fields)
    assert row(portal, dataset_id).mapping["split_words"] == {
        "dev": "validation",
        "holdout": "test",
    }


def level_of(role: str, *samples: str) -> dict[str, Any]:
    return {"role": role, "kind": role, "samples": samples, "names": len(samples), "files": 9}


def test_names_in_an_unknown_encoding_are_chosen_beside_the_readings(portal, steward):
    encoding = {
        "guess": "cp932",
        "sure": False,
        "candidates": ["cp932", "gbk"],
        "samples": {"cp932": ["肺炎"], "gbk": ["攈墛"]},
    }
    dataset_id = ask_for_mapping(portal, hospitals(encoding=encoding))
    address = f"/datasets/{dataset_id}/layout"
    shown = steward.open(address)
    assert "肺炎" in shown
    assert "攈墛" in shown
    steward.send(address, address, reading="0", encoding="gbk")
    assert row(portal, dataset_id).mapping["encoding"] == "gbk"


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"level-0": "class"}, "Two folder levels hold classes"),
        ({"level-1": "ignore"}, "Nothing says which class"),
        ({"class-0-into": "Normal", "class-1-into": "COVID"}, "becomes part of another class"),
        ({"several": "one_against_the_rest"}, "stands against the rest is missing"),
        ({"level-0": "nonsense"}, "must be one of"),
    ],
)
def test_what_cannot_be_used_is_said_and_what_was_typed_stays(portal, steward, changes, says):
    dataset_id = ask_for_mapping(portal)
    fields = details(steward, dataset_id) | {"word": ["kept word"], "word-split": ["train"]}
    reply = confirm(steward, dataset_id, fields | changes)
    assert reply.status_code == 422
    assert says in reply.text
    assert "Nothing was changed" in reply.text or "still awaits" in reply.text
    assert "kept word" in reply.text
    assert row(portal, dataset_id).status == DatasetStatus.AWAITING_MAPPING
    in_form = confirm(steward, dataset_id, fields | changes, **{"HX-Request": "true"})
    assert in_form.status_code == 422
    assert in_form.headers["hx-retarget"] == "find .form-problem"
    assert says in in_form.text


def test_a_table_without_its_file_column_is_said(portal, steward):
    dataset_id = ask_for_mapping(portal, wide_table())
    fields = details(steward, dataset_id)
    assert (
        "no column of it is the file"
        in confirm(steward, dataset_id, fields | {"table-0-0": ""}).text
    )
    assert (
        "two columns have one meaning"
        in confirm(
            steward, dataset_id, fields | {"table-0-1": "patient", "table-0-2": "patient"}
        ).text
    )


def test_a_layout_of_an_archive_that_was_replaced_is_not_taken(portal, steward):
    dataset_id = ask_for_mapping(portal)
    address = f"/datasets/{dataset_id}/layout"
    reply = steward.send(address, address, archive="0" * 64)
    assert reply.status_code == 409
    assert "Another archive has arrived since" in reply.text
    assert "/api/" not in reply.text
    assert row(portal, dataset_id).status == DatasetStatus.AWAITING_MAPPING


def test_a_second_answer_is_told_that_the_first_one_counts(portal, steward):
    dataset_id = ask_for_mapping(portal)
    form = steward.form(f"/datasets/{dataset_id}/layout", f"/datasets/{dataset_id}/layout")
    assert confirm(steward, dataset_id, form.fields | {"reading": "0"}).status_code == 200
    reply = confirm(steward, dataset_id, form.fields | {"reading": "1"})
    assert reply.status_code == 409
    assert "does not wait for a layout any more" in reply.text
    assert row(portal, dataset_id).mapping["levels"] == ["site", "class"]


def test_a_dataset_that_was_not_listed_yet_has_no_such_page(portal, steward):
    dataset_id = portal.uploaded_dataset()
    reply = steward.client.get(f"/datasets/{dataset_id}/layout")
    assert reply.url.path == f"/datasets/{dataset_id}"


def test_a_dataset_that_was_read_says_how(portal, steward):
    dataset_id = ask_for_mapping(portal)
    address = f"/datasets/{dataset_id}/layout"
    steward.send(address, address, reading="0")
    portal.make_ready(dataset_id)
    shown = steward.open(address)
    assert "Dr. Grey confirmed this layout" in shown
    assert "<li>classes</li>" in shown
    assert address in steward.open(f"/datasets/{dataset_id}")
