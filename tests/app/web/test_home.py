"""The first page: what waits, for whom."""

from app.core.security import Role
from app.models import DistillationStatus, Organisation, User, Withdrawal, WithdrawalStatus
from app.notifications.service import Notice, notify
from tests.fixtures.database import statements

PURPOSE = "To train networks that find pneumonia earlier."
NOTHING = "Nothing is waiting for you"


def ask(portal, asker, release_id: str) -> dict:
    reply = asker.post(f"/releases/{release_id}/access-requests", json={"purpose": PURPOSE})
    assert reply.status_code == 201, reply.text
    return reply.json()


def tell(portal, user_id: str, title: str = "Something happened", link: str | None = "/guide"):
    with portal.database.transaction() as session:
        user = session.get_one(User, user_id)
        notify(session, [user], Notice(kind="test", title=title, text="This and that.", link=link))


def my_id(portal, reader) -> str:
    return reader.client.get("/api/v1/session").json()["user_id"]


def test_an_empty_organisation_is_led_to_its_first_steps(reader):
    steward, admin, researcher = reader(Role.STEWARD), reader(Role.ADMIN), reader(Role.RESEARCHER)
    assert 'href="/guide">Start the guide' in steward.open("/")
    assert 'href="/datasets/new"' in steward.open("/")
    assert "/organisation/invitations" in admin.open("/")
    page = researcher.open("/")
    assert 'href="/datasets/new"' not in page
    assert "Ask an admin of your organisation" in page


def test_first_steps_go_once_there_is_a_dataset(portal, reader):
    portal.ready_dataset()
    page = reader(Role.STEWARD).open("/")
    assert "First steps" not in page
    assert NOTHING in page


def test_auditors_and_operators_see_nothing_of_datasets(portal, reader):
    portal.new_dataset()
    portal.distillation(DistillationStatus.FAILED)
    for role, address in ((Role.AUDITOR, "/audit"), (Role.OPERATOR, "/operations")):
        page = reader(role).open("/")
        assert f'href="{address}"' in page
        assert "chest" not in page
        assert "First steps" not in page


def test_requests_wait_for_stewards_and_not_for_researchers(portal, reader):
    release = portal.release()
    asked = ask(portal, portal.recipient, release["id"])
    assert f"/requests/{asked['id']}" in reader(Role.STEWARD).open("/")
    assert "Elsewhere requests access to “Chest X-rays”" in reader(Role.STEWARD).open("/")
    assert asked["id"] not in reader(Role.RESEARCHER).open("/")


def test_a_request_that_was_decided_waits_no_longer(portal, reader):
    asked = ask(portal, portal.recipient, portal.release()["id"])
    steward = reader(Role.STEWARD)
    portal.steward.post(f"/access-requests/{asked['id']}/deny", json={"reason": "Not now."})
    assert asked["id"] not in steward.open("/")


def test_whoever_asked_sees_the_answer(portal, reader):
    release = portal.release()
    asker = reader(Role.RESEARCHER, elsewhere=True)
    other = reader(Role.RESEARCHER, elsewhere=True)
    csrf = {"X-CSRF-Token": asker.form("/account", "/account/password").fields["csrf_token"]}
    address = f"/api/v1/releases/{release['id']}/access-requests"
    reply = asker.client.post(address, json={"purpose": PURPOSE}, headers=csrf)
    asked = reply.json()["id"]
    assert "Answers to your requests" not in asker.open("/")
    portal.steward.post(f"/access-requests/{asked}/return", json={"reason": "Say more."})
    assert "St. Anna returned your request" in asker.open("/")
    assert "Answers to your requests" not in other.open("/")


def test_what_was_granted_waits_until_the_terms_are_accepted(portal, reader):
    release = portal.release()
    asker = reader(Role.RESEARCHER, elsewhere=True)
    csrf = {"X-CSRF-Token": asker.form("/account", "/account/password").fields["csrf_token"]}
    address = f"/api/v1/releases/{release['id']}/access-requests"
    asked = asker.client.post(address, json={"purpose": PURPOSE}, headers=csrf).json()["id"]
    granted = portal.steward.post(f"/access-requests/{asked}/grant", json={}).json()
    assert "St. Anna granted you access to “Chest X-rays”" in asker.open("/")
    accepted = asker.client.post(
        f"/api/v1/grants/{granted['grant_id']}/acceptance",
        json={"terms_sha256": release["terms"]["sha256"]},
        headers=csrf,
    )
    assert accepted.status_code < 300, accepted.text
    assert "granted you access" not in asker.open("/")


def test_datasets_that_need_an_archive_wait_for_who_uploads(portal, reader):
    waiting, rejected = portal.new_dataset(), portal.rejected_dataset()
    page = reader(Role.STEWARD).open("/")
    assert f"/datasets/{waiting}" in page
    assert f"/datasets/{rejected}" in page
    assert "was rejected" in page
    assert "Datasets waiting for you" not in reader(Role.RESEARCHER).open("/")


def test_what_runs_is_followed(portal, reader):
    researcher = reader(Role.RESEARCHER)
    portal.ready_dataset()
    assert "No job is running" in researcher.open("/")
    distillation = portal.distillation()
    portal.advance(
        distillation,
        DistillationStatus.DISTILLING,
        phases={"distilling": {"done": 30, "total": 120, "unit": "iterations"}},
        eta_seconds=300.0,
    )
    page = researcher.open("/")
    assert 'hx-get="/home/jobs"' in page
    assert 'value="30" max="120"' in page
    assert "about 5 min left" in page
    part = researcher.open("/home/jobs")
    assert part.lstrip().startswith('<section id="jobs"')
    assert distillation in part


