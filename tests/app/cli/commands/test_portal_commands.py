"""The commands that ask a portal, as two hospitals use them."""

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from app.cli import app, jobs
from app.cli.exit_codes import HELP, MEANINGS, Exit
from app.cli.output import clean
from app.client import PortalClient, PortalError
from app.core.security import Role
from app.ledgers.store import book_exact_reads
from app.models import DatasetStatus, DistillationStatus
from app.releases.terms import TermsTemplate
from tests.fixtures.proven import STEPS, book_run

ROOT = Path(__file__).parents[4]
PURPOSE = "We train a triage network for our emergency department with it."


def last_line(result):
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()[-1]


def share(exchange, portal, *options):
    done = exchange(
        portal.steward,
        *("share", portal.releasable_distillation()),
        *("--title", "Chest X-rays", "--summary", "Two classes of adults."),
        *("--contact", "data@st-anna.example", *options),
    )
    return last_line(done)


def ready_with_reports(portal):
    """A finished distillation with a real bundle and all reports."""
    distillation = portal.releasable_distillation()
    keys = {f"report_{kind}_key": f"distillations/{distillation}/report.{kind}" for kind in PAGES}
    for kind, column in zip(PAGES, keys, strict=True):
        portal.storage.put(keys[column], PAGES[kind])
    portal.advance(distillation, DistillationStatus.READY, **keys)
    return distillation


PAGES = {"html": b"<!doctype html>", "pdf": b"%PDF-1.7"}


def test_two_hospitals_share(exchange, portal, tmp_path):
    """The whole way, as docs/client.md tells it."""
    release = share(exchange, portal)
    assert release in exchange(portal.recipient, "catalogue", "chest", "--class", "COVID").stdout
    assert "exchange request" in exchange(portal.recipient, "show", release).stdout

    asked = last_line(exchange(portal.recipient, "request", release, "--purpose", PURPOSE))
    listed = exchange(portal.steward, "requests", "--received", "--open").stdout
    assert f"{asked}  Elsewhere asks for Chest X-rays" in listed
    assert PURPOSE in listed
    assert "drelsewhere@hospital.example" in listed
    reason = "Which network do you mean?"
    assert last_line(exchange(portal.steward, "return", asked, "--reason", reason)) == asked
    assert reason in exchange(portal.recipient, "requests").stdout
    Path("purpose.txt").write_text(PURPOSE + " A ConvNet, never without a radiologist.")
    again = exchange(portal.recipient, "request", release, "--purpose-file", "purpose.txt")
    assert last_line(again) == asked
    day = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    grant = last_line(exchange(portal.steward, "grant", asked, "--expires", day))

    refused = exchange(portal.recipient, "download", release)
    assert refused.exit_code == 1
    assert "terms have to be accepted" in refused.stderr
    terms = portal.recipient.get(f"/releases/{release}").json()["terms"]["text"]
    shown = exchange(portal.recipient, "accept", release, given="n\n")
    assert shown.exit_code == 1
    assert terms.splitlines()[0] in shown.stdout
    assert "Nothing was accepted" in shown.stderr
    accepted = exchange(portal.recipient, "accept", release, given="y\n")
    assert last_line(accepted) == grant
    assert "Do you, Dr. Elsewhere, accept these terms for Elsewhere?" in accepted.stderr
    assert f"until {day} 00:00 UTC" in exchange(portal.recipient, "grants").stdout

    key = json.loads(exchange(portal.steward, "keys", "--json").stdout)[0]["public_key"]
    Path("st-anna.key").write_text(f"{key}\n")
    fetched = exchange(portal.recipient, "download", release, "--trusted-key", "st-anna.key")
    assert last_line(fetched) == f"{release}.zip"
    assert "by the owner of the key that you trust" in fetched.stderr
    assert exchange(None, "verify", f"{release}.zip", "--trusted-key", key).exit_code == 0

    assert last_line(exchange(portal.steward, "revoke", grant, "--reason", "It ends.")) == grant
    assert exchange(portal.recipient, "download", release).exit_code == 1
    assert "It ends." in exchange(portal.recipient, "grants").stdout
    gone = exchange(portal.steward, "withdraw", release, "--reason", "A labelling error.")
    assert last_line(gone) == release
    assert "Withdrawn: A labelling error." in exchange(portal.recipient, "show", release).stdout
    assert exchange(portal.recipient, "download", release).exit_code == 5
    for admin in (portal.admin, portal.stranger):
        assert last_line(exchange(admin, "audit", "export", "log.jsonl")) == "log.jsonl"
        assert exchange(None, "audit", "verify", "log.jsonl").exit_code == 0


