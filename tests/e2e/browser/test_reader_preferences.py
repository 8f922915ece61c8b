"""What the reader's own machine decides: the time zone, and whether anything moves."""

import pytest

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def steward(service, found, hire, person):
    found(service, "St. Clock")
    account = hire(service, "St. Clock", "Dr. Clock", "steward")
    person(service, account).ask("POST", "/datasets", json={"name": "Night shift"})
    return account


def test_times_are_told_in_the_readers_zone_and_in_utc_on_demand(service, desk, steward):
    told = {}
    for zone in ("UTC", "Asia/Tokyo"):
        page = desk(service, steward, timezone_id=zone, locale="en-GB").open("/datasets")
        moment = page.locator("main time").first
        moment.and_(page.locator("[title]")).wait_for()
        told[zone] = (moment.text_content(), moment.get_attribute("title"))
    assert told["UTC"][0] != told["Asia/Tokyo"][0]
    assert told["UTC"][1] == told["Asia/Tokyo"][1]
    assert told["UTC"][1].endswith(" UTC")


def test_nothing_moves_for_who_asked_for_that(service, desk, steward):
    page = desk(service, steward, reduced_motion="reduce").open("/datasets")
    moving = "[...document.querySelectorAll('*')].filter(one => getComputedStyle(one)"
    moving += ".transitionDuration.split(', ').some(time => time !== '0s')).length"
    assert page.evaluate(moving) == 0
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(moving) > 0
