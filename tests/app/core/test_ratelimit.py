"""How often somebody may ask: by address and by caller, and when they may again."""

import pytest

from app.core.errors import TooManyRequests
from app.core.ratelimit import RateLimiter, parse_rate


def test_the_limit_is_for_each_and_tells_how_long_to_wait():
    limiter, rate = RateLimiter(), parse_rate("2/minute")
    limiter.count(rate, "sign in", "one")
    limiter.count(rate, "sign in", "one")

    with pytest.raises(TooManyRequests) as refused:
        limiter.count(rate, "sign in", "one")

    seconds = int(refused.value.headers["Retry-After"])
    assert 1 <= seconds <= 60
    assert f"in {seconds} s" in refused.value.detail
    limiter.count(rate, "sign in", "another")
    limiter.count(rate, "link", "one")


@pytest.mark.parametrize("rate", ["", "many", "10", "10/fortnight"])
def test_a_rate_that_cannot_be(rate):
    with pytest.raises(ValueError, match=r".*"):
        parse_rate(rate)


def test_a_caller_who_asks_too_often_has_to_wait(portal_with):
    portal = portal_with(request_rate="5/minute")

    replies = [portal.client.get("/api/v1/datasets") for _ in range(6)]

    assert [reply.status_code for reply in replies] == [401] * 5 + [429]
    assert replies[5].json()["type"].endswith(":too-many-requests")
    assert int(replies[5].headers["retry-after"]) >= 1
    assert replies[5].headers["cache-control"] == "no-store"


@pytest.mark.parametrize("header", ["Authorization", "Cookie"])
def test_a_new_made_up_secret_each_time_does_not_help(portal_with, header):
    portal = portal_with(request_rate="5/minute")

    statuses = [
        portal.client.get("/api/v1/datasets", headers={header: f"Bearer {number}"}).status_code
        for number in range(6)
    ]

    assert statuses == [401] * 5 + [429]