def test_a_release_says_all_that_was_given(exchange, portal):
    Path("card.md").write_text("# Where they come from")
    Path("terms.md").write_text("Only for the study that we agreed on.")
    day = (datetime.now(UTC) + timedelta(days=30)).date().isoformat()
    release = share(
        exchange,
        portal,
        *("--card", "card.md", "--terms", "custom", "--terms-file", "terms.md"),
        *("--duo", "DUO:0000007 tuberculosis", "--duo", "DUO:0000019", "--citation", "St. Anna"),
        *("--embargo", day, "--previews"),
    )
    seen = json.loads(exchange(portal.recipient, "show", release, "--json").stdout)
    assert seen["card"] == "# Where they come from"
    assert "Only for the study that we agreed on." in seen["terms"]["text"]
    assert seen["terms"]["duo"] == ["DUO:0000007 tuberculosis", "DUO:0000019"]
    assert (seen["citation"], seen["embargo_until"]) == ("St. Anna", f"{day}T00:00:00Z")
    text = exchange(portal.recipient, "show", release, "--card", "--terms").stdout
    assert "# Where they come from" in text
    assert "Only for the study that we agreed on." in text
    assert "not before" in text
    later = share(exchange, portal, "--supersedes", release)
    assert later in exchange(portal.steward, "show", release).stdout
    mine = exchange(portal.steward, "catalogue", "--mine").stdout
    assert later in mine
    assert "superseded" in mine


def test_what_the_gate_refuses_says_why(exchange, portal):
    refuted = {"verdict": "refuted", "metrics": [], "statement": "Refuted."}
    distillation = portal.releasable_distillation(privacy=refuted)
    refused = exchange(portal.steward, "share", distillation, "--title", "x", "--summary", "y")
    assert refused.exit_code == 5
    assert "does not clear the release" in refused.stderr
    assert portal.steward.get("/releases").json()["items"] == []


def test_the_catalogue_is_narrowed(exchange, portal):
    release = share(exchange, portal)
    found = exchange(
        portal.recipient, "catalogue", "--min-accuracy", "0.7", "--verdict", "not_refuted", "--json"
    )
    assert [row["id"] for row in json.loads(found.stdout)] == [release]
    for narrower in (("--min-accuracy", "0.9"), ("--class", "Flu"), ("knees",)):
        nothing = exchange(portal.recipient, "catalogue", *narrower)
        assert "No release matches" in nothing.stdout
        assert json.loads(exchange(portal.recipient, "catalogue", *narrower, "--json").stdout) == []
    share(exchange, portal)
    assert "There are more" in exchange(portal.recipient, "catalogue", "--most", "1").stdout
    assert exchange(portal.recipient, "catalogue", "--min-accuracy", "2").exit_code == 2


def test_access_is_given_unasked_by_name(exchange, portal):
    release = share(exchange, portal)
    assert exchange(portal.steward, "grant", release).exit_code == 2
    unknown = exchange(portal.steward, "grant", release, "--to", "Nowhere")
    assert (unknown.exit_code, "no organisation" in unknown.stderr) == (4, True)
    grant = last_line(exchange(portal.steward, "grant", release, "--to", "Elsewhere"))
    shown = exchange(portal.recipient, "accept", grant, "--yes")
    assert last_line(shown) == grant
    assert "# Terms of use" in shown.stdout
    assert exchange(portal.recipient, "accept", grant, "--yes").exit_code == 5


def test_denied_taken_back_and_nothing_to_accept(exchange, portal):
    release = share(exchange, portal)
    nothing = exchange(portal.recipient, "accept", release, "--yes")
    assert (nothing.exit_code, "access is none" in nothing.stderr) == (5, True)
    asked = last_line(exchange(portal.recipient, "request", release, "--purpose", PURPOSE))
    assert last_line(exchange(portal.recipient, "cancel", asked)) == asked
    asked = last_line(exchange(portal.recipient, "request", release, "--purpose", PURPOSE))
    assert exchange(portal.recipient, "request", release, "--purpose", PURPOSE).exit_code == 5
    assert last_line(exchange(portal.steward, "deny", asked, "--reason", "Not for this.")) == asked
    assert "Not for this." in exchange(portal.recipient, "requests", "--sent").stdout
    assert "There are none." in exchange(portal.recipient, "requests", "--open").stdout


