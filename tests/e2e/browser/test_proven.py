"""A set with a proof, from the form to the ledger."""

import re

import pytest

from tests.e2e.browser.test_first_report import IN_SECONDS

pytestmark = pytest.mark.browser

PRIVATE = {
    "epsilon": "3",
    "declared_patients": "40",
    "canaries": "24",
    "teachers": "1",
    "teacher_batch_size": "10",
}


@pytest.mark.timeout(1800)
def test_a_distillation_under_differential_privacy_is_proven(service, desk, hire, archive):
    dataset = service.upload(archive, "proven")
    steward = desk(service, hire(service, "Hospital", "Dr. Proof", "steward"))
    page = steward.open(f"/datasets/{dataset['id']}/distill")
    page.get_by_role("radio", name=re.compile("Differential privacy, without a GPU")).check()
    # The settings change with the preset; repetitions of the run would be paid for, so no
    # audit is offered.
    page.locator("input[name=shown][value=cpu_dp]").wait_for(state="attached")
    assert page.locator("input[name=audit]").count() == 0
    page.get_by_label("Images per class", exact=True).fill("2")
    page.get_by_text("Expert settings").click()
    for name, value in (IN_SECONDS | PRIVATE).items():
        page.locator(f"[name='setting.{name}']").fill(value)
    page.get_by_role("button", name="Start distillation").click()
    page.wait_for_url("**/distillations/dl_*")
    page.get_by_role("link", name="Read the report").wait_for(timeout=900_000)
    assert "Proven" in page.locator("main").inner_text()

    # The report says both bounds.
    page.get_by_role("link", name="Read the report").click()
    report = page.locator(".report")
    report.wait_for()
    text = report.inner_text()
    assert "guessed 12 of these coins" in text
    assert "lower bound" in text

    # The dataset says what was spent, by the run and by those without a proof.
    page.goto(f"{service.url}/datasets/{dataset['id']}")
    spent = page.locator("section[aria-labelledby=ledger]").inner_text()
    assert "All runs together have spent ε =" in spent
    assert "with noise" in spent
    assert "not covered" not in spent
