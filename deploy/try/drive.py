"""The main job through a composition that runs, with kills.

Joins by the first link, distills the sample cohort, kills containers, downloads the bundle.

    python deploy/try/drive.py https://localhost:8443 ROOT.CRT LINK BUNDLE -- docker compose …

Talks as a browser does: one address, TLS checked, a cookie, a CSRF token. The words after `--` are
the command that manages the composition. Prints what happened and when.
"""

import os
import re
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

EMAIL, PASSWORD = "chief@hospital.example", "a sentence that only we would say"
MINUTES = 20
TINY: dict[str, Any] = {
    "width": 8,
    "teachers": 2,
    "teacher_epochs": 4,
    "iterations": 40,
    "syn_steps": 4,
    "expert_epochs": 1,
    "max_start_epoch": 2,
    "validate_every": 0,
    "evaluation_networks": 2,
    "evaluation_epochs": 20,
    "baseline_lrs": [0.01],
    "full_epochs": 1,
}
"""A run of minutes on two cores. What it is worth is not tried here."""
KILLS = (
    ("teaching", ("worker-without-gpu",)),
    ("distilling", ("worker-without-gpu", "worker-cpu", "valkey")),
    ("evaluating", ("portal", "proxy")),
)
"""Whom to kill once the distillation has reached a phase."""

began = time.monotonic()


def say(text: str) -> None:
    sys.stdout.write(f"{time.monotonic() - began:6.1f} s  {text}\n")
    sys.stdout.flush()


def main(url: str, root: str, link: str, bundle: str, compose: Sequence[str]) -> None:
    browser = httpx.Client(base_url=url, verify=ssl.create_default_context(cafile=root), timeout=30)
    join(browser, link)
    api = Api(browser)
    dataset = api.post("/datasets/sample")
    say(f"the sample cohort is asked for: {dataset['id']}")
    dataset = api.wait(f"/datasets/{dataset['id']}", "ready", never="rejected")
    say("the sample cohort is checked: ready")
    body = {"preset": "cpu_demo", "images_per_class": 2, "seed": 3, "overrides": TINY}
    job = "/distillations/" + api.post(f"/datasets/{dataset['id']}/distillations", body)["id"]
    for phase, services in KILLS:
        row = api.wait(job, phase, "ready", never="failed")
        if row["status"] != phase:
            say(f"the phase {phase} was over before anybody was killed")
            continue
        for service in services:
            kill(compose, service)
        say(f"{phase}: killed {', '.join(services)}")
    api.wait(job, "ready", never="failed")
    say("the distillation is ready")
    content = api.get_bytes(f"{job}/bundle")
    Path(bundle).write_bytes(content)
    report = api.get(f"{job}/report.json")
    say(f"the bundle has {len(content)} bytes; the report says {sorted(report)}")


def join(browser: httpx.Client, link: str) -> None:
    """Open the first link as its page's script does, and become the first admin."""
    page, _, secret = link.partition("#")
    browser.get(httpx.URL(page).path).raise_for_status()
    form = browser.post("/join/look", data={"secret": secret}).raise_for_status().text
    if 'type="email"' not in form:
        sys.exit(f"The link shows no form to join: {form[:500]}")
    sent = {"secret": secret, "name": "Dr. Chief", "email": EMAIL, "password": PASSWORD}
    reply = browser.post("/join", data=sent)
    if reply.status_code != 303 or not browser.cookies:
        sys.exit(f"Joining was answered with {reply.status_code}: {reply.text[:500]}")
    if browser.post("/join/look", data={"secret": secret}).text.count('type="email"'):
        sys.exit("The link works a second time.")
    say("joined by the first link, which works no longer")


class Api:
    """REST with the cookie of a browser, patient while what it talks to was killed."""

    def __init__(self, browser: httpx.Client) -> None:
        self._browser = browser
        home = browser.get("/", follow_redirects=True).raise_for_status().text
        found = re.search(r"X-CSRF-Token[^A-Za-z0-9_-]+([A-Za-z0-9_-]{16,})", home, re.I)
        if found is None:
            sys.exit("The first page shows no CSRF token.")
        self._headers = {"X-CSRF-Token": found[1]}

    def post(self, path: str, body: object = None) -> dict[str, Any]:
        reply = self._browser.post(f"/api/v1{path}", json=body, headers=self._headers)
        if reply.is_error:
            sys.exit(f"POST {path}: {reply.status_code} {reply.text}")
        found: dict[str, Any] = reply.json()
        return found

    def get_bytes(self, path: str) -> bytes:
        deadline = time.monotonic() + 120
        while True:
            try:
                reply = self._browser.get(f"/api/v1{path}")
                if not reply.is_server_error:
                    return reply.raise_for_status().content
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline:
                sys.exit(f"GET {path}: no answer for two minutes")
            time.sleep(1)

    def get(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.Response(200, content=self.get_bytes(path)).json()
        return found

    def wait(self, path: str, *statuses: str, never: str) -> dict[str, Any]:
        deadline = time.monotonic() + MINUTES * 60
        seen = ""
        while time.monotonic() < deadline:
            row = self.get(path)
            if row["status"] != seen:
                seen = row["status"]
                say(f"{path.split('/')[1]}: {seen}")
            if seen in statuses:
                return row
            if seen == never:
                sys.exit(f"{path}: {row.get('problem')}")
            time.sleep(0.5)
        sys.exit(f"{path} is still {seen} after {MINUTES} minutes")


def kill(compose: Sequence[str], service: str) -> None:
    """SIGKILL as by the kernel: the engine finds its process gone, and starts it again."""
    name = subprocess.check_output([*compose, "ps", "--quiet", service], text=True).split()[0]
    engine = [*compose[: compose.index("compose")]]
    what = ["inspect", "--format", "{{.State.Pid}}", name]
    pid = int(subprocess.check_output([*engine, *what], text=True))
    try:
        os.kill(pid, signal.SIGKILL)
    except (PermissionError, ProcessLookupError):  # not root, or the engine is elsewhere
        subprocess.check_call([*compose, "kill", "--signal", "KILL", service])
        subprocess.check_call([*compose, "start", service])


if __name__ == "__main__":
    split = sys.argv.index("--")
    main(*sys.argv[1:split], compose=sys.argv[split + 1 :])
