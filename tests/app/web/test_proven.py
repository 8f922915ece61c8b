"""Pages of a set that is proven under differential privacy."""

from typing import Any

from app.core.security import Role
from tests.app.web.conftest import SignIn
from tests.fixtures.proven import book_run, proven_distillation


def test_they_show_the_noisy_score_and_what_was_spent(portal: Any, reader: SignIn) -> None:
    distillation_id = proven_distillation(portal, 3.0)
    dataset_id = portal.row(distillation_id).dataset_id
    steward = reader(Role.STEWARD).client
    assert "Privacy spent" not in steward.get(f"/datasets/{dataset_id}").text
    book_run(portal, dataset_id, "run-of-before")
    book_run(portal, dataset_id, "run-of-today")

    page = steward.get(f"/datasets/{dataset_id}").text
    assert "Privacy spent" in page
    assert "run-of-before" in page
    assert "have spent ε = 4." in page
    page = steward.get(f"/distillations/{distillation_id}").text
    assert "reach 81" in page
    assert "together" in page
    assert steward.get(f"/distillations/{distillation_id}/release").status_code == 200
    release = portal.release(distillation_id=distillation_id)
    page = steward.get(f"/releases/{release['id']}").text
    assert "Accuracy, with the noise of differential privacy, of networks trained on" in page
    assert "Balanced accuracy of networks" not in page
    assert "For comparison" not in page
    assert steward.get("/releases").status_code == 200


def test_the_form_of_a_private_preset_asks_for_epsilon_and_no_audit(
    portal: Any, reader: SignIn
) -> None:
    dataset_id = portal.ready_dataset()
    client = reader(Role.RESEARCHER).client
    page = client.get(f"/datasets/{dataset_id}/distill?preset=cpu_dp").text
    for name in ("privacy", "epsilon", "delta", "declared_patients"):
        assert f'name="setting.{name}"' in page
    assert 'name="audit"' not in page
