"""A hospital and a hub in their browsers: connect, compare, release, share, and be asked there.

With EXCHANGE_SCREENSHOTS=FOLDER each step is also taken as a picture.
"""

import os
import re
from pathlib import Path

import httpx
import pytest

from app.signing.envelope import Envelope
from app.signing.keys import KeyHistory, Purpose, new_key
from app.signing.signature import Signer
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
    """As it is on a phone and on a wide screen."""
    as_it_was = page.viewport_size
    for width in (390, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        if SCREENSHOTS:
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(SCREENSHOTS) / f"hub-{name}-{width}.png", full_page=True)
        assert look_closely(page) == [], (name, width)
    page.set_viewport_size(as_it_was)


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
    look_at(page, "none")
    page_there = there.open("/organisation/keys")
    look_at(page_there, "no-home-key")
    look_at(there.open("/"), "home")

    # Connect, and compare on both sides.
    page.get_by_label("Name").fill("Northern hub")
    page.get_by_label("Address").fill(hub.url)
    page.get_by_label("Token").fill(token)
    page.get_by_role("button", name="Connect").click()
    page.get_by_text("Compare the keys before anything is sent").wait_for()
    look_at(page, "compare")
    page_there = there.open("/organisation/keys")
    look_at(page_there, "home-key")
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
    look_at(page, "release-at-home")
    look_at(chief.open("/organisation/connections"), "connected")

    # Somebody else finds it at the hub, and asks.
    page = asking.open("/catalogue")
    page.get_by_role("link", name="Two kinds of squares").first.click()
    page.wait_for_url("**" + address)
    look_at(page, "release-there")
    page.get_by_label("What do you need it for?").fill("We want to learn something from it.")
    page.get_by_role("button", name="Request access").click()
    page.get_by_text("Your request was sent").wait_for()
    look_at(there.open(address), "owner-there")

    # Whoever has the token sends another key: nothing changes, and both stand side by side.
    private, public = new_key()
    thief = Signer.with_key("Hospital", private, KeyHistory(public))
    hub_key = httpx.get(f"{hub.url}/api/v1/portal").json()["public_key"]
    sent = Envelope.make(thief, Purpose.HOME_KEY, {"format": 1, "hub": hub_key}).to_dict()
    headers = {"Authorization": f"Bearer {token}"}
    httpx.put(f"{hub.url}/api/v1/home-key", json=sent, headers=headers).raise_for_status()
    page_there = there.open("/organisation/keys")
    page_there.get_by_text("Another key was sent since").wait_for()
    look_at(page_there, "another-key")
