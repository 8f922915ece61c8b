"""The commands of the documentation, run as they are printed against a service that runs.

What a reader fills in is filled in (an id, a folder, the portal's address), and what would take
hours is made small; each such change is written out where the block is run.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.docs.blocks import RUN
from tests.e2e.conftest import zipped
from tests.fixtures.documentation import ROOT, blocks, lines
from tests.fixtures.reports import clear
from tests.fixtures.service import Service, exchange

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("curl") is None, reason="the documentation uses curl"),
]
PASSWORD = "correct horse battery staple\n"


class Page:
    """One page, and a shell in which its blocks are run in one folder after another.

    Args:
        name: Of the page.
        folder: Where the shell stands.
        environment: Variables that the reader would have set.
    """

    def __init__(self, name: str, folder: Path, **environment: str) -> None:
        self._blocks = {block.name: block.text for block in blocks(ROOT / name, "sh")}
        self._name, self.folder = name, folder
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "XDG_STATE_HOME": str(folder / "state"),
            **environment,
        }
        folder.mkdir(exist_ok=True)
        if not (folder / ".venv").exists():
            (folder / ".venv").symlink_to(Path(sys.executable).parents[1])

    def commands(self, begins: str, **changes: str) -> list[str]:
        """The commands of the block whose first one begins so, with the reader's values."""
        (name,) = [name for name in self._blocks if name[1].startswith(begins)]
        assert name in RUN
        return lines(filled_in(self._blocks[name], changes))

    def run(self, begins: str, changes: dict[str, str] | None = None, *, typed: str = "") -> str:
        """Run a block as it stands but for `changes`, and give what it prints."""
        return self.shell("\n".join(self.commands(begins, **(changes or {}))), typed=typed)

    def shell(self, text: str, *, typed: str = "", expect: int = 0) -> str:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.environment,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == expect, f"{self._name}: {text}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def filled_in(text: str, changes: dict[str, str]) -> str:
    for printed, meant in changes.items():
        assert printed in text, printed
        text = text.replace(printed, meant)
    return text


def last(output: str) -> str:
    """A command that creates something prints its id as the last line."""
    return output.splitlines()[-1].strip()


@pytest.fixture
def service(make_service: Callable[..., Service]) -> Service:
    return make_service()


def test_the_pages_of_one_machine(service: Service, tmp_path: Path, tiny: dict[str, Any]) -> None:
    page = Page(
        "docs/service.md",
        tmp_path / "here",
        EXCHANGE_DATA_DIR=str(service.data_dir),
        EXCHANGE_PORTAL_URL=service.url,
    )
    token = last(page.run(".venv/bin/exchange admin create-organisation", typed=PASSWORD))
    page.environment["TOKEN"] = token
    (tmp_path / "here" / "xrays.zip").write_bytes(zipped(0))

    # Over REST, line by line: each needs the id that the one before has printed.
    overrides = json.dumps({"preset": "cpu_demo", "images_per_class": 2, "overrides": tiny})
    api, create, send, quality, distill, events, bundle = page.commands(
        "API=http://127.0.0.1:8000",
        **{"http://127.0.0.1:8000": service.url, '{"preset": "cpu_small"}': overrides},
    )

    def ask(line: str) -> str:
        return page.shell(f"{api}\n{line.replace('curl ', 'curl --fail-with-body -sS ', 1)}")

    dataset = page.environment["DATASET"] = json.loads(ask(create))["id"]
    assert json.loads(ask(send))["status"] == "checking"
    page.shell(f"EXCHANGE_TOKEN=$TOKEN exchange status {dataset} --follow")
    assert "COVID" in ask(quality)
    distillation = page.environment["DISTILLATION"] = json.loads(ask(distill))["id"]
    assert "event: status" in ask(events)
    ask(bundle)
    assert zipfile.is_zipfile(tmp_path / "here" / "bundle")

    # From a terminal. A distillation with an audit takes hours: it is begun, and cancelled.
    login, upload, begin, download, share, train = page.commands(
        "echo $TOKEN | .venv/bin/exchange login",
        **{"--audit audit_standard": "--audit audit_standard --no-wait"},
    )
    page.shell(login)
    assert last(page.shell(upload)).startswith("ds_")
    begun = last(page.shell(begin))
    page.shell(f"exchange cancel {begun}")
    page.shell(download)
    clear(service.data_dir, distillation)
    page.environment["RELEASE"] = last(page.shell(share))
    page.shell(f"{train.partition('#')[0]} --yes --networks 2")

    shutil.move(tmp_path / "here" / "bundle", tmp_path / "here" / "bundle.zip")
    page.run(".venv/bin/exchange verify bundle.zip")
    (code,) = blocks(ROOT / "docs/service.md", "python")
    page.shell(f"python - <<'EOF'\n{code.text}\nEOF")

    # An address that webhooks may go to is what the reader fills in.
    webhooks = Page("docs/webhooks.md", tmp_path / "here", **page.environment)
    webhooks.environment |= {
        "API": f"{service.url}/api/v1",
        "AUTH": f"Authorization: Bearer {token}",
    }
    hook = webhooks.run(
        "curl -X POST $API/webhooks", {"https://receiver.hospital.example": "http://127.0.0.1:9"}
    )
    assert json.loads(hook)["secret"].startswith("whsec_")

    cluster = Page("docs/cluster.md", tmp_path / "here", **page.environment)
    workers, jobs, doctor = cluster.commands("exchange admin workers")
    assert "works on" in cluster.shell(workers)
    cluster.shell(jobs)
    # What it finds on this machine's disc is no matter of the test; that it looks, is.
    assert re.search(
        r"Nothing is left|Findings left", cluster.shell(f"{doctor.split('#')[0]} || true")
    )

    folders = {"/mnt/backup": str(tmp_path / "backup"), "/srv/exchange": str(service.data_dir)}
    page.run(
        ".venv/bin/exchange backup /mnt/backup/exchange",
        {**folders, "/srv/restored": str(tmp_path / "restored")},
    )
    service.stop()
    security = Page("docs/security.md", tmp_path / "here", **page.environment)
    rotated = security.run(
        "exchange rotate-secret --data-dir /srv/exchange",
        {"/srv/exchange": str(tmp_path / "restored")},
    )
    assert "encrypted with the new key" in rotated


