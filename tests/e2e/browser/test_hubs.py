"""A hospital and a hub in their browsers: connect, compare, release, share, and be asked there.

With EXCHANGE_SCREENSHOTS=FOLDER each step is also taken as a picture.
"""

import os
import re
from pathlib import Path

import pytest

from tests.e2e.browser.axe import look_closely, needs_axe
from tests.fixtures.reports import clear
from tests.fixtures.service import exchange

pytestmark = pytest.mark.browser

SCREENSHOTS = os.environ.get("EXCHANGE_SCREENSHOTS")
WIDE = {"viewport": {"width": 1440, "height": 900}, "bypass_csp": True}
PHONE = {
    "viewport": {"width": 390, "height": 900},
    "color_scheme": "dark",
    "bypass_csp": True,
}


def look_at(page, name):
    if SCREENSHOTS:
        Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(SCREENSHOTS) / f"hub-{name}.png", full_page=True)
    assert look_closely(page) == [], name


@needs_axe
@pytest.mark.timeout(900)
def test_a_hospital_shares_with_a_hub_in_their_browsers(
    make_service, desk, found, hire, archive, wait_until, tmp_path
):
    home = make_service(tmp_path / "home", EXCHANGE_HUB_SECONDS="0.5")
    hub = make_service(tmp_path / "hub", EXCHANGE_ROLE="hub")
    distillation = home.distill(home.upload(archive)["id"])
    for organisation in ("St. Anna", "Riverside"):
        found(hub, organisation)
    there = desk(hub, hire(hub, "St. Anna", "Dr. There", "admin"), **PHONE)
    asking = desk(hub, hire(hub, "Riverside", "Dr. Asking", "researcher"), **WIDE)
    whose = ("--organisation", "St. Anna", "--role", "steward")
    token = exchange("admin", "create-token", *whose, data_dir=hub.data_dir)
    chief = desk(home, hire(home, "Hospital", "Dr. Chief", "admin"), **WIDE)
    steward = desk(home, hire(home, "Hospital", "Prof. Owner", "steward"), **WIDE)

    # Before anything is connected.
    page = chief.open("/organisation/connections")
    look_at(page, "none-1440-light")
    page_there = there.open("/organisation/keys")
    look_at(page_there, "no-home-key-390-dark")
    look_at(there.open("/"), "home-390-dark")

    # Connect, and compare on both sides.
    page.get_by_label("Name").fill("Northern hub")
    page.get_by_label("Address").fill(hub.url)
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Connect").click()
    page.get_by_text("Compare the keys before anything is sent").wait_for()
    look_at(page, "compare-1440-light")
    page_there = there.open("/organisation/keys")
    look_at(page_there, "home-key-390-dark")
    there_too = page_there.locator(".key-to-compare .words").all_text_contents()
    assert sorted(there_too) == sorted(page.locator(".key-to-compare .words").all_text_contents())
    page_there.get_by_label(re.compile("We compared the key")).check()
    page_there.get_by_role("button", name="Confirm key").click()
    page_there.get_by_text("The key is confirmed").wait_for()
    page.get_by_label(re.compile("We compared both keys")).check()
    page.get_by_role("button", name="Confirm hub").click()
    page.get_by_text("The hub is confirmed").wait_for()

    # Release, and share.
    home.wait_for(distillation, "ready")
    clear(home.data_dir, distillation)
    page = steward.open(f"/distillations/{distillation}/release")
    page.get_by_label("Title").fill("Two kinds of squares")
    page.locator("[name=summary]").fill("Distilled from the ward's images.")
    page.locator("[name=contact]").fill("data@hospital.example")
    page.get_by_role("button", name="Release", exact=True).click()
    page.wait_for_url("**/releases/rel_*")
    address = page.url.removeprefix(home.url)
    page.locator("[name=connection]").select_option(label="Northern hub")
    page.get_by_role("button", name="Share", exact=True).click()
    page.get_by_text("The release is on its way").wait_for()
    wait_until(
        lambda: steward.open(address).get_by_text("shared", exact=True).count(),
        "the hub shows it",
    )
    look_at(page, "release-at-home-1440-light")
    look_at(chief.open("/organisation/connections"), "connected-1440-light")

    # Somebody else finds it at the hub, and asks.
    page = asking.open("/catalogue")
    page.get_by_role("link", name="Two kinds of squares").first.click()
    page.wait_for_url("**" + address)
    look_at(page, "release-there-1440-light")
    page.get_by_label("What do you need it for?").fill("We want to learn something from it.")
    page.get_by_role("button", name="Request access").click()
    page.get_by_text("Your request was sent").wait_for()
    look_at(there.open(address), "owner-there-390-dark")