def test_what_runs_elsewhere_is_not_seen(portal, reader):
    distillation = portal.distillation()
    stranger = reader(Role.ADMIN, elsewhere=True)
    assert distillation not in stranger.open("/")
    assert distillation not in stranger.open("/home/jobs")


def test_reports_wait_until_they_are_released(portal, reader):
    finished = portal.releasable_distillation()
    researcher = reader(Role.RESEARCHER)
    assert "is distilled: no leak detected (limited tests)" in researcher.open("/")
    portal.release(distillation_id=finished)
    assert "is distilled" not in researcher.open("/")


def test_what_failed_says_why(portal, reader):
    failed = portal.distillation()
    portal.advance(
        failed,
        DistillationStatus.FAILED,
        problem={"title": "The device has too little memory"},
    )
    assert "failed: The device has too little memory" in reader(Role.RESEARCHER).open("/")


def test_withdrawals_are_followed_by_who_may_withdraw(portal, reader):
    dataset = portal.ready_dataset()
    with portal.database.transaction() as session:
        session.add(
            Withdrawal(
                organisation_id=portal.organisation_id,
                dataset_id=dataset,
                whole_dataset=False,
                reason="Consent was taken back.",
                asked_by="Dr. Grey",
                status=WithdrawalStatus.REMOVING,
                lineage={},
            )
        )
    assert "Images are being removed from “chest”" in reader(Role.STEWARD).open("/")
    assert "being removed" not in reader(Role.RESEARCHER).open("/")


def test_news_are_put_away_one_by_one_or_all_at_once(portal, reader):
    steward = reader(Role.STEWARD)
    for number in range(7):
        tell(portal, my_id(portal, steward), f"News {number}")
    page = steward.open("/")
    assert "News 6" in page
    assert "News 1" not in page
    form = steward.form("/", "/notices/read")
    reply = steward.client.post("/notices/read", data=form.fields)
    assert reply.url.path == "/"
    assert "No new notifications" in reply.text


def test_opening_a_notice_leads_to_what_it_is_about(portal, reader):
    steward = reader(Role.STEWARD)
    tell(portal, my_id(portal, steward), link="/account")
    page = steward.open("/notices?unread=true")
    notice = page.split("/notices/no_")[1].split("/")[0]
    reply = steward.send("/notices", f"/notices/no_{notice}/read")
    assert reply.url.path == "/account"
    assert "Something happened" not in steward.open("/notices?unread=true")
    assert "Something happened" in steward.open("/notices")


def test_nobody_puts_away_anothers_notice(portal, reader):
    steward, other = reader(Role.STEWARD), reader(Role.STEWARD)
    tell(portal, my_id(portal, steward))
    notice = steward.open("/notices").split("/notices/no_")[1].split("/")[0]
    assert "Something happened" not in other.open("/notices")
    token = other.form("/account", "/account/password").fields["csrf_token"]
    reply = other.client.post(f"/notices/no_{notice}/read", data={"csrf_token": token})
    assert reply.status_code == 404
    other.client.post("/notices/read", data={"csrf_token": token})
    assert "new</span>" in steward.open("/notices")


def test_notices_have_pages(portal, reader):
    steward = reader(Role.STEWARD)
    assert "No notifications yet" in steward.open("/notices")
    for number in range(53):
        tell(portal, my_id(portal, steward), f"News {number:02}")
    page = steward.open("/notices")
    assert page.count('class="notice') == 50 + 1  # and the list itself
    older = page.split('href="?cursor=')[1].split('"')[0]
    assert "News 00" in steward.open(f"/notices?cursor={older}")


def test_a_notice_leads_nowhere_else(portal, reader):
    steward = reader(Role.STEWARD)
    tell(portal, my_id(portal, steward))
    notice = steward.open("/notices").split("/notices/no_")[1].split("/")[0]
    token = steward.form("/account", "/account/password").fields["csrf_token"]
    reply = steward.client.post(
        f"/notices/no_{notice}/read", data={"csrf_token": token, "back": "//evil.example"}
    )
    assert reply.url.host == "127.0.0.1"


def test_how_much_there_is_changes_not_how_much_is_asked(portal, reader):
    admin = reader(Role.ADMIN)
    with statements(portal.database.engine) as few:
        admin.open("/")
    finished = portal.distillation()
    portal.advance(finished, DistillationStatus.READY)
    for _ in range(8):
        portal.new_dataset()
        tell(portal, my_id(portal, admin))
        portal.distillation(dataset_id=portal.row(finished).dataset_id)
    with statements(portal.database.engine) as many:
        page = admin.open("/")
    assert "Show all" in page
    assert len(many) == len(few)
    assert len(many) <= 20


def test_the_organisations_name_is_told_to_its_people(portal, reader):
    with portal.database.transaction() as session:
        session.get_one(Organisation, portal.organisation_id).name = "<b>Anna</b>"
    assert "&lt;b&gt;Anna&lt;/b&gt; has no dataset yet" in reader(Role.STEWARD).open("/")
