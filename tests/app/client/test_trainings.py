"""`exchange train` and `score`: the portal's worker is played by the test."""

import json
import threading

from app.cli.exit_codes import Exit
from app.core.clock import utc_now
from app.models import Training, TrainingStatus

FIGURE = {"mean": 0.75, "std": 0.02, "n": 5}
TABLE = {
    "rows": {name: {"balanced_accuracy": FIGURE} for name in ("own", "received", "both")},
}


def play_worker(house, eventually, release, *, to_the_end=True):
    """Propose class maps, and after they are confirmed, a table."""

    def row():
        with house.database.reading() as session:
            return session.query(Training).one_or_none()

    def reaches(status):
        eventually(lambda: row() is not None and row().status == status, f"it is {status}")

    def write(**values):
        with house.database.transaction() as session:
            for name, value in values.items():
                setattr(session.get_one(Training, row().id), name, value)

    def work():
        reaches(TrainingStatus.PROPOSING)
        maps = {release["id"]: {"COVID": "COVID", "Normal": None}}
        write(status=TrainingStatus.PROPOSED, class_maps=maps)
        if not to_the_end:
            return
        reaches(TrainingStatus.QUEUED)
        write(
            status=TrainingStatus.READY,
            finished_at=utc_now(),
            result={"table": TABLE, "notes": ["Five networks each."]},
        )

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_class_maps_are_shown_changed_and_confirmed(exchange, house, eventually):
    release, dataset = house.release(), house.ready_dataset()
    worker = play_worker(house, eventually, release)

    done = exchange(
        house.steward, "train", dataset, release["id"], "--class-map", "Normal=Normal", "--yes"
    )
    worker.join(timeout=10)

    assert done.exit_code == 0, done.output
    assert "own images: balanced accuracy 0.750 ± 0.020 (5 networks)" in done.stdout
    assert "Five networks each." in done.stdout
    training = done.stdout.splitlines()[-1]
    assert training.startswith("tr_")
    with house.database.reading() as session:
        row = session.get_one(Training, training)
    assert row.class_maps == {release["id"]: {"COVID": "COVID", "Normal": "Normal"}}
    shown = exchange(house.steward, "status", training)
    assert "received: balanced accuracy" in shown.stdout


def test_a_class_map_of_no_class_starts_nothing(exchange, house, eventually):
    release, dataset = house.release(), house.ready_dataset()
    worker = play_worker(house, eventually, release, to_the_end=False)
    done = exchange(house.steward, "train", dataset, release["id"], "--class-map", "Flu=COVID")
    worker.join(timeout=10)
    assert done.exit_code == Exit.UNUSABLE
    with house.database.reading() as session:
        assert session.query(Training).one().status == TrainingStatus.CANCELLED


def test_whoever_says_no_trains_nothing(exchange, house, eventually):
    release, dataset = house.release(), house.ready_dataset()
    worker = play_worker(house, eventually, release, to_the_end=False)
    done = exchange(house.steward, "train", dataset, release["id"], given="n\n")
    worker.join(timeout=10)
    assert done.exit_code == Exit.NOT_NOW
    with house.database.reading() as session:
        assert session.query(Training).one().status == TrainingStatus.CANCELLED


def test_a_score_that_is_none_is_not_sent(exchange, house, tmp_path):
    release = house.release()
    file = tmp_path / "score.json"
    file.write_text(json.dumps(["no score"]))
    done = exchange(house.recipient, "score", release["id"], "--file", str(file))
    assert done.exit_code == Exit.UNUSABLE
    file.write_text(json.dumps({"format": 1}))
    done = exchange(house.recipient, "score", release["id"], "--file", str(file))
    assert done.exit_code == Exit.UNUSABLE
    assert exchange(house.recipient, "score", release["id"]).exit_code == Exit.UNUSABLE
