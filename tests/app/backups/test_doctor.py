from collections.abc import Callable

import pytest

from app.backups.doctor import Finding, examine
from app.core.vault import PREVIOUS_SECRET_FILE, SECRET_FILE
from app.models import AuditEntry, Dataset
from tests.app.factories import ObjectFactory
from tests.fixtures.portal import PortalHarness


def findings(portal: PortalHarness) -> dict[str, Finding]:
    services = portal.services
    found = examine(services.settings, portal.database, portal.storage)
    # How full the disc of this machine is, is no matter of the test.
    return {finding.code: finding for finding in found if finding.code != "full-disc"}


@pytest.fixture(autouse=True)
def _private(portal: PortalHarness) -> None:
    """Modes as the service itself sets them."""
    folder = portal.services.settings.data_dir
    folder.chmod(0o700)
    for path in (folder / SECRET_FILE, folder / "exchange.db"):
        if path.exists():
            path.chmod(0o600)


def test_a_healthy_portal_has_nothing_to_mend(portal: PortalHarness) -> None:
    dataset_id = portal.uploaded_dataset()
    portal.storage.put(f"datasets/{dataset_id}/thumbnails/0001.png", b"derived, and in no row")
    assert findings(portal) == {}


def test_a_rotation_that_was_interrupted_is_told(portal: PortalHarness) -> None:
    previous = portal.services.settings.data_dir / PREVIOUS_SECRET_FILE
    previous.touch(0o600)
    try:
        found = findings(portal)
    finally:
        previous.unlink()

    assert set(found) == {"unfinished-rotation"}
    assert "exchange rotate-secret" in found["unfinished-rotation"].text


def test_objects_of_no_row_are_deleted_and_those_of_rows_stay(portal: PortalHarness) -> None:
    dataset_id = portal.uploaded_dataset()
    kept, orphan = f"datasets/{dataset_id}/x", "datasets/ds_0123456789abcdef01234567/x"
    part = f"publications/{ObjectFactory(portal).publication()}/000000000000"
    for key in (kept, orphan, part):
        portal.storage.put(key, b"content")

    found = findings(portal)

    assert set(found) == {"orphan"}
    assert orphan in found["orphan"].text
    mend = found["orphan"].mend
    assert mend is not None
    assert mend() == "Deleted 1 objects that no row owns."
    assert portal.storage.exists(kept)
    assert portal.storage.exists(part)
    assert not portal.storage.exists(orphan)
    assert findings(portal) == {}


def test_an_object_that_a_row_names_and_nobody_has_is_told(portal: PortalHarness) -> None:
    dataset_id = portal.uploaded_dataset()
    portal.storage.delete_folder(f"datasets/{dataset_id}")
    found = findings(portal)
    assert set(found) == {"missing-object"}
    assert dataset_id in found["missing-object"].text
    assert found["missing-object"].mend is None


def test_a_folder_that_a_row_names_is_there_while_something_is_in_it(
    portal: PortalHarness,
) -> None:
    dataset_id = portal.uploaded_dataset()
    folder = f"datasets/{dataset_id}/read"
    with portal.database.transaction() as session:
        session.get_one(Dataset, dataset_id).read_key = folder
    portal.storage.put(f"{folder}/pictures", b"what was read")
    assert findings(portal) == {}

    portal.storage.delete_folder(folder)
    assert set(findings(portal)) == {"missing-object"}


def test_a_changed_log_is_told(portal: PortalHarness) -> None:
    portal.uploaded_dataset()
    with portal.database.transaction() as session:
        entry = session.query(AuditEntry).order_by(AuditEntry.number).first()
        assert entry is not None
        entry.details = {**entry.details, "name": "another"}
    assert "broken-log" in findings(portal)


def test_a_worker_of_another_version_is_told(
    portal: PortalHarness, add_worker: Callable[..., str]
) -> None:
    add_worker("host", 0)
    add_worker("host", 1, version="0.0.1")
    found = findings(portal)
    assert set(found) == {"other-version"}
    assert "host:1 runs version 0.0.1" in found["other-version"].text


def test_what_others_on_the_machine_can_open_is_closed(portal: PortalHarness) -> None:
    folder = portal.services.settings.data_dir
    folder.chmod(0o755)
    found = findings(portal)
    assert set(found) == {"wrong-mode"}
    mend = found["wrong-mode"].mend
    assert mend is not None
    mend()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert findings(portal) == {}