def test_terms_that_are_not_those_of_the_hash_are_not_accepted(exchange, portal, proxy):
    release = share(exchange, portal)
    grant = last_line(exchange(portal.steward, "grant", release, "--to", "Elsewhere"))

    def change_terms(proxy, handler, headers):
        reply = proxy.ask(handler, headers)
        content = reply.content.replace(b"# Terms of use", b"# Terms of sale")
        proxy.answer(200, content, Content_Type="application/json")(proxy, handler, headers)

    proxy.next(proxy.whole, change_terms)
    refused = exchange(portal.recipient, "accept", grant, "--yes", "--portal", proxy.url)
    assert refused.exit_code == 1
    assert "not those whose hash it names" in refused.stderr
    assert proxy.paths("POST") == []


def test_a_bundle_of_another_key_than_the_portal_names_is_told(exchange, portal, granted, proxy):
    def other_key(proxy, handler, headers):
        reply = proxy.ask(handler, headers)
        own = granted["key"]["public_key"].encode()
        other = b"ed25519:" + b"A" * 43
        proxy.answer(200, reply.content.replace(own, other))(proxy, handler, headers)

    proxy.next(other_key)
    refused = exchange(portal.recipient, "download", granted["id"], "--portal", proxy.url)
    assert refused.exit_code == 1
    assert "not signed with the key that the portal names" in refused.stderr


def test_a_release_signed_by_somebody_else_than_trusted_fails(exchange, portal, granted):
    [other] = portal.stranger.get("/organisations/mine/keys").json()["items"]
    refused = exchange(
        portal.recipient, "download", granted["id"], "--trusted-key", other["public_key"]
    )
    assert refused.exit_code == 1
    assert "not signed by the key that you trust" in refused.stderr
    unknown = exchange(portal.recipient, "download", granted["id"])
    assert unknown.exit_code == 0
    assert "Unknown signer" in unknown.stderr
    assert granted["key"]["public_key"] in unknown.stderr


def test_a_release_shows_what_a_recipient_measured(exchange, portal, granted):
    assert exchange(portal.recipient, "download", granted["id"]).exit_code == 0
    figure = {"mean": 0.7, "std": 0.02, "n": 5}
    names = ("balanced_accuracy", "accuracy", "macro_f1", "auroc")
    score = {
        "format": 1,
        "release": {"fingerprint": granted["bundle"]["fingerprint"], "images": 4},
        "classes": ["COVID", "Normal"],
        "left_out": [],
        "class_map": {"COVID": "COVID", "Normal": "Normal"},
        "test_images": {"COVID": 10, "Normal": 20},
        "figures": {**dict.fromkeys(names, figure), "per_class": {}},
        "recipe": {"optimizer": "SGD", "lr": 0.01},
        "network": {"name": "convnet", "depth": 5, "width": 16},
        "image_size": 112,
        "seed": 0,
        "versions": {"torch": "2.11"},
        "time": "2026-11-24T12:00:00Z",
    }
    sent = portal.recipient.post(f"/releases/{granted['id']}/scores", json={"score": score})
    assert sent.status_code == 201, sent.text
    shown = exchange(portal.steward, "show", granted["id"]).stdout
    assert "Elsewhere measured balanced accuracy 0.700 ± 0.020 on its own images" in shown
    assert granted["bundle"]["fingerprint"] in shown
    assert "Downloaded 1 times by others." in shown


def test_results_of_ones_own_are_downloaded_and_checked(exchange, portal):
    done = exchange(portal.steward, "download", ready_with_reports(portal), "--out", "results")
    assert done.exit_code == 0, done.output
    names = {path.name for path in Path("results").iterdir()}
    assert names == {"bundle.zip", "report.html", "report.pdf", "report.json"}
    assert set(map(Path, done.stdout.split())) == {Path("results") / name for name in names}
    assert "is intact" in done.stderr
    assert (Path("results") / "report.pdf").read_bytes() == PAGES["pdf"]
    damaged = portal.ready_distillation()
    portal.storage.put(f"distillations/{damaged}/bundle.zip", b"no bundle")
    broken = exchange(portal.steward, "download", damaged)
    assert broken.exit_code != 0
    assert "damaged" in broken.output
    key = ("--trusted-key", "ed25519:" + "A" * 43)
    assert exchange(portal.steward, "download", portal.ready_distillation(), *key).exit_code == 2