@pytest.mark.parametrize(("name", "first"), [("docs/intake.md", 300), ("docs/client.md", 900)])
def test_images_are_prepared_and_uploaded(
    service: Service, tmp_path: Path, name: str, first: int
) -> None:
    """What a hospital has: a folder for each class; then, of two hospitals, folders in folders."""
    token = service.client.headers["Authorization"].split()[1]
    here = tmp_path / "here"
    page = Page(name, here, EXCHANGE_PORTAL_URL=service.url, EXCHANGE_TOKEN=token)
    (here / "xrays.zip").write_bytes(zipped(first))
    _unpack(zipped(first + 100), here / "export")
    page.run("exchange layout export/")
    assert (here / "prepared" / "manifest.csv").exists()

    (here / "unclear.zip").write_bytes(_of_two_hospitals(first + 200))
    asked = page.shell("exchange upload unclear.zip", expect=5)
    dataset = re.search(r"ds_\w+", asked)
    assert dataset is not None, asked
    (here / "xrays.zip").write_bytes(_of_two_hospitals(first + 300))
    shutil.rmtree(here / "prepared")
    shutil.rmtree(here / "export")
    _unpack(_of_two_hospitals(first + 400), here / "export")
    page.run("exchange layout ds_…", {"ds_…": dataset[0]})
    page.shell(f"exchange status {dataset[0]} --follow")


def _unpack(archive: bytes, folder: Path) -> None:
    with zipfile.ZipFile(io.BytesIO(archive)) as read:
        read.extractall(folder)


def _of_two_hospitals(first: int) -> bytes:
    """Folders in folders: which ones are the classes, only a person knows."""
    file = io.BytesIO()
    read = zipfile.ZipFile(io.BytesIO(zipped(first)))
    with read, zipfile.ZipFile(file, "w") as written:
        for number, name in enumerate(read.namelist()):
            place, image = Path(name).parts[-2:]
            hospital = ("East", "West")[number % 2]
            written.writestr(f"Hospital {hospital}/{place}/{image}", read.read(name))
    return file.getvalue()


