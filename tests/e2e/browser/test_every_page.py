"""Every page: axe finds nothing, in light and in dark, and nothing is wider than the screen.

With EXCHANGE_SCREENSHOTS=FOLDER (`make screenshots`) each is also taken as a picture, on a phone
and on a wide screen, after a distillation that takes minutes instead of seconds.
"""

import importlib
import io
import os
import pkgutil
import re
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.web import pages
from iadd.cohort import write_archive
from tests.e2e.browser.axe import look_closely, needs_axe
from tests.fixtures.reports import clear

pytestmark = pytest.mark.browser

WIDTHS = (390, 1440)
FRAGMENTS = {
    "/datasets/{dataset_id}/check",
    "/distillations/{distillation_id}/state",
    "/distillations/{distillation_id}/progress",
    "/datasets/{dataset_id}/distill/forecast/{forecast_id}",
    "/home/jobs",
    "/guide/steps",
    "/organisation/webhooks/{webhook_id}/deliveries",
    "/audit/chain",
}
"""Parts of pages, which their pages bring along."""
ELSEWHERE = {
    "/datasets/{dataset_id}/upload",  # leads to the dataset's page
    "/sign-in/code",  # the second step of a sign-in: test_second_factor.py
    "/datasets/{dataset_id}/findings/{code}/picture",  # a picture
    "/releases/{release_id}/bundle",  # a file
}
MORE = ("/datasets/{unread_id}", "/datasets/{unread_id}/layout?reading=0")
"""Pages that look quite different for another row."""


PUBLIC = {"/sign-in", "/forgotten", "/join", "/glossary"}
OPERATORS = "/operations"

SCREENSHOTS = os.environ.get("EXCHANGE_SCREENSHOTS")


def addresses():
    """Every page there is, as the router knows it."""
    found = set()
    for module in pkgutil.iter_modules(pages.__path__):
        router = importlib.import_module(f"{pages.__name__}.{module.name}").router
        found |= {route.path for route in router.routes if "GET" in route.methods}
    assert found > FRAGMENTS | ELSEWHERE, "what is left out here is there"
    return sorted({*found, *MORE} - FRAGMENTS - ELSEWHERE)


@pytest.fixture(scope="module")
def cohorts(tmp_path_factory):
    """What two hospitals would upload, drawn."""
    folder = tmp_path_factory.mktemp("cohorts")
    per_class = 100 if SCREENSHOTS else 30
    for seed in (1, 2):
        write_archive(folder / f"{seed}.zip", per_class, seed=seed)
    return [(folder / f"{seed}.zip").read_bytes() for seed in (1, 2)]


def unclear(archive):
    """The same images in folders of two hospitals: which folders are the classes?"""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as read, zipfile.ZipFile(file, "w") as written:
        names = [name for name in read.namelist() if name.endswith(".png")]
        for number, name in enumerate(names):
            place, image = name.split("/")[-2:]
            hospital = ("East", "West")[number % 2]
            written.writestr(f"Hospital {hospital}/{place}/{image}", read.read(name))
    return file.getvalue()


