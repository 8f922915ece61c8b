"""A person adds an authenticator app, and signs in with its code.

With EXCHANGE_SCREENSHOTS=FOLDER each step is also taken as a picture.
"""

import os
from pathlib import Path

import pyotp
import pytest

from tests.e2e.browser.axe import look_closely, needs_axe

pytestmark = pytest.mark.browser

SCREENSHOTS = os.environ.get("EXCHANGE_SCREENSHOTS")


@needs_axe
@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1440, "light")])
def test_from_the_qr_code_to_a_sign_in_with_a_recovery_code(
    service, found, hire, desk, password, width, scheme
):
    found(service, f"St. Code {width}")
    steward = hire(service, f"St. Code {width}", "Dr. Code", "steward")
    look = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    look["bypass_csp"] = True  # for axe itself
    page = desk(service, steward, **look).open("/account")

    def look_at(name, page=page):
        if SCREENSHOTS:
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            picture = Path(SCREENSHOTS) / f"second-factor-{name}-{width}-{scheme}.png"
            page.screenshot(path=picture, full_page=True)
        assert look_closely(page) == []

    page.get_by_text("Add an authenticator app").click()
    section = page.locator("#second-factor")
    section.get_by_label("Current password").fill(password)
    section.get_by_role("button", name="Continue").click()
    section.get_by_role("img").wait_for()
    look_at("qr")
    secret = section.locator("code").text_content()
    section.get_by_label("Code that the app shows now").fill(pyotp.TOTP(secret).now())
    section.get_by_role("button", name="Switch on").click()
    section.get_by_text("Your recovery codes").wait_for()
    look_at("codes")
    recovery = section.locator("code").text_content().split()[0]
    section.get_by_role("link", name="I have kept them").click()
    page.get_by_text("8 recovery codes are left").wait_for()
    look_at("on")

    chief = desk(service, hire(service, f"St. Code {width}", "Dr. Chief", "admin"), **look)
    people = chief.open("/organisation/people")
    people.get_by_role("link", name="Dr. Code").click()
    people.get_by_role("heading", name="Two-factor authentication").wait_for()
    look_at("of-a-person", people)

    page.get_by_role("button", name="Sign out everywhere").click()
    page.wait_for_url("**/sign-in")
    page.get_by_label("E-mail address").fill(steward.email)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/sign-in/code*")
    look_at("asked")
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("alert").get_by_text("This code is not right").wait_for()
    page.get_by_label("Code").fill(recovery)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url(service.url + "/")
