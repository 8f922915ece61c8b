"""Notices in the portal: each person's own."""

from sqlalchemy import select

from app.core.security import Permission, Role
from app.models import Notification, User
from app.notifications.service import Notice, notify, notify_organisation

NOTICE = Notice(
    kind="access.requested", title="A hospital asks", text="Read its purpose.", link="/requests"
)


def tell(portal, member, notice=NOTICE):
    user_id = member.get("/session").json()["user_id"]
    with portal.database.transaction() as session:
        notify(session, [session.get(User, user_id)], notice)


def test_a_notice_is_read_by_whom_it_is_for(either_portal):
    portal = either_portal
    grey = portal.person(portal.organisation_id, Role.STEWARD, "Dr. Grey")
    yang = portal.person(portal.organisation_id, Role.ADMIN, "Dr. Yang")
    tell(portal, grey)

    listed = grey.get("/notifications").json()
    [notice] = listed["items"]
    assert (listed["unread"], notice["title"], notice["read_at"]) == (1, "A hospital asks", None)
    for other in (yang, portal.admin, portal.stranger):
        assert other.get("/notifications").json() == {"items": [], "next_cursor": None, "unread": 0}
        assert other.post(f"/notifications/{notice['id']}/read").status_code == 404

    read = grey.post(f"/notifications/{notice['id']}/read").json()
    again = grey.post(f"/notifications/{notice['id']}/read").json()
    assert read["read_at"] is not None
    assert again["read_at"] == read["read_at"]
    assert grey.get("/notifications?unread=true").json()["items"] == []
    assert grey.get("/notifications").json()["unread"] == 0


def test_notices_come_in_pages_newest_first(portal):
    grey = portal.person(portal.organisation_id, Role.STEWARD, "Dr. Grey")
    for number in range(3):
        tell(portal, grey, Notice(kind="x", title=f"Number {number}", text="."))

    first = grey.get("/notifications?limit=2").json()
    second = grey.get("/notifications", params={"cursor": first["next_cursor"]}).json()

    titles = [item["title"] for item in (*first["items"], *second["items"])]
    assert titles == ["Number 2", "Number 1", "Number 0"]


def test_an_organisation_is_told_through_those_whose_affair_it_is(either_portal):
    portal = either_portal
    steward = portal.person(portal.organisation_id, Role.STEWARD, "Dr. Steward")
    researcher = portal.person(portal.organisation_id, Role.RESEARCHER, "Dr. Researcher")
    gone = portal.account(Role.STEWARD, email="gone@st-anna.example")
    portal.admin.request("PATCH", f"/users/{gone}", json={"disabled": True})

    with portal.database.transaction() as session:
        notify_organisation(session, portal.organisation_id, Permission.SHARE, NOTICE)

    assert steward.get("/notifications").json()["unread"] == 1
    assert researcher.get("/notifications").json()["unread"] == 0
    with portal.database.reading() as session:
        told = session.scalars(
            select(User.email).join(Notification, Notification.user_id == User.id)
        ).all()
    assert told == ["drsteward@hospital.example"]
