"""Two hospitals: one shares a release, the other asks for it."""

from datetime import timedelta

import pytest

from app.access import grants
from app.core.clock import utc_now
from app.core.security import Role
from app.models import Grant, Notification
from tests.fixtures.clients import problem

PURPOSE = {"purpose": "We train a triage network for our emergency department with it."}


def ask(portal, release):
    reply = portal.recipient.post(f"/releases/{release['id']}/access-requests", json=PURPOSE)
    assert reply.status_code == 201, reply.text
    return reply.json()


def granted(portal, release, **body):
    request = ask(portal, release)
    reply = portal.steward.post(f"/access-requests/{request['id']}/grant", json=body)
    assert reply.status_code == 200, reply.text
    return reply.json()["grant_id"]


def accept(portal, release, grant_id):
    reply = portal.recipient.post(
        f"/grants/{grant_id}/acceptance", json={"terms_sha256": release["terms"]["sha256"]}
    )
    assert reply.status_code == 201, reply.text
    return reply.json()


def download(portal, release):
    return portal.recipient.get(f"/releases/{release['id']}/bundle")


def test_asked_returned_granted_accepted_downloaded_revoked(portal):
    release = portal.release()
    assert problem(download(portal, release)) == (403, "no-access")

    request = ask(portal, release)
    [received] = portal.steward.get("/access-requests?direction=received").json()["items"]
    assert received["id"] == request["id"]
    assert received["requester"] == "Dr. Elsewhere"
    assert received["requester_email"] == "drelsewhere@hospital.example"

    reason = {"reason": "Say which network you mean."}
    returned = portal.steward.post(f"/access-requests/{request['id']}/return", json=reason).json()
    assert returned["status"] == "returned"
    changed = portal.recipient.request(
        "PATCH",
        f"/access-requests/{request['id']}",
        json={"purpose": "A ConvNet that sorts by urgency, never used without a radiologist."},
    )
    assert changed.json()["status"] == "requested"

    grant = portal.steward.post(f"/access-requests/{request['id']}/grant", json={}).json()
    assert problem(download(portal, release)) == (403, "terms-not-accepted")
    accepted = accept(portal, release, grant["grant_id"])["acceptance"]
    assert accepted["name"] == "Dr. Elsewhere"
    assert accepted["terms_text"] == release["terms"]["text"]

    bundle = download(portal, release)
    assert bundle.status_code == 200
    assert len(bundle.content) == release["bundle"]["size"]
    [who] = portal.steward.get(f"/releases/{release['id']}/downloads").json()["items"]
    assert (who["organisation"]["name"], who["name"]) == ("Elsewhere", "Dr. Elsewhere")

    assert portal.steward.delete(f"/grants/{grant['grant_id']}").status_code == 204
    assert problem(download(portal, release)) == (403, "no-access")


def test_a_request_may_be_denied_and_asked_again(portal):
    release = portal.release()
    request = ask(portal, release)
    again = portal.recipient.post(f"/releases/{release['id']}/access-requests", json=PURPOSE)
    assert problem(again) == (409, "access-exists")

    reason = {"reason": "Not for this purpose."}
    portal.steward.post(f"/access-requests/{request['id']}/deny", json=reason)
    late = portal.steward.post(f"/access-requests/{request['id']}/grant", json={})
    assert problem(late) == (409, "request-closed")
    assert portal.recipient.get(f"/releases/{release['id']}").json()["access"]["state"] == "denied"
    ask(portal, release)


