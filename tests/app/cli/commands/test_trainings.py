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


def play_worker(portal, wait_until, release, *, to_the_end=True):
    """Propose class maps, and after they are confirmed, a table."""

    def row():
        with portal.database.reading() as session:
            return session.query(Training).one_or_none()

    def reaches(status):
        wait_until(lambda: row() is not None and row().status == status, f"it is {status}")

    def write(**values):
        with portal.database.transaction() as session:
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


def test_class_maps_are_shown_changed_and_confirmed(exchange, portal, wait_until):
    release, dataset = portal.release(), portal.ready_dataset()
    worker = play_worker(portal, wait_until, release)

    done = exchange(
        portal.steward, "train", dataset, release["id"], "--class-map", "Normal=Normal", "--yes"
    )
    worker.join(timeout=10)

    assert done.exit_code == 0, done.output
    assert "own images: balanced accuracy 0.750 ± 0.020 (5 networks)" in done.stdout
    assert "Five networks each." in done.stdout
    training = done.stdout.splitlines()[-1]
    assert training.startswith("tr_")
    with portal.database.reading() as session:
        row = session.get_one(Training, training)
    assert row.class_maps == {release["id"]: {"COVID": "COVID", "Normal": "Normal"}}
    shown = exchange(portal.steward, "status", training)
    assert "received: balanced accuracy" in shown.stdout


def test_a_class_map_of_no_class_starts_nothing(exchange, portal, wait_until):
    release, dataset = portal.release(), portal.ready_dataset()
    worker = play_worker(portal, wait_until, release, to_the_end=False)
    done = exchange(portal.steward, "train", dataset, release["id"], "--class-map", "Flu=COVID")
    worker.join(timeout=10)
    assert done.exit_code == Exit.UNUSABLE
    with portal.database.reading() as session:
        assert session.query(Training).one().status == TrainingStatus.CANCELLED


def test_whoever_says_no_trains_nothing(exchange, portal, wait_until):
    release, dataset = portal.release(), portal.ready_dataset()
    worker = play_worker(portal, wait_until, release, to_the_end=False)
    done = exchange(portal.steward, "train", dataset, release["id"], given="n\n")
    worker.join(timeout=10)
    assert done.exit_code == Exit.NOT_NOW
    with portal.database.reading() as session:
        assert session.query(Training).one().status == TrainingStatus.CANCELLED


def test_a_score_that_is_none_is_not_sent(exchange, portal, tmp_path):
    release = portal.release()
    file = tmp_path / "score.json"
    file.write_text(json.dumps(["no score"]))
    done = exchange(portal.recipient, "score", release["id"], "--file", str(file))
    assert done.exit_code == Exit.UNUSABLE
    file.write_text(json.dumps({"format": 1}))
    done = exchange(portal.recipient, "score", release["id"], "--file", str(file))
    assert done.exit_code == Exit.UNUSABLE
    assert exchange(portal.recipient, "score", release["id"]).exit_code == Exit.UNUSABLE