def test_results_that_are_older_than_printed_reports_are_downloaded_without(exchange, portal):
    distillation = ready_with_reports(portal)
    portal.advance(distillation, DistillationStatus.READY, report_pdf_key=None)
    done = exchange(portal.steward, "download", distillation, "--out", "results")
    assert done.exit_code == 0, done.output
    names = {path.name for path in Path("results").iterdir()}
    assert names == {"bundle.zip", "report.html", "report.json"}
    assert "report.pdf" not in done.stdout


def test_an_archive_goes_into_a_new_dataset_or_a_named_one(exchange, portal):
    Path("chest.zip").write_bytes(b"an archive")
    made = last_line(exchange(portal.steward, "upload", "chest.zip", "--no-wait"))
    assert portal.dataset_status(made) == DatasetStatus.CHECKING
    assert portal.steward.get(f"/datasets/{made}").json()["name"] == "chest"
    rejected = portal.rejected_dataset()
    again = exchange(portal.steward, "upload", "chest.zip", "--dataset", rejected, "--no-wait")
    assert last_line(again) == rejected
    assert portal.dataset_status(rejected) == DatasetStatus.CHECKING


def test_an_upload_that_cannot_be_says_why(exchange, portal):
    missing = exchange(portal.steward, "upload", "nothing.zip")
    assert (missing.exit_code, "not a file" in missing.stderr) == (1, True)
    assert portal.steward.get("/datasets").json()["items"] == []
    Path("chest.zip").write_bytes(b"an archive")
    ready = portal.ready_dataset()
    refused = exchange(portal.steward, "upload", "chest.zip", "--dataset", ready)
    assert refused.exit_code == 5
    assert "does not accept an archive now" in refused.stderr


def test_a_distillation_is_followed_to_its_end(exchange, portal, wait_until, proxy):
    """Also over a portal that does not answer for a while."""
    dataset_id = portal.ready_dataset()
    results = []
    command = ("distill", dataset_id, "--preset", "cpu_demo", "--images-per-class", "3")
    proxy.next(proxy.whole, proxy.whole, *[proxy.answer(503)] * 5)
    follower = threading.Thread(
        target=lambda: results.append(exchange(portal.steward, *command, "--portal", proxy.url))
    )
    follower.start()
    wait_until(lambda: len(proxy.requests) > 9, "it asks again")
    [row] = portal.steward.get("/distillations").json()["items"]
    assert row["images_per_class"] == 3
    portal.advance(row["id"], DistillationStatus.READY, verdict="not_refuted")
    follower.join(timeout=20)
    [done] = results
    assert last_line(done) == row["id"]
    assert "Privacy verdict: not refuted" in done.stdout
    assert "does not answer; trying again" in done.stderr


def test_a_portal_that_stays_silent_ends_the_waiting(exchange, portal, proxy, monkeypatch):
    monkeypatch.setattr(jobs, "PATIENCE_SECONDS", 0.0)
    distillation = portal.distillation()
    proxy.next(proxy.whole, *[proxy.answer(502)] * 50)
    silent = exchange(portal.steward, "status", distillation, "--follow", "--portal", proxy.url)
    assert silent.exit_code == 6


def test_a_distillation_that_does_not_succeed_says_why(exchange, portal):
    refused = exchange(portal.steward, "distill", portal.ready_dataset(), "--preset", "cpu_huge")
    assert refused.exit_code == 2
    assert "cpu_demo" in refused.stderr
    distillation = portal.distillation()
    stopped = exchange(portal.steward, "cancel", distillation)
    assert last_line(stopped) == distillation
    followed = exchange(portal.steward, "status", distillation, "--follow")
    assert (followed.exit_code, "cancelled" in followed.stdout) == (1, True)
    again = exchange(portal.steward, "retry", distillation, "--no-wait")
    assert last_line(again) == distillation
    assert exchange(portal.steward, "retry", distillation).exit_code == 5
    portal.advance(
        distillation,
        DistillationStatus.FAILED,
        problem={"title": "Out of memory", "detail": "Ask for fewer images."},
    )
    failed = exchange(portal.steward, "status", distillation)
    assert failed.exit_code == 0
    assert "Out of memory. Ask for fewer images." in failed.stdout