def test_only_the_owner_decides_and_only_the_two_see_it(portal):
    release = portal.release()
    request = ask(portal, release)
    with portal.database.transaction() as session:
        from app.organisations import service

        third = service.create(session, portal.services.vault, "Third").id
    outsider = portal.person(third, Role.ADMIN, "Dr. Third")

    path = f"/access-requests/{request['id']}"
    assert outsider.get(path).status_code == 404
    assert outsider.get("/access-requests").json()["items"] == []
    assert portal.stranger.post(f"{path}/grant", json={}).status_code == 404
    assert outsider.post(f"{path}/grant", json={}).status_code == 404
    assert portal.researcher.post(f"{path}/grant", json={}).status_code == 403
    assert portal.steward.post(f"{path}/cancel").status_code == 404
    grant_id = portal.steward.post(f"{path}/grant", json={}).json()["grant_id"]
    assert outsider.get(f"/grants/{grant_id}").status_code == 404
    assert portal.stranger.delete(f"/grants/{grant_id}").status_code == 404


def test_identity_comes_from_the_account_alone(portal):
    release = portal.release()
    reply = portal.recipient.post(
        f"/releases/{release['id']}/access-requests",
        json={**PURPOSE, "requester": "Prof. Somebody", "requester_email": "x@y.example"},
    )
    assert reply.status_code == 422


def test_terms_are_accepted_by_a_person_who_has_seen_them(portal):
    release = portal.release()
    grant_id = granted(portal, release)
    path = f"/grants/{grant_id}/acceptance"

    assert problem(portal.recipient.post(path, json={"terms_sha256": "0" * 64})) == (
        409,
        "terms-not-these",
    )
    known = {"terms_sha256": release["terms"]["sha256"]}
    assert problem(portal.stranger.post(path, json=known)) == (403, "no-person")
    assert portal.steward.post(path, json=known).status_code == 403
    accept(portal, release, grant_id)
    assert problem(portal.recipient.post(path, json=known)) == (409, "grant-ended")


def test_a_direct_grant_answers_an_open_request(portal):
    release = portal.release()
    request = ask(portal, release)

    reply = portal.steward.post(
        f"/releases/{release['id']}/grants", json={"organisation_id": portal.elsewhere_id}
    )

    assert reply.status_code == 201
    assert reply.json()["request_id"] == request["id"]
    again = portal.steward.post(
        f"/releases/{release['id']}/grants", json={"organisation_id": portal.elsewhere_id}
    )
    assert problem(again) == (409, "access-exists")
    accept(portal, release, reply.json()["id"])
    assert download(portal, release).status_code == 200


def test_access_that_expires_is_told_before_and_after(portal):
    release = portal.release()
    soon = (utc_now() + timedelta(days=10)).isoformat()
    grant_id = granted(portal, release, expires_at=soon)
    accept(portal, release, grant_id)

    def told():
        items = portal.recipient.get("/notifications").json()["items"]
        return [item["kind"] for item in items if item["kind"].startswith("access.expire")]

    def sweep():
        with portal.database.transaction() as session:
            grants.remind(session)

    sweep()
    sweep()
    assert told() == ["access.expires"]
    with portal.database.transaction() as session:
        session.get(Grant, grant_id).expires_at = utc_now() - timedelta(seconds=1)
    assert problem(download(portal, release)) == (403, "no-access")
    sweep()
    sweep()
    assert told() == ["access.expired", "access.expires"]


def test_an_embargo_holds_the_bundle_back_and_nothing_else(portal):
    until = (utc_now() + timedelta(days=30)).isoformat()
    release = portal.release(embargo_until=until)

    accept(portal, release, granted(portal, release))
    assert problem(download(portal, release)) == (409, "under-embargo")
    assert portal.steward.get(f"/releases/{release['id']}/bundle").status_code == 200


