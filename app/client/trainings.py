from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from app.client.addresses import id_of
from app.client.models import Score, Training
from app.client.transport import Transport

ClassMaps = Mapping[str, Mapping[str, str | None]]
"""For each release, which of its classes is which own one; None leaves a class out."""


class Trainings:
    """Networks trained on releases, with and without own images, and tested on own ones."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def start(
        self,
        dataset_id: str,
        release_ids: Sequence[str],
        *,
        class_maps: ClassMaps | None = None,
        rows: Sequence[str] = ("own", "received", "both"),
        own_per_class: int | None = None,
        networks: int = 5,
        seed: int = 0,
    ) -> Training:
        """Start a training. Without class maps a worker proposes them, and `confirm` continues.

        Args:
            dataset_id: An own dataset that is `ready`.
            release_ids: Releases that one's organisation has.
            class_maps: Which class is which, where that is known already.
            rows: Rows of the table.
            own_per_class: Train on so many own images of each class; on all if absent.
            networks: For each row.
            seed: Seed of the networks.
        """
        body = {
            "dataset_id": dataset_id,
            "release_ids": list(release_ids),
            "class_maps": class_maps,
            "rows": list(rows),
            "own_per_class": own_per_class,
            "networks": networks,
            "seed": seed,
        }
        return self._transport.post("/trainings", Training, body, once=True)

    def get(self, training_id: str) -> Training:
        return self._transport.read(f"/trainings/{id_of(training_id)}", Training)

    def list(self) -> Iterator[Training]:
        """Newest first."""
        return self._transport.rows("/trainings", Training)

    def confirm(self, training_id: str, class_maps: ClassMaps) -> Training:
        """Go on with these class maps."""
        path = f"/trainings/{id_of(training_id)}/confirm"
        return self._transport.post(path, Training, {"class_maps": class_maps}, once=False)

    def cancel(self, training_id: str) -> Training:
        """Stop at the next step."""
        return self._transport.post(f"/trainings/{id_of(training_id)}/cancel", Training, once=False)

    def send_score(
        self,
        release_id: str,
        *,
        training_id: str | None = None,
        score: Mapping[str, Any] | None = None,
    ) -> Score:
        """Send the score of a release in the organisation's name.

        Args:
            release_id: Which one.
            training_id: A training that is `ready` and had this release alone.
            score: Or the document that `iadd evaluate --bundle --out` wrote.
        """
        body = {"training_id": training_id, "score": score}
        path = f"/releases/{id_of(release_id)}/scores"
        return self._transport.post(path, Score, body, once=True)