def test_an_overview_shows_what_runs_and_what_waits(exchange, portal):
    release = share(exchange, portal)
    running = portal.distillation()
    portal.advance(
        running,
        DistillationStatus.TEACHING,
        phases={"teaching": {"done": 1, "total": 3, "unit": "teachers"}},
        eta_seconds=200,
    )
    asked = last_line(exchange(portal.recipient, "request", release, "--purpose", PURPOSE))

    mine = exchange(portal.steward, "status").stdout
    assert "St. Anna (steward)" in mine
    assert f"{running}  cpu_demo: teaching, 1 of 3 teachers, about 3 min left in all" in mine
    assert "Waits for your decision" in mine
    assert f"exchange grant, return or deny {asked}" in mine
    theirs = json.loads(exchange(portal.recipient, "status", "--json").stdout)
    assert [row["id"] for row in theirs["asked"]] == [asked]
    assert theirs["running"] == theirs["to_decide"] == theirs["datasets"] == []
    assert theirs["me"]["name"] == "Dr. Elsewhere"

    grant = last_line(exchange(portal.steward, "grant", asked))
    theirs = exchange(portal.recipient, "status").stdout
    assert f"exchange accept {grant}" in theirs
    assert "Unread notices (1; exchange notices)" in theirs
    auditor = portal.member(portal.organisation_id, Role.AUDITOR)
    assert "(auditor)" in exchange(auditor, "status").stdout


def test_one_thing_is_shown_by_its_id(exchange, portal):
    release = share(exchange, portal)
    request = last_line(exchange(portal.recipient, "request", release, "--purpose", PURPOSE))
    grant = last_line(exchange(portal.steward, "grant", request))
    dataset = portal.rejected_dataset()
    for identifier in (release, request, grant, dataset, portal.distillation(dataset_id=None)):
        shown = exchange(portal.steward, "status", identifier)
        assert shown.exit_code == 0, shown.output
        assert shown.stdout.startswith(f"{identifier}  ")
        as_json = exchange(portal.steward, "status", identifier, "--json").stdout
        assert json.loads(as_json)["id"] == identifier
    assert "No images" in exchange(portal.steward, "status", dataset).stdout
    assert exchange(portal.steward, "status", dataset, "--follow").exit_code == 1
    assert exchange(portal.steward, "status", request, "--follow").exit_code == 0
    assert exchange(portal.steward, "status", "xx_1").exit_code == 2
    assert exchange(portal.steward, "status", "rel").exit_code == 2
    assert exchange(portal.steward, "status", "rel_nothing").exit_code == 4
    assert exchange(portal.steward, "status", "--follow").exit_code == 2


def test_a_decision_is_waited_for(exchange, portal, proxy, wait_until):
    release = share(exchange, portal)
    request = last_line(exchange(portal.recipient, "request", release, "--purpose", PURPOSE))
    results = []
    command = ("status", request, "--follow", "--portal", proxy.url)
    follower = threading.Thread(target=lambda: results.append(exchange(portal.recipient, *command)))
    follower.start()
    wait_until(lambda: len(proxy.requests) > 2, "it looks again")
    portal.steward.post(f"/access-requests/{request}/deny", json={"reason": "Not for this."})
    follower.join(timeout=20)
    [done] = results
    assert done.exit_code == 1
    assert "denied" in done.stdout
    assert "Not for this." in done.stdout


def test_notices_count_as_read_once_they_were_shown(exchange, portal):
    owner = portal.person(portal.organisation_id, Role.STEWARD, "Dr. Owner")
    release = share(exchange, portal)
    exchange(portal.recipient, "request", release, "--purpose", PURPOSE)
    for _ in range(2):
        assert "asks for Chest X-rays" in exchange(owner, "notices", "--keep").stdout
    [notice] = json.loads(exchange(owner, "notices", "--json").stdout)
    assert notice["kind"] == "access.requested"
    assert "Nothing new." in exchange(owner, "notices").stdout
    assert "asks for Chest X-rays" in exchange(owner, "notices", "--all").stdout


