"""The pages of releases: publishing, the catalogue, one release, access, withdrawal."""

import re

import pytest

from app.core.security import Role
from app.models import Organisation
from tests.fixtures.clients import PASSWORD
from tests.fixtures.database import statements

FIELDS = {
    "title": "Chest X-rays of adults",
    "summary": "COVID and normal.",
    "contact": "data@st-anna.example",
    "terms": "research_only",
}
PURPOSE = "We train a triage network for our emergency department with it."


def publish(steward, distillation_id, **changes):
    address = f"/distillations/{distillation_id}/release"
    return steward.send(address, address, **(FIELDS | changes))


def ask(asker, release_id, purpose=PURPOSE):
    address = f"/releases/{release_id}"
    return asker.send(address, f"{address}/requests", purpose=purpose)


def request_of(page):
    return re.search(r"/requests/(req_\w+)", page)[1]


def grant_of(page):
    return re.search(r"/grants/(gr_\w+)", page)[1]


@pytest.fixture
def steward(reader):
    return reader(Role.STEWARD)


@pytest.fixture
def asker(reader):
    return reader(Role.RESEARCHER, elsewhere=True)


def test_a_steward_releases_what_the_gate_lets_go(portal, steward, asker):
    distillation_id = portal.releasable_distillation()
    shown = steward.open(f"/distillations/{distillation_id}/release")
    assert "can be released" in shown
    assert 'value="data@st-anna.example"' not in shown

    reply = publish(steward, distillation_id)

    assert reply.url.path.startswith("/releases/rel_")
    assert "Released. Others can see it" in reply.text
    assert "Chest X-rays of adults" in asker.open("/catalogue")
    assert "Chest X-rays of adults" in steward.open("/releases")


def test_the_same_form_sent_twice_makes_one_release(portal, steward):
    address = f"/distillations/{portal.releasable_distillation()}/release"
    sent = steward.form(address, address).fields | FIELDS
    first = steward.client.post(address, data=sent)
    again = steward.client.post(address, data=sent)
    assert first.url.path == again.url.path
    assert len(portal.steward.get("/releases").json()["items"]) == 1


def test_conditions_come_with_what_they_leave_open(portal, steward):
    distillation_id = portal.releasable_distillation()
    address = f"/distillations/{distillation_id}/release"
    fields = steward.form(address, address).fields
    # In the order of the form: disease, type of research, region, date, months.
    reply = steward.client.post(
        address,
        data={
            **fields,
            **FIELDS,
            "duo": ["DUO:0000007", "DUO:0000019"],
            "detail": ["tuberculosis", "", "", "", ""],
        },
    )
    assert "For research into this disease: tuberculosis." in reply.text
    [release] = portal.steward.get("/releases").json()["items"]
    read = portal.steward.get(f"/releases/{release['id']}").json()
    assert read["terms"]["duo"] == ["DUO:0000007 tuberculosis", "DUO:0000019"]


def test_what_others_will_see_is_shown_before_anything_is_written(portal, steward):
    address = f"/distillations/{portal.releasable_distillation()}/release"
    fields = steward.form(address, address).fields | FIELDS
    shown = steward.client.post(f"{address}/preview", data=fields)
    assert "Chest X-rays of adults" in shown.text
    assert "The patients stay unknown" in shown.text
    wrong = steward.client.post(f"{address}/preview", data=fields | {"terms": "custom"})
    assert "need a text that says what the release may be used for" in wrong.text
    assert portal.steward.get("/releases").json()["items"] == []


def test_what_distances_alone_did_not_refute_says_who_may_decide(portal, steward, reader):
    with portal.database.transaction() as session:
        session.get_one(Organisation, portal.organisation_id).policy = {}
    distillation_id = portal.releasable_distillation(
        privacy={"verdict": "inconclusive", "statement": "", "metrics": []}
    )
    address = f"/distillations/{distillation_id}/release"
    shown = steward.open(address)
    assert "Nothing is released on distance metrics alone" in shown
    assert "Ask one of them" in shown
    assert "PATCH" not in shown
    assert 'name="title"' not in shown
    assert "Open the release policy" in reader(Role.ADMIN).open(address)


def test_what_cannot_be_released_says_why(portal, steward):
    shown = steward.open(f"/distillations/{portal.distillation()}/release")
    assert "has not finished" in shown
    refuted = portal.releasable_distillation(
        privacy={"verdict": "refuted", "statement": "", "metrics": []}
    )
    assert "It stays in your organisation" in steward.open(f"/distillations/{refuted}/release")


def test_a_form_that_cannot_be_tells_it_where_it_was_sent(portal, steward):
    address = f"/distillations/{portal.releasable_distillation()}/release"
    fields = steward.form(address, address).fields | FIELDS
    reply = steward.client.post(
        address, data=fields | {"embargo": "soon"}, headers={"HX-Request": "true"}
    )
    assert reply.status_code == 422
    assert reply.headers["hx-retarget"] == "find .form-problem"
    assert "is not a day" in reply.text


