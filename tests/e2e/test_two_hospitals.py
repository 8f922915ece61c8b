"""The story that the portal is for: two hospitals, one release, from upload to revocation."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from tests.fixtures.reports import clear

if TYPE_CHECKING:
    from tests.fixtures.service import Service

PASSWORD = "correct horse battery staple"


@dataclass
class Person:
    """Somebody who has signed in with a browser's session."""

    client: httpx.Client
    name: str

    def ask(self, method: str, path: str, expect: int, **arguments: Any) -> Any:
        reply = self.client.request(method, path, **arguments)
        assert reply.status_code == expect, f"{method} {path}: {reply.status_code} {reply.text}"
        is_json = reply.headers.get("content-type", "").endswith(("/json", "+json"))
        return reply.json() if is_json else reply.content

    def post(self, path: str, expect: int = 201, **body: Any) -> Any:
        return self.ask("POST", path, expect, json=body)

    def get(self, path: str, expect: int = 200) -> Any:
        return self.ask("GET", path, expect)


def command(*arguments: str, data_dir: Path, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "app.cli", *arguments, "--data-dir", str(data_dir)],
        input=typed,
        capture_output=True,
        text=True,
        check=True,
    )


def hire(service: "Service", organisation: str, name: str, role: str) -> Person:
    email = f"{name.split()[-1].lower()}@{organisation.lower()}.example"
    command(
        *("admin", "create-user", "--organisation", organisation),
        *("--email", email, "--name", name, "--role", role),
        data_dir=service.data_dir,
        typed=f"{PASSWORD}\n{PASSWORD}\n",
    )
    client = httpx.Client(base_url=f"{service.url}/api/v1", timeout=30)
    session = client.post("/session", json={"email": email, "password": PASSWORD})
    assert session.status_code == 201, session.text
    client.headers["X-CSRF-Token"] = session.json()["csrf_token"]
    return Person(client, name)


def upload(person: Person, archive: bytes, wait_until: Callable[..., Any]) -> str:
    dataset_id: str = person.post("/datasets", name="ward")["id"]
    person.ask("PUT", f"/datasets/{dataset_id}/archive", 202, content=archive)

    def checked() -> bool:
        status = person.get(f"/datasets/{dataset_id}")["status"]
        assert status != "rejected"
        return bool(status == "ready")

    wait_until(checked, "the archive is checked")
    return dataset_id


def code(problem: Any) -> str:
    return str(problem["type"].rpartition(":")[2])