def test_keys_are_shown_with_their_state(exchange, portal):
    portal.admin.post("/organisations/mine/keys", json={"compromised": True})
    shown = exchange(portal.recipient, "keys", "St. Anna")
    present, _, old, state = shown.stdout.splitlines()
    assert present.startswith("ed25519:")
    assert present != old
    assert "do not trust it" in state
    assert exchange(portal.recipient, "keys", "Nowhere").exit_code == 4


def test_text_is_given_once_and_is_text(exchange, portal):
    release = share(exchange, portal)
    Path("no-text.txt").write_bytes(b"\xff\xfe\x00")
    for wrong in (
        (),
        ("--purpose", PURPOSE, "--purpose-file", "no-text.txt"),
        ("--purpose-file", "no-text.txt"),
        ("--purpose-file", "missing.txt"),
        ("--purpose-file", "."),
    ):
        refused = exchange(portal.recipient, "request", release, *wrong)
        assert refused.exit_code == 2, wrong
        assert "Traceback" not in refused.output
    short = exchange(portal.recipient, "request", release, "--purpose", "because")
    assert (short.exit_code, "purpose" in short.stderr) == (2, True)
    day = exchange(portal.steward, "grant", "req_1", "--expires", "tomorrow")
    assert (day.exit_code, "neither a day like" in day.stderr) == (2, True)


def test_without_a_token_nothing_is_sent(exchange, portal, proxy):
    Path("chest.zip").write_bytes(b"an archive")
    refused = exchange(None, "upload", "chest.zip", "--portal", proxy.url)
    assert refused.exit_code == 3
    assert "exchange login --portal" in refused.stderr
    assert proxy.requests == []


def test_a_portal_that_is_not_there_is_another_code_than_a_refusal(exchange, portal, proxy):
    proxy.next(*[proxy.answer(503, Retry_After="60")] * 2)
    assert exchange(portal.steward, "status", "--portal", proxy.url).exit_code == Exit.LATER
    assert exchange(portal.steward, "status", "--portal", "nonsense").exit_code == 2


def test_what_others_wrote_cannot_move_the_cursor():
    assert clean("a\x1b[2Jb\r\u202ec\n\td") == "a�[2Jb��c\n\td"


def test_exit_codes_are_explained_in_one_place():
    assert set(MEANINGS) == set(Exit)
    assert all(f"{code.value} {meaning}" in HELP for code, meaning in MEANINGS.items())
    documented = (ROOT / "docs" / "client.md").read_text()
    assert all(f"| {code.value} | {meaning} |" in documented for code, meaning in MEANINGS.items())


def test_every_command_has_an_example_that_it_understands():
    root = typer.main.get_command(app)
    service = {"up", "demo", "portal", "worker", "migrate", "admin"}
    commands = {name: command for name, command in root.commands.items() if name not in service}
    groups = {name: commands.pop(name) for name in ("audit", "hub")}
    everyone = [
        *commands.items(),
        *((f"{group} {n}", c) for group, of in groups.items() for n, c in of.commands.items()),
    ]
    assert len(everyone) > 20
    for name, command in everyone:
        example = shlex.split(command.epilog.removeprefix("Example: exchange "))
        assert example[: len(name.split())] == name.split()
        command.make_context(name, example[len(name.split()) :])
        assert command.help.strip().endswith((".", ")")), name


@pytest.mark.parametrize(
    ("page", "fewest"),
    [("docs/client.md", 6), ("docs/intake.md", 6), ("docs/service.md", 6), ("README.md", 1)],
)
def test_every_command_of_a_page_is_one(page, fewest):
    root = typer.main.get_command(app)
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    found = [
        shlex.split(re.split(r"\bexchange ", line, maxsplit=1)[1], comments=True)
        for line in lines
        if re.search(r"(^|/|\| )exchange ", line)
    ]
    assert len(found) >= fewest
    for name, *arguments in found:
        command, context = root.commands[name], typer.Context(root)
        if name in ("audit", "admin"):
            command, arguments = command.commands[arguments[0]], arguments[1:]
        command.make_context(name, arguments, parent=context)