def test_a_withdrawn_release_leaves_a_tombstone(portal):
    release = portal.release(previews=True)
    accept(portal, release, granted(portal, release))
    assert download(portal, release).status_code == 200

    reason = {"reason": "A labelling error was found."}
    assert (
        portal.researcher.post(f"/releases/{release['id']}/withdraw", json=reason).status_code
        == 403
    )
    assert (
        portal.stranger.post(f"/releases/{release['id']}/withdraw", json=reason).status_code == 404
    )
    portal.steward.post(f"/releases/{release['id']}/withdraw", json=reason)

    assert problem(download(portal, release)) == (409, "release-withdrawn")
    seen = portal.recipient.get(f"/releases/{release['id']}").json()
    assert (seen["status"], seen["withdrawal_reason"]) == ("withdrawn", reason["reason"])
    assert seen["previews"] == []
    assert portal.recipient.get("/catalogue").json()["items"] == []
    with portal.database.reading() as session:
        kinds = [row.kind for row in session.query(Notification)]
    assert "release.withdrawn" in kinds
    twice = portal.steward.post(f"/releases/{release['id']}/withdraw", json=reason)
    assert problem(twice) == (409, "release-already-withdrawn")


def test_a_resumed_download_counts_once(portal):
    release = portal.release()
    accept(portal, release, granted(portal, release))
    path = f"/releases/{release['id']}/bundle"

    first = portal.recipient.get(path, headers={"Range": "bytes=0-99"})
    rest = portal.recipient.get(path, headers={"Range": "bytes=100-"})

    assert len(first.content + rest.content) == release["bundle"]["size"]
    assert portal.steward.get(f"/releases/{release['id']}").json()["downloads"] == 1
    assert portal.recipient.get(f"/releases/{release['id']}").json()["downloads"] is None


@pytest.mark.parametrize(
    "headers",
    [
        {"Range": "bytes=-9999999999"},
        {"Range": "bytes=00-"},
        {"Range": "items=0-1"},
        {"Range": "bytes=0-1,4-5"},
        {"Range": "x"},
        {"Range": "bytes=5-", "If-Range": '"of another version"'},
        # All but the first byte is as good as everything.
        {"Range": "bytes=1-"},
    ],
    ids=lambda headers: " ".join(headers.values()),
)
def test_no_header_takes_a_bundle_uncounted(portal, headers):
    release = portal.release()
    accept(portal, release, granted(portal, release))

    reply = portal.recipient.get(f"/releases/{release['id']}/bundle", headers=headers)

    assert len(reply.content) >= release["bundle"]["size"] - 1
    assert portal.steward.get(f"/releases/{release['id']}").json()["downloads"] == 1
    for admin in (portal.admin, portal.stranger):
        assert len(admin.get("/audit?action=release.downloaded").json()["items"]) == 1


def test_a_reply_without_bytes_is_no_download(portal):
    release = portal.release()
    accept(portal, release, granted(portal, release))
    path = f"/releases/{release['id']}/bundle"
    etag = portal.recipient.get(path).headers["ETag"]

    assert portal.recipient.get(path, headers={"If-None-Match": etag}).status_code == 304
    assert portal.recipient.get(path, headers={"Range": "bytes=99999999-"}).status_code == 416

    assert portal.steward.get(f"/releases/{release['id']}").json()["downloads"] == 1


@pytest.mark.parametrize("step", ["grant", "return", "deny"])
def test_both_logs_tell_each_decision(portal, step):
    request = ask(portal, portal.release())
    body = {} if step == "grant" else {"reason": "Because it is so."}
    portal.steward.post(f"/access-requests/{request['id']}/{step}", json=body)

    action = {"grant": "access.granted", "return": "access.returned", "deny": "access.denied"}[step]
    for admin in (portal.admin, portal.stranger):
        items = admin.get(f"/audit?action={action}").json()["items"]
        assert len(items) == 1


@pytest.mark.parametrize("step", ["grant", "return", "deny"])
def test_a_decision_that_is_sent_again_is_the_same_one(portal, step):
    request = ask(portal, portal.release())
    body = {} if step == "grant" else {"reason": "Because it is so."}
    path, headers = f"/access-requests/{request['id']}/{step}", {"Idempotency-Key": "once"}

    first = portal.steward.post(path, json=body, headers=headers)
    second = portal.steward.post(path, json=body, headers=headers)

    assert first.status_code == 200
    assert second.json() == first.json()
    assert portal.steward.post(path, json=body, headers={}).status_code == (
        200 if step == "return" else 409
    )
