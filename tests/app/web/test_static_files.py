"""Scripts and styles: from this portal alone, kept by browsers, and what `frontend/` makes."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from app.web.static_files import FOLDER, asset

FRONTEND = Path(__file__).parents[3] / "frontend"
FIRST_VISIT_BYTES = 200_000


def test_an_asset_is_kept_for_a_year_and_changes_its_address_with_its_content(anybody):
    reply = anybody.client.get(asset("app.js"))
    assert reply.status_code == 200
    assert "immutable" in reply.headers["cache-control"]
    assert reply.headers["content-encoding"] == "gzip"


def test_pages_load_nothing_from_elsewhere_and_run_nothing_inline(anybody):
    reply = anybody.client.get("/sign-in")
    policy = reply.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "://" not in policy


def test_a_first_visit_transfers_less_than_200_kilobytes(anybody):
    addresses = ["/sign-in", asset("app.js"), asset("styles.css"), asset("icon.svg")]
    total = 0
    for address in addresses:
        with anybody.client.stream("GET", address) as reply:
            total += sum(len(chunk) for chunk in reply.iter_raw())
    assert 0 < total < FIRST_VISIT_BYTES


@pytest.mark.skipif(
    not (FRONTEND / "node_modules").is_dir(), reason="frontend/node_modules: run `make frontend`"
)
def test_what_is_served_is_what_the_sources_make(tmp_path):
    node = shutil.which("node")
    assert node, "npm installed the packages, so there is a Node"
    subprocess.run(
        [node, "build.mjs"],
        cwd=FRONTEND,
        env=os.environ | {"EXCHANGE_STATIC": str(tmp_path)},
        check=True,
    )
    made = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    served = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert made == served, "run `make frontend`, and commit what it makes"