def programs_of_the_page():
    page = (ROOT / "docs" / "client.md").read_text()
    return re.findall(r"```python\n(.*?)```", page, re.DOTALL)


def test_the_python_of_the_page_decides_about_a_dataset(portal, live_url):
    dataset_id = portal.ready_dataset()
    code = "near_duplicate_across_splits"
    finding = {"code": code, "severity": "warn", "count": 1, "action": "leave_out"}
    report = {"refused": [], "findings": [finding]}
    portal.storage.put(f"datasets/{dataset_id}/quality.json", json.dumps(report).encode())
    _, program = programs_of_the_page()
    with (
        PortalClient(live_url, portal.steward.token) as client,
        pytest.raises(PortalError, match="older version"),
    ):
        exec(program.replace("ds_…", dataset_id), {"portal": client})


def test_the_python_of_the_page_finds_asks_and_downloads(portal, live_url, monkeypatch, tmp_path):
    monkeypatch.setenv("EXCHANGE_PORTAL_URL", live_url)
    monkeypatch.setenv("EXCHANGE_TOKEN", portal.recipient.token)
    monkeypatch.chdir(tmp_path)
    release = portal.release()
    program, _ = programs_of_the_page()
    exec(program, {})
    [asked] = portal.recipient.get("/access-requests").json()["items"]
    grant = portal.steward.post(f"/access-requests/{asked['id']}/grant", json={}).json()["grant_id"]
    portal.recipient.post(
        f"/grants/{grant}/acceptance", json={"terms_sha256": release["terms"]["sha256"]}
    )
    exec(program, {})
    assert (tmp_path / f"{release['id']}.zip").stat().st_size == release["bundle"]["size"]


def test_terms_are_those_that_a_portal_knows():
    assert [template.value for template in TermsTemplate] == [
        "research_only",
        "non_commercial",
        "custom",
    ]


def test_the_base_install_is_enough(portal, live_url, tmp_path):
    """A fresh interpreter without the portal's packages runs every command."""
    program = (
        "import sys\n"
        "for name in ('sqlalchemy', 'fastapi', 'uvicorn', 'celery', 'torch', 'obstore', 'limits',\n"
        "             'pwdlib', 'starlette', 'sse_starlette', 'alembic', 'psycopg', 'numpy'):\n"
        "    sys.modules[name] = None\n"
        "from typer.testing import CliRunner\n"
        "from app.cli import app\n"
        "run = lambda *a: CliRunner().invoke(app, a)\n"
        "print(run('status').exit_code, run('catalogue').exit_code, run('requests').exit_code,\n"
        "      run('audit', 'export', 'log.jsonl').exit_code,\n"
        "      run('audit', 'verify', 'log.jsonl').exit_code,\n"
        "      run('verify', 'log.jsonl').exit_code, run('keys').exit_code,\n"
        "      run('upload', 'log.jsonl', '--no-wait').exit_code,\n"
        "      run('download', 'rel_1').exit_code, run('share', 'dl_1', '--title', 'x',\n"
        "      '--summary', 'y').exit_code, run('login', '--token-stdin').exit_code)\n"
    )
    environment = {
        **os.environ,
        "EXCHANGE_PORTAL_URL": live_url,
        "EXCHANGE_TOKEN": portal.admin.token,
        "XDG_CONFIG_HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.stdout.split() == list("00000200442"), done.stderr


def test_the_ledger_says_what_was_spent_and_what_no_epsilon_covers(exchange, portal):
    dataset_id = portal.ready_dataset()
    empty = exchange(portal.researcher, "ledger", dataset_id)
    assert "No distillation under differential privacy" in empty.stdout
    book_run(portal, dataset_id, "one")
    book_exact_reads(portal.database, dataset_id, run="dl_x", purpose="audited distillation")

    shown = exchange(portal.researcher, "ledger", dataset_id).stdout

    assert "Spent by all runs together: ε = 3 at δ = 1e-05." in shown
    assert "Distillations and trainings that read exactly, without ε: 1." in shown
    assert f"{STEPS}" in shown
    document = json.loads(exchange(portal.researcher, "ledger", dataset_id, "--json").stdout)
    assert document["not_covered"] == 1
    assert [read["kind"] for read in document["reads"]] == ["budgeted", "fatal"]