@pytest.fixture(scope="module")
def hospitals(service, found, hire, person, cohorts, tiny, wait_until):
    """Two hospitals in the middle of their work: something of each kind is there."""
    for organisation in ("St. Elsewhere", "Riverside"):
        found(service, organisation)
    chief = hire(service, "St. Elsewhere", "Dr. Chief", "admin")
    hire(service, "St. Elsewhere", "Dr. Auditor", "auditor")
    asking = hire(service, "Riverside", "Dr. Asking", "admin")
    operator = hire(service, "Riverside", "Dr. Operator", "operator")
    owner, other = person(service, chief), person(service, asking)

    ids = {}
    ids["dataset_id"] = owner.upload(cohorts[0], "Chest X-rays, winter 2026", wait_until)
    owner.ask("POST", "/datasets", json={"name": "Emergency department"})
    ids["unread_id"] = owner.ask("POST", "/datasets", json={"name": "Of two hospitals"})["id"]
    owner.ask("PUT", f"/datasets/{ids['unread_id']}/archive", content=unclear(cohorts[1]))
    owner.wait_for(f"/datasets/{ids['unread_id']}", "awaiting_mapping", wait_until)
    body = {"preset": "cpu_demo", "images_per_class": 2, "seed": 3}
    if not SCREENSHOTS:
        body["overrides"] = tiny
    asked = owner.ask("POST", f"/datasets/{ids['dataset_id']}/distillations", json=body)
    ids["distillation_id"] = asked["id"]
    owner.wait_for(f"/distillations/{asked['id']}", "ready", wait_until)
    clear(service.data_dir, asked["id"])
    ids["release_id"] = owner.ask(
        "POST",
        f"/distillations/{asked['id']}/releases",
        json={
            "title": "Chest X-rays of one winter",
            "summary": "Four classes, adults, distilled to two images a class.",
            "card": "Drawn X-rays of one winter, *for trying out* how sharing works.",
            "contact": "data@st-elsewhere.example",
            "previews": True,
        },
    )["id"]

    requests = f"/releases/{ids['release_id']}/access-requests"
    purpose = {"purpose": "We train a triage network for our emergency department."}
    ids["request_id"] = other.ask("POST", requests, json=purpose)["id"]
    granted = owner.ask("POST", f"/access-requests/{ids['request_id']}/grant", json={})
    terms = other.ask("GET", f"/releases/{ids['release_id']}")["terms"]
    other.ask(
        "POST",
        f"/grants/{granted['grant_id']}/acceptance",
        json={"terms_sha256": terms["sha256"]},
    )
    theirs = other.upload(cohorts[1], "Own images", wait_until)
    training = {"dataset_id": theirs, "release_ids": [ids["release_id"]], "networks": 2}
    ids["training_id"] = other.ask("POST", "/trainings", json=training)["id"]
    other.wait_for(f"/trainings/{ids['training_id']}", "proposed", wait_until)

    spare = owner.upload(cohorts[1], "Sent to the wrong place", wait_until)
    gone = {"reason": "It was sent to the wrong place.", "whole_dataset": True}
    ids["withdrawal_id"] = owner.ask("POST", f"/datasets/{spare}/withdrawals", json=gone)["id"]
    hook = {"url": "http://127.0.0.1:9/hook", "events": ["access.requested", "distillation.ready"]}
    ids["webhook_id"] = owner.ask("POST", "/webhooks", json=hook)["id"]
    owner.ask("POST", f"/webhooks/{ids['webhook_id']}/test")
    ids["organisation_id"] = owner.ask("GET", "/session")["organisation_id"]
    ids["user_id"] = owner.ask("GET", "/users")["items"][0]["id"]
    owner.ask("POST", "/tokens", json={"name": "nightly upload"})
    return SimpleNamespace(service=service, ids=ids, chief=chief, asking=asking, operator=operator)


def who_sees(hospitals, path):
    if path in PUBLIC:
        return None
    if path.startswith(OPERATORS):
        return hospitals.operator
    return hospitals.asking if path.startswith("/trainings") else hospitals.chief


def take_picture(page, path, width, scheme):
    name = re.sub(r"[^a-z]+", "-", path).strip("-") or "home"
    folder = Path(SCREENSHOTS)
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}-{width}-{scheme}.png", full_page=True)
    page.screenshot(path=folder / "top" / f"{name}-{width}-{scheme}.png")


@pytest.mark.timeout(1800)
@needs_axe
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing_on_any_page(hospitals, desk, scheme, width):
    look = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    look["bypass_csp"] = True  # for axe itself
    desks = {}
    findings = {}
    for path in addresses():
        account = who_sees(hospitals, path)
        if account not in desks:
            desks[account] = desk(hospitals.service, account, **look)
        page = desks[account].open(re.sub(r"{(\w+)}", lambda name: hospitals.ids[name[1]], path))
        if page.locator("[data-follow]").count():
            page.locator("#chart-loss canvas").wait_for()
        elif page.locator("[data-polls]").count() == 0:
            page.wait_for_load_state("networkidle")
        assert page.get_by_role("heading", level=1).count() == 1, path
        if SCREENSHOTS:
            take_picture(page, path, width, scheme)
        if found := look_closely(page):
            findings[path] = found
    assert findings == {}