@pytest.mark.parametrize("role", [Role.RESEARCHER, Role.AUDITOR])
def test_others_than_stewards_release_nothing(portal, reader, role):
    somebody = reader(role)
    somebody.open(f"/distillations/{portal.releasable_distillation()}/release", status=403)


def test_another_organisations_distillation_is_not_there(portal, reader):
    stranger = reader(Role.ADMIN, elsewhere=True)
    stranger.open(f"/distillations/{portal.releasable_distillation()}/release", status=404)


def test_empty_lists_say_what_comes_next(steward):
    assert "No release yet" in steward.open("/releases")
    assert "No release yet" in steward.open("/catalogue")
    assert "No requests received" in steward.open("/requests")
    assert "No requests sent" in steward.open("/requests?side=sent")
    assert "No access granted yet" in steward.open("/grants?side=received")
    assert "No access yet" in steward.open("/grants?side=sent")


def test_the_catalogue_is_narrowed_by_its_address(portal, asker):
    portal.release(title="Lungs of adults")
    portal.release(title="Lungs of children", terms="non_commercial")
    both = asker.open("/catalogue")
    assert "2 releases" in both
    narrowed = asker.client.get("/catalogue?q=children&terms=&class_name=COVID&images=")
    assert "Lungs of children" in narrowed.text
    assert "Lungs of adults" not in narrowed.text
    assert narrowed.headers["hx-replace-url"] == "/catalogue?q=children&class_name=COVID"
    assert "One release" in asker.open("/catalogue?terms=non_commercial")
    assert "No matching release" in asker.open("/catalogue?accuracy=99")
    assert "No matching release" in asker.open("/catalogue?verdict=proven")
    asker.open("/catalogue?images=many", status=422)


def test_cards_show_pictures_only_where_they_may_be_seen(portal, asker, steward):
    hidden = portal.release()["id"]
    shown = portal.release(previews=True)["id"]
    page = asker.open("/catalogue")
    assert f"/releases/{shown}/previews/0" in page
    assert f"/releases/{hidden}/previews/" not in page
    for address in re.findall(r'src="(/api/v1/releases/[^"]+)"', page):
        assert asker.client.get(address).status_code == 200
    assert f"/releases/{hidden}/previews/0" in steward.open("/catalogue")


def test_asked_returned_changed_granted_accepted_downloaded(portal, steward, asker):
    release_id = portal.release()["id"]
    reply = ask(asker, release_id)
    assert "Your request was sent" in reply.text
    request_id = request_of(reply.text)
    address = f"/requests/{request_id}"

    assert "Received" in steward.open("/requests")
    assert PURPOSE in steward.open(address)
    returned = steward.send(address, f"{address}/return", reason="Say which network you mean.")
    assert "Returned. The requester was told why." in returned.text
    assert "Say which network you mean." in asker.open(f"/releases/{release_id}")
    changed = asker.send(
        address, f"{address}/change", purpose="A ConvNet that sorts by urgency, for research."
    )
    assert "sorts by urgency" in changed.text

    granted = steward.send(address, f"{address}/grant", until="2030-01-31")
    assert "granted access" in granted.text
    page = asker.open(f"/releases/{release_id}")
    assert "Read and accept the terms" in page
    grant_id = grant_of(page)
    accept = f"/grants/{grant_id}/accept"
    unread = asker.send(f"/releases/{release_id}", accept)
    assert unread.status_code == 422
    accepted = asker.send(f"/releases/{release_id}", accept, accepted="true")
    assert "Your organisation has access." in accepted.text
    assert f"exchange verify {release_id}.zip --trusted-key ed25519:" in accepted.text
    assert "iadd.load_bundle" in accepted.text
    bundle = asker.client.get(f"/releases/{release_id}/bundle")
    assert bundle.headers["content-type"] == "application/zip"
    assert "Dr. Grey" in steward.open(f"/releases/{release_id}/downloads")
    assert "you have access" in asker.open("/catalogue")


def test_nobody_decides_on_a_purpose_that_was_changed_meanwhile(portal, steward, asker):
    release_id = portal.release()["id"]
    request_id = request_of(ask(asker, release_id).text)
    address = f"/requests/{request_id}"
    seen = steward.form(address, f"{address}/grant").fields
    asker.send(address, f"{address}/change", purpose="Something else altogether, for profit.")
    late = steward.client.post(f"{address}/grant", data=seen)
    assert late.status_code == 412
    assert "waiting for a decision" in steward.open(address)


def test_a_purpose_that_is_too_short_is_told_in_the_form(portal, asker):
    release_id = portal.release()["id"]
    reply = ask(asker, release_id, purpose="Research.")
    assert reply.status_code == 422
    assert "Your organisation has not requested access." in asker.open(f"/releases/{release_id}")


