"""Two hospitals share in their browsers: release, ask, return, grant, accept, download, verify."""

import re
import subprocess
import sys

import pytest

from tests.fixtures.reports import clear

pytestmark = pytest.mark.browser


@pytest.mark.timeout(1800)
def test_two_hospitals_share_in_their_browsers(
    make_service, desk, found, hire, person, archive, other_archive, wait_until, tmp_path
):
    service = make_service()
    dataset = service.upload(archive)
    distillation_id = service.distill(dataset["id"])
    service.wait_for(distillation_id, "ready")
    found(service, "Riverside")
    owner = desk(service, hire(service, "Hospital", "Prof. Owner", "steward"))
    chief = desk(service, hire(service, "Hospital", "Dr. Chief", "admin"))
    asking = desk(service, hire(service, "Riverside", "Dr. Asking", "researcher"))

    # Nothing leaves on distances alone.
    page = owner.open(f"/distillations/{distillation_id}/release")
    page.get_by_text("not allowed").first.wait_for()
    assert page.get_by_role("button", name="Release", exact=True).count() == 0
    clear(service.data_dir, distillation_id)
    # Its attacks find leaks of 4 %, and the admin asks for less; two people decide otherwise.
    page = chief.open("/organisation")
    page.locator("[name=largest_power]").fill("0.03")
    page.locator("form", has=page.locator("[name=largest_power]")).get_by_role("button").click()
    page.get_by_role("status").first.wait_for()
    page = owner.open(f"/distillations/{distillation_id}/release")
    page.locator("[name=reason]").fill("For the partners of the trial, under contract.")
    page.get_by_role("button", name="Request override").click()
    page.get_by_text("Another admin decides about it.").wait_for()
    page = chief.open(f"/distillations/{distillation_id}/release")
    page.get_by_role("button", name="Approve").click()
    page.get_by_text("can be released").first.wait_for()

    # The steward releases it.
    page = owner.open(f"/distillations/{distillation_id}/release")
    page.get_by_label("Title").fill("Two kinds of squares")
    page.locator("[name=summary]").fill("Distilled from the ward's images.")
    page.locator("[name=contact]").fill("data@hospital.example")
    page.locator("[name=previews]").check()
    page.get_by_role("button", name="Release", exact=True).click()
    page.wait_for_url("**/releases/rel_*")
    address = page.url.removeprefix(service.url)

    # Another hospital finds it and asks.
    page = asking.open("/catalogue")
    page.get_by_role("link", name="Two kinds of squares").first.click()
    page.wait_for_url("**" + address)
    page.get_by_label("What do you need it for?").fill("We want to learn something from it.")
    page.get_by_role("button", name="Request access").click()
    page.get_by_text("Your request was sent").wait_for()

    # It is returned with a question, changed, and granted.
    page = owner.open("/")
    page.get_by_role("link", name=re.compile("Riverside requests access to")).click()
    page.get_by_label("What to change").fill("Say what you want to learn.")
    page.get_by_role("button", name="Return request").click()
    page.get_by_text("Returned. The requester was told why.").wait_for()
    page = asking.open("/")
    page.get_by_role("link", name=re.compile("returned your request")).click()
    assert page.get_by_text("Say what you want to learn.").is_visible()
    page.get_by_label("What do you need it for?").fill(
        "A network that tells the two kinds apart, for teaching alone."
    )
    page.get_by_role("button", name="Send again").click()
    page.get_by_text("Your request was sent").wait_for()
    page = owner.open("/")
    page.get_by_role("link", name=re.compile("Riverside requests access to")).click()
    page.get_by_role("button", name="Grant access").click()
    page.get_by_text("Access is granted").wait_for()

    # The terms are accepted, and the bundle verifies with the line that the page shows.
    page = asking.open(address)
    page.get_by_label(re.compile("have read these terms")).check()
    page.get_by_role("button", name="Accept the terms", exact=True).click()
    page.get_by_text("You have accepted the terms").wait_for()
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("^Download")).click()
    bundle = tmp_path / download.value.suggested_filename
    download.value.save_as(bundle)
    line = page.locator("code", has_text="exchange verify").text_content()
    assert line is not None
    assert line.split()[2] == bundle.name
    checked = subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", *line.split()[1:]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr

    # It is trained on beside own images, and the score goes back to its owner.
    colleague = hire(service, "Riverside", "Dr. Colleague", "steward")
    person(service, colleague).upload(other_archive, "Own images", wait_until)
    page.get_by_text("How to verify and use the bundle").click()
    page.get_by_role("link", name=re.compile("^Train here")).click()
    page.get_by_label("Networks for each comparison").fill("2")
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("button", name="Confirm classes and train").click(timeout=300_000)
    page.get_by_role("button", name="Send the score").click(timeout=400_000)
    page.get_by_text("Your score was sent").wait_for()
    page = owner.open(f"/distillations/{distillation_id}/report")
    assert page.get_by_role("row", name=re.compile("Riverside")).first.is_visible()

    # Both logs tell it; the owner sees who has it.
    page = owner.open(address)
    assert page.get_by_text("Dr. Asking").first.is_visible()
    page = chief.open("/audit")
    assert page.get_by_role("cell", name=re.compile("access.granted")).first.is_visible()
