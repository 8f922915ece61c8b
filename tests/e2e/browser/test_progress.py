"""A distillation that is watched while its worker dies."""

import pytest

pytestmark = pytest.mark.browser


@pytest.mark.timeout(1800)
def test_two_people_watch_a_distillation_whose_worker_is_killed(
    make_service, desk, hire, archive, wait_until
):
    service = make_service()
    dataset = service.upload(archive)
    watchers = [
        desk(service, hire(service, "Hospital", name, "researcher"))
        for name in ("Dr. One", "Dr. Two")
    ]
    distillation_id = service.distill(dataset["id"], iterations=300)
    pages = [watcher.open(f"/distillations/{distillation_id}") for watcher in watchers]
    for page in pages:
        page.evaluate("window.wasNeverReloaded = true")

    service.kill_workers_in(distillation_id, "distilling")

    for page in pages:
        page.get_by_role("link", name="Read the report").wait_for(timeout=900_000)
    assert service.row(distillation_id)["status"] == "ready"
    assert all(page.evaluate("window.wasNeverReloaded") for page in pages)

    # Both see the same, and so does who comes later.
    late = watchers[0].new_page()
    late.goto(pages[0].url)
    late.get_by_role("link", name="Read the report").wait_for()
    for part in ("#state", "#progress"):
        texts = {page.locator(part).inner_text() for page in (*pages, late)}
        assert len(texts) == 1, texts
    for page in (*pages, late):
        charts = page.locator("#charts table")
        wait_until(lambda charts=charts: charts.count() > 0, "the charts have their tables")
    assert service.row(distillation_id)["attempt"] == 1


@pytest.mark.timeout(1200)
def test_a_distillation_is_cancelled_and_gone_on_with(make_service, desk, hire, archive):
    service = make_service()
    dataset = service.upload(archive)
    researcher = desk(service, hire(service, "Hospital", "Dr. Stop", "researcher"))
    distillation_id = service.distill(dataset["id"], iterations=2000)
    service.wait_for(distillation_id, "distilling")
    # Opened now: news of a phase that begins would close the menu under the hand.
    page = researcher.open(f"/distillations/{distillation_id}")
    page.get_by_text("Cancel", exact=True).click()
    page.get_by_role("button", name="Cancel distillation").click()
    page.get_by_role("button", name="Resume").wait_for(timeout=60_000)
    assert service.row(distillation_id)["status"] == "cancelled"
    page.get_by_role("button", name="Resume").click()
    service.wait_for(distillation_id, "distilling", "evaluating", "auditing", "packaging", "ready")