def test_a_request_is_denied_and_taken_back(portal, steward, asker):
    release_id = portal.release()["id"]
    address = f"/requests/{request_of(ask(asker, release_id).text)}"
    steward.send(address, f"{address}/deny", reason="Not for this purpose.")
    assert "Not for this purpose." in asker.open(f"/releases/{release_id}")
    again = f"/requests/{request_of(ask(asker, release_id).text)}"
    assert "Your request was cancelled" in asker.send(again, f"{again}/cancel").text


def test_requests_are_seen_by_their_two_sides_alone(portal, steward, asker, reader):
    release_id = portal.release()["id"]
    address = f"/requests/{request_of(ask(asker, release_id).text)}"
    researcher = reader(Role.RESEARCHER)
    page = researcher.open(address)
    assert "Only a data steward or an admin can grant, return or deny" in page
    assert f"{address}/grant" not in page
    assert researcher.client.post(f"{address}/grant").status_code == 403
    with portal.database.transaction() as session:
        from app.organisations import service

        third = service.create(session, portal.services.vault, "Third").id
    portal.account(Role.ADMIN, email="third@hospital.example", organisation_id=third)
    asker.send("/", "/sign-out")
    asker.sign_in("third@hospital.example", PASSWORD)
    asker.open(address, status=404)
    assert "No requests received" in asker.open("/requests?side=received")


def test_access_is_given_and_revoked_by_name(portal, steward, asker):
    release_id = portal.release()["id"]
    address = f"/releases/{release_id}"
    steward.send(address, f"{address}/grants", organisation=portal.elsewhere_id)
    grant_id = grant_of(steward.open(address))
    revoke = f"/grants/{grant_id}/revoke"
    wrong = steward.send(address, revoke, confirm="Somebody", reason="It was a mistake.")
    assert wrong.status_code == 422
    assert "Access is granted" in asker.open(address)
    steward.send(address, revoke, confirm="Elsewhere", reason="It was a mistake.")
    assert "has revoked your access" in asker.open(address)
    assert "It was a mistake." in steward.open(address)


def test_a_withdrawal_asks_for_the_name_and_leaves_a_tombstone(portal, steward, asker):
    release = portal.release()
    address = f"/releases/{release['id']}"
    withdraw = f"{address}/withdraw"
    wrong = steward.send(address, withdraw, confirm="no", reason="A patient withdrew consent.")
    assert wrong.status_code == 422
    steward.send(address, withdraw, confirm=release["title"], reason="A patient withdrew consent.")
    page = asker.open(address)
    assert "This release was withdrawn" in page
    assert "A patient withdrew consent." in page
    assert "/requests" not in page.partition("<main")[2]
    assert release["id"] not in asker.open("/catalogue")
    assert "withdrawn" in steward.open("/releases")


def test_the_owners_part_is_for_the_owner_alone(portal, steward, asker, reader):
    release_id = portal.release()["id"]
    address = f"/releases/{release_id}"
    assert '<h3 id="grants">Access</h3>' in steward.open(address)
    assert '<h3 id="grants">Access</h3>' not in asker.open(address)
    assert f"{address}/withdraw" not in reader(Role.RESEARCHER).open(address)
    asker.open(f"{address}/downloads", status=403)
    reader(Role.STEWARD, elsewhere=True).open(f"{address}/downloads", status=404)
    assert asker.client.post(f"{address}/withdraw", data={}).status_code == 403


def test_what_people_wrote_stays_text(portal, asker):
    release = portal.release(
        title="<b>Bold</b>",
        card="# Ours\n\n<script>alert(1)</script>\n\n![x](https://evil.example/x.png)\n\n"
        "[a](javascript:alert(1)) [b](https://st-anna.example)",
    )
    page = asker.open(f"/releases/{release['id']}").partition("<main")[2]
    assert "<b>Bold" not in page
    assert "<script>" not in page
    assert '<img src="https://evil' not in page
    assert 'href="javascript' not in page
    assert 'href="https://st-anna.example" rel="nofollow noopener noreferrer"' in page


def test_a_score_file_that_is_none_is_told(portal, steward, asker):
    release_id = portal.release()["id"]
    address = f"/releases/{release_id}"
    steward.send(address, f"{address}/grants", organisation=portal.elsewhere_id)
    accept = f"/grants/{grant_of(asker.open(address))}/accept"
    asker.send(address, accept, accepted="true")
    form = asker.form(address, f"{address}/scores")
    for content in (b"no json", b"", b'{"format": 2}', b"[" * 150_000):
        reply = asker.client.post(
            form.action, data=form.fields, files={"score": ("score.json", content)}
        )
        assert reply.status_code == 422, content


def test_a_list_of_many_releases_asks_the_database_as_often_as_one_of_few(portal, asker, steward):
    def queries(somebody, address):
        with statements(portal.database.engine) as seen:
            somebody.open(address)
        return len(seen)

    addresses = [(asker, "/catalogue"), (steward, "/releases"), (steward, "/requests")]
    ask(asker, portal.release()["id"])
    few = [queries(*one) for one in addresses]
    for _ in range(4):
        ask(asker, portal.release()["id"])
    assert [queries(*one) for one in addresses] == few