def test_two_hospitals_in_a_terminal(
    service: Service, tmp_path: Path, tiny: dict[str, Any]
) -> None:
    portal = {"https://exchange.example": f"{service.url} --plain-http"}
    for organisation in ("St. Anna", "Elsewhere"):
        exchange("admin", "create-organisation", organisation, data_dir=service.data_dir)
    _hire(service, "St. Anna", "grey@st-anna.example", "steward", "auditor")
    _hire(service, "Elsewhere", "meyer@elsewhere.example", "researcher", "steward")
    anna = Page("docs/client.md", tmp_path / "anna", EXCHANGE_PORTAL_URL="")
    meyer = Page("docs/client.md", tmp_path / "meyer", EXCHANGE_PORTAL_URL="")
    del anna.environment["EXCHANGE_PORTAL_URL"], meyer.environment["EXCHANGE_PORTAL_URL"]

    # St. Anna. The documented distillation takes hours: it is begun, and a small one comes after.
    _unpack(zipped(0), tmp_path / "anna" / "xrays")
    (tmp_path / "anna" / "card.md").write_text("Squares, for a test.")
    login, upload, begin, download, share = anna.commands(
        "exchange login --portal https://exchange.example --email grey", **portal
    )
    anna.shell(login, typed=PASSWORD)
    dataset = last(anna.shell(upload))
    begun = last(anna.shell(filled_in(begin, {"ds_…": f"{dataset} --no-wait"})))
    anna.shell(f"exchange cancel {begun}")
    distillation = _distill(service, anna, dataset, tiny)
    anna.shell(filled_in(download, {"dl_…": distillation}))
    clear(service.data_dir, distillation)
    release = last(anna.shell(filled_in(share, {"dl_…": distillation})))

    # Elsewhere asks; St. Anna returns the request, and grants it when it has come again.
    asked = meyer.run(
        "exchange login --portal https://exchange.example --email meyer",
        {**portal, "rel_…": release, "--min-accuracy 0.7": "--min-accuracy 0"},
        typed=PASSWORD,
    )
    request = re.findall(r"(?:ar|req)_\w+", asked)[-1]
    received, send_back, grant = anna.commands(
        "exchange requests --received --open", **{"req_…": request}
    )
    assert request in anna.shell(received)
    anna.shell(send_back)
    meyer.shell(f"exchange request {release} --purpose 'A network for triage, for research alone.'")
    anna.shell(grant)

    # Elsewhere accepts, downloads, and trains: here, and on the portal.
    own = tmp_path / "meyer" / "own"
    _unpack(zipped(300), own)
    accept, keys, take, train = meyer.commands("exchange accept rel_…", **{"rel_…": release})
    meyer.shell(filled_in(accept, {release: f"{release} --yes"}))
    key = re.search(r"ed25519:\S+", meyer.shell(keys))
    assert key is not None
    (tmp_path / "meyer" / "st-anna.key").write_text(key[0])
    meyer.shell(take)
    meyer.shell(f"{train} --yes --set evaluation_networks=2")
    theirs = last(meyer.shell("exchange upload own/"))
    here, score = meyer.commands(
        "exchange train ds_… rel_…", **{"ds_…": f"{theirs} --yes --networks 2", "rel_…": release}
    )
    training = re.findall(r"tr_\w+", meyer.shell(here))[-1]
    meyer.shell(filled_in(score, {"tr_…": training}))

    # An auditor keeps exports; the next one is compared with the one before.
    (tmp_path / "anna" / "st-anna.key").write_text(key[0])
    anna.shell("exchange audit export 2026-11.jsonl")
    anna.run("exchange audit export 2026-12.jsonl")

    # The library's guide, with the release that was received.
    guide = Page("docs/guide.md", tmp_path / "guide")
    for name in ("theirs.zip", "others.zip"):
        shutil.copy(tmp_path / "meyer" / f"{release}.zip", tmp_path / "guide" / name)
    _unpack(zipped(600), tmp_path / "guide" / "xrays")
    guide.run(
        "iadd train --bundle theirs.zip",
        {
            "--out table.json": "--out table.json --yes --set evaluation_networks=2",
            "--out score.json": "--out score.json --yes",
        },
    )
    assert (tmp_path / "guide" / "table.json").exists()
    assert (tmp_path / "guide" / "score.json").exists()


def _hire(service: Service, organisation: str, email: str, *roles: str) -> None:
    subprocess.run(
        [
            *(sys.executable, "-P", "-m", "app.cli", "admin", "create-user"),
            *("--organisation", organisation, "--email", email, "--name", "Dr. Grey"),
            *(part for role in roles for part in ("--role", role)),
            *("--data-dir", str(service.data_dir)),
        ],
        input=PASSWORD,
        text=True,
        check=True,
    )


def _distill(service: Service, page: Page, dataset: str, tiny: dict[str, Any]) -> str:
    """A distillation of seconds, which the command cannot ask for."""
    whose = ("--organisation", "St. Anna", "--role", "steward")
    token = exchange("admin", "create-token", *whose, data_dir=service.data_dir)
    reply = httpx.post(
        f"{service.url}/api/v1/datasets/{dataset}/distillations",
        headers={"Authorization": f"Bearer {token}"},
        json={"preset": "cpu_demo", "images_per_class": 2, "seed": 3, "overrides": tiny},
    )
    assert reply.status_code == 202, reply.text
    distillation: str = reply.json()["id"]
    page.shell(f"exchange status {distillation} --follow")
    return distillation