@pytest.mark.slow
def test_two_hospitals_share_what_one_has_learnt(
    make_service: Callable[..., "Service"],
    archive: bytes,
    other_archive: bytes,
    tiny: dict[str, Any],
    wait_until: Callable[..., Any],
    tmp_path: Path,
) -> None:
    service = make_service()
    for organisation in ("Anna", "Bernd"):
        command("admin", "create-organisation", organisation, data_dir=service.data_dir)
    anna = hire(service, "Anna", "Prof. Owner", "steward")
    anna_admin = hire(service, "Anna", "Dr. Chief", "admin")
    bernd = hire(service, "Bernd", "Dr. Asking", "steward")
    bernd_admin = hire(service, "Bernd", "Dr. Head", "admin")

    # A uploads, distills, releases.
    dataset_id = upload(anna, archive, wait_until)
    body = {"preset": "cpu_demo", "images_per_class": 2, "seed": 3, "overrides": tiny}
    row = anna.ask("POST", f"/datasets/{dataset_id}/distillations", 202, json=body)

    def finished() -> bool:
        now = anna.get(f"/distillations/{row['id']}")
        assert now["status"] != "failed", now["problem"]
        return bool(now["status"] == "ready")

    wait_until(finished, "it is distilled", 300)
    said = {
        "title": "Two kinds of squares",
        "summary": "Distilled from the ward's images.",
        "contact": "data@anna.example",
    }
    # Nothing leaves on distances alone; attacks that find small leaks take hours.
    assert code(anna.post(f"/distillations/{row['id']}/releases", 409, **said)) == "not-cleared"
    clear(service.data_dir, row["id"])
    release = anna.post(f"/distillations/{row['id']}/releases", **said)

    # B finds, asks, is returned once, granted, accepts.
    [found] = bernd.get("/catalogue?q=squares&class=covid")["items"]
    assert found["id"] == release["id"]
    assert code(bernd.get(f"/releases/{release['id']}/bundle", 403)) == "no-access"
    request = bernd.post(
        f"/releases/{release['id']}/access-requests",
        purpose="We want to learn something from it.",
    )
    anna.post(f"/access-requests/{request['id']}/return", 200, reason="Say what you want to learn.")
    [notice, *_] = bernd.get("/notifications")["items"]
    assert notice["kind"] == "access.returned"
    bernd.ask(
        "PATCH",
        f"/access-requests/{request['id']}",
        200,
        json={"purpose": "A network that tells the two kinds apart, for teaching alone."},
    )
    grant_id = anna.post(f"/access-requests/{request['id']}/grant", 200)["grant_id"]
    terms = bernd.get(f"/releases/{release['id']}")["terms"]
    bernd.post(f"/grants/{grant_id}/acceptance", terms_sha256=terms["sha256"])

    # B downloads and verifies, against the key that it got from A by another way.
    bundle = tmp_path / "release.zip"
    bundle.write_bytes(bernd.get(f"/releases/{release['id']}/bundle"))
    [key] = anna.get("/organisations/mine/keys")["items"]
    verify = [sys.executable, "-P", "-m", "app.cli", "verify", str(bundle)]
    done = subprocess.run([*verify, "--trusted-key", key["public_key"]], check=False)
    assert done.returncode == 0

    # B trains, with and without its own images, and sends its score.
    theirs = upload(bernd, other_archive, wait_until)
    training = bernd.ask(
        "POST",
        "/trainings",
        202,
        json={"dataset_id": theirs, "release_ids": [release["id"]], "networks": 2},
    )

    def reached(status: str) -> Callable[[], bool]:
        def look() -> bool:
            now = bernd.get(f"/trainings/{training['id']}")
            assert now["status"] != "failed", now["problem"]
            return bool(now["status"] == status)

        return look

    wait_until(reached("proposed"), "which class is which is proposed")
    proposal = bernd.get(f"/trainings/{training['id']}")["class_maps"]
    assert proposal == {release["id"]: {"COVID": "COVID", "Normal": "Normal"}}
    bernd.post(f"/trainings/{training['id']}/confirm", 202, class_maps=proposal)
    wait_until(reached("ready"), "it is trained", 180)
    table = bernd.get(f"/trainings/{training['id']}")["result"]["table"]["rows"]
    assert list(table) == ["own", "received", "both"]
    bernd.post(f"/releases/{release['id']}/scores", training_id=training["id"])
    [score] = anna.get(f"/releases/{release['id']}")["scores"]
    assert score["organisation"]["name"] == "Bernd"

    # A revokes, and B's download fails.
    who = [entry["name"] for entry in anna.get(f"/releases/{release['id']}/downloads")["items"]]
    assert who == ["Dr. Asking", "Dr. Asking"]
    anna.post(f"/grants/{grant_id}/revoke", 200, reason="The project has ended.")
    assert code(bernd.get(f"/releases/{release['id']}/bundle", 403)) == "no-access"

    # The log of both verifies, and tells the story.
    for admin, story in (
        (anna_admin, {"release.published", "access.granted", "access.revoked"}),
        (bernd_admin, {"access.requested", "access.terms_accepted", "release.score_sent"}),
    ):
        path = tmp_path / f"{admin.name}.jsonl"
        path.write_bytes(admin.get("/audit/export"))
        told = {json.loads(line).get("action") for line in path.read_text().splitlines()}
        assert story <= told
        checked = subprocess.run(
            [sys.executable, "-P", "-m", "app.cli", "audit", "verify", str(path)], check=False
        )
        assert checked.returncode == 0
    command("admin", "verify-audit", data_dir=service.data_dir)
