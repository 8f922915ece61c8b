"""Scripts and styles: from this portal alone, kept by browsers, and what `frontend/` makes."""

import os
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from app.core.security import Role
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


class _Loaded(HTMLParser):
    """What a browser loads for a page: scripts, styles, pictures."""

    def __init__(self) -> None:
        super().__init__()
        self.addresses: set[str] = set()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        address = given.get("href") if tag == "link" else given.get("src")
        if address:
            self.addresses.add(address)


def transferred(reader, page):
    """Bytes on the line for a page and all that it loads; and how many scripts those are."""
    loaded = _Loaded()
    loaded.feed(reader.open(page))
    total = 0
    for address in (page, *loaded.addresses):
        with reader.client.stream("GET", address) as reply:
            assert reply.status_code == 200, address
            total += sum(len(chunk) for chunk in reply.iter_raw())
    return total, sum(".js" in address for address in loaded.addresses)


def test_a_first_visit_transfers_less_than_200_kilobytes(portal, anybody, reader):
    steward = reader(Role.STEWARD)
    visits = {
        "/sign-in": (anybody, 1),
        f"/datasets/{portal.new_dataset()}": (steward, 2),
        f"/distillations/{portal.distillation()}": (steward, 2),
    }
    for page, (somebody, scripts) in visits.items():
        size, loaded = transferred(somebody, page)
        print(f"{page}: {size} bytes")
        assert loaded == scripts, page
        assert 0 < size < FIRST_VISIT_BYTES, page


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
