"""From the invitation to the first report, on X-rays that the portal draws."""

import re

import pytest

pytestmark = pytest.mark.browser

IN_SECONDS = {
    "width": "4",
    "teachers": "2",
    "teacher_epochs": "3",
    "iterations": "5",
    "syn_steps": "2",
    "expert_epochs": "1",
    "max_start_epoch": "2",
    "validate_every": "0",
    "evaluation_networks": "2",
    "evaluation_epochs": "2",
    "baseline_lrs": "0.01",
    "full_epochs": "1",
}
"""Settings of an experiment that is over soon, as somebody types them."""


@pytest.mark.timeout(1800)
def test_from_the_first_sign_in_to_the_first_report(service, desk, found, hire, password):
    found(service, "St. Vincent")
    admin = desk(service, hire(service, "St. Vincent", "Dr. Head", "admin"))

    # The admin invites a data steward, and hands the link over.
    page = admin.open("/organisation/invitations")
    page.get_by_label("E-mail address").fill("first@vincent.example")
    page.get_by_label(re.compile("Data steward")).check()
    page.get_by_role("button", name="Create invitation").click()
    link = page.locator("#invitations code").first.text_content()
    assert link is not None

    # The link leads to an account; its secret leaves the address bar.
    steward = desk(service)
    page = steward.page
    page.goto(service.url + "/join#" + link.partition("#")[2])
    page.get_by_label("Your name").fill("Dr. First")
    assert "#" not in page.url
    page.get_by_label("New password").fill(password)
    page.get_by_role("button", name="Join").click()
    page.wait_for_url(service.url + "/")

    # An organisation without datasets is led to the guide, which draws the sample cohort.
    page.get_by_role("link", name="Start the guide").click()
    page.get_by_role("button", name="Generate sample cohort").click()
    start = page.get_by_role("button", name="Start distillation")
    start.wait_for(timeout=400_000)

    # With settings of one's own it takes seconds.
    page.get_by_role("link", name="Open the dataset").click()
    page.get_by_role("link", name="Distill this dataset").click()
    page.get_by_label("Images per class", exact=True).fill("2")
    page.get_by_text("Expert settings").click()
    for name, value in IN_SECONDS.items():
        page.locator(f"[name='setting.{name}']").fill(value)
    page.get_by_role("button", name="Start distillation").click()
    page.wait_for_url("**/distillations/dl_*")
    page.get_by_role("link", name="Read the report").wait_for(timeout=900_000)

    # The page changed by itself, and the guide has come along.
    page.goto(service.url + "/guide")
    page.get_by_role("link", name="Read the report").click()
    report = page.locator(".report")
    report.wait_for()
    text = report.text_content() or ""
    for word in ("balanced accuracy", "research use", "Not a medical device"):
        assert word.lower() in text.lower()
    assert "anonymous" not in text.lower()

    # The same as a PDF and as numbers.
    with page.expect_download() as pdf:
        page.get_by_role("link", name=re.compile("PDF")).first.click()
    assert pdf.value.path().read_bytes().startswith(b"%PDF-1.7")
