"""`exchange hub` and `exchange share --to`."""

import pytest

pytestmark = pytest.mark.slow


@pytest.fixture
def at(exchange, pair):
    """`at.home("hub", "list")`, `at.hub(…)`: a command of an admin at one of the two portals."""

    class At:
        def _run(self, portal, *arguments, given=None):
            url = str(portal.client.base_url)
            return exchange(portal.admin, *arguments, given=given, EXCHANGE_PORTAL_URL=url)

        def home(self, *arguments, given=None):
            return self._run(pair.home, *arguments, given=given)

        def hub(self, *arguments):
            return self._run(pair.hub, *arguments)

    return At()


def test_from_the_first_contact_to_a_release_that_the_hub_shows(at, pair):
    url = str(pair.hub.client.base_url)
    made = at.home("hub", "connect", "North", url, given=f"{pair.token}\n")
    assert made.exit_code == 0, made.output
    assert pair.token not in made.output
    of_hub, of_ours = (
        line.split()[-1] for line in made.output.splitlines() if line.startswith("  of ")
    )
    assert "not confirmed, so that nothing is sent" in at.home("hub", "list").output
    wrong = at.home("hub", "confirm", "North", of_ours)
    assert wrong.exit_code != 0
    assert "Nothing was confirmed" in wrong.output
    assert at.home("hub", "confirm", "north", of_hub).exit_code == 0
    assert at.hub("hub", "trust", of_ours).exit_code == 0

    distillation = pair.home.releasable_distillation()
    text = ("--title", "Chest X-rays", "--summary", "Adults.", "--contact", "a@b.example")
    released = at.home("share", distillation, *text, "--to", "North")
    assert released.exit_code == 0, released.output
    assert "North: is being sent" in released.output
    release_id = released.output.splitlines()[-1]
    assert pair.carry()
    told = at.home("share", release_id)
    assert f"North: is shown there: {url}/releases/{release_id}" in told.output
    assert "confirmed, last contact" in at.home("hub", "list").output


def test_a_release_that_is_there_is_sent_later(at, pair):
    pair.connected()
    release = pair.home.release()
    assert "sent to no hub" in at.home("share", release["id"]).output
    assert "The hub: is being sent" in at.home("share", release["id"], "--to", "The hub").output


def test_a_hub_that_there_is_not_publishes_nothing(at, pair):
    distillation = pair.home.releasable_distillation()
    text = ("--title", "Chest X-rays", "--summary", "Adults.", "--contact", "a@b.example")
    refused = at.home("share", distillation, *text, "--to", "South")
    assert refused.exit_code != 0
    assert "Your organisation has no hub 'South'" in refused.output
    assert pair.home.steward.get("/releases").json()["items"] == []


def test_a_distillation_without_a_title_is_not_published(at, pair):
    refused = at.home("share", pair.home.releasable_distillation())
    assert refused.exit_code != 0
    assert "needs --title and --summary" in refused.output


def test_a_hub_is_paused_resumed_and_removed(at, pair):
    pair.connected()
    assert "Nothing is sent to The hub" in at.home("hub", "pause", "The hub").output
    assert "paused since" in at.home("hub", "list").output
    assert "is sent to The hub now" in at.home("hub", "resume", "The hub").output
    assert "is removed" in at.home("hub", "remove", "The hub").output
    assert "None." in at.home("hub", "list").output


def test_a_missing_token_is_said(at, pair):
    refused = at.home("hub", "connect", "North", str(pair.hub.client.base_url), given="")
    assert refused.exit_code != 0
    assert "There is no token on the standard input" in refused.output
