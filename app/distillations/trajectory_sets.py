"""Queries for trajectory sets and their teachers."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, SQLColumnExpression, exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core import leases
from app.core.types import JsonObject
from app.models.distillation import (
    Distillation,
    DistillationStatus,
    Randomness,
    new_private_seed,
)
from app.models.teacher import Teacher, TeacherStatus
from app.models.trajectory_set import TrajectorySet, TrajectorySetStatus

UNFINISHED = (TeacherStatus.PENDING, TeacherStatus.RUNNING)


def waits_for(trajectory_set_id: SQLColumnExpression[str] | str) -> ColumnElement[bool]:
    """Condition: a distillation that is `teaching` waits for the teachers of this set."""
    return exists().where(
        Distillation.trajectory_set_id == trajectory_set_id,
        Distillation.status == DistillationStatus.TEACHING,
        Distillation.cancel_requested_at.is_(None),
    )


class TrajectorySetRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def load(self, trajectory_set_id: str) -> TrajectorySet | None:
        return self._session.get(TrajectorySet, trajectory_set_id, populate_existing=True)

    def find(self, dataset_id: str, teacher_key: str) -> TrajectorySet | None:
        return self._session.scalar(
            select(TrajectorySet).where(
                TrajectorySet.dataset_id == dataset_id, TrajectorySet.teacher_key == teacher_key
            )
        )

    def find_or_add(
        self,
        dataset_id: str,
        teacher_key: str,
        *,
        config: JsonObject,
        teachers: int,
        randomness: Randomness = Randomness.SECRET,
    ) -> TrajectorySet:
        """The set of these teachers; made with all its teachers, `pending`, if it is new.

        The row is locked, so whoever gets it second sees what the first did with it.
        """
        if self.find(dataset_id, teacher_key) is None:
            try:
                with self._session.begin_nested():
                    made = TrajectorySet(
                        dataset_id=dataset_id,
                        teacher_key=teacher_key,
                        config=config,
                        teachers=teachers,
                        randomness=randomness,
                    )
                    self._session.add(made)
                    self._session.flush()
                    if randomness == Randomness.PUBLISHED:
                        made.private_seed = None
                    self._session.add_all(
                        Teacher(trajectory_set_id=made.id, index=index) for index in range(teachers)
                    )
            except IntegrityError:
                # Another worker made it between the look and the insert: use that one.
                pass
        return self._session.scalars(
            select(TrajectorySet)
            .where(TrajectorySet.dataset_id == dataset_id, TrajectorySet.teacher_key == teacher_key)
            .with_for_update()
            .execution_options(populate_existing=True)
        ).one()

    def teachers(self, trajectory_set_id: str) -> Sequence[Teacher]:
        return self._session.scalars(
            select(Teacher)
            .where(Teacher.trajectory_set_id == trajectory_set_id)
            .order_by(Teacher.index)
            .execution_options(populate_existing=True)
        ).all()

    def unfinished(self, trajectory_set_id: str) -> Sequence[Teacher]:
        return [
            teacher for teacher in self.teachers(trajectory_set_id) if teacher.status in UNFINISHED
        ]

    def is_wanted(self, trajectory_set_id: str) -> bool:
        """True if a distillation still waits for these teachers."""
        return bool(self._session.scalar(select(waits_for(trajectory_set_id))))

    def reset_failed(self, trajectory_set_id: str) -> Sequence[str]:
        """Failed teachers wait again, and the set with them; the ids of those teachers."""
        reset = self._session.scalars(
            update(Teacher)
            .where(
                Teacher.trajectory_set_id == trajectory_set_id,
                Teacher.status == TeacherStatus.FAILED,
            )
            .values(status=TeacherStatus.PENDING, problem=None, fence=Teacher.fence + 1)
            .returning(Teacher.id)
            .execution_options(synchronize_session=False)
        ).all()
        self._session.execute(
            update(TrajectorySet)
            .where(
                TrajectorySet.id == trajectory_set_id,
                TrajectorySet.status == TrajectorySetStatus.FAILED,
            )
            .values(status=TrajectorySetStatus.RECORDING)
        )
        self._draw_again(trajectory_set_id)
        return reset

    def lose(self, trajectory_set_id: str, teacher_ids: Sequence[str]) -> None:
        """These teachers are done, and what they recorded is gone: as if they had failed."""
        lost = self._session.scalars(
            update(Teacher)
            .where(Teacher.id.in_(teacher_ids), Teacher.status == TeacherStatus.DONE)
            .values(
                status=TeacherStatus.FAILED,
                object_key=None,
                epochs_done=0,
                fence=Teacher.fence + 1,
            )
            .returning(Teacher.id)
            .execution_options(synchronize_session=False)
        ).all()
        self._session.execute(
            update(TrajectorySet)
            .where(TrajectorySet.id == trajectory_set_id)
            .values(
                status=TrajectorySetStatus.FAILED,
                done_count=TrajectorySet.done_count - len(lost),
            )
            .execution_options(synchronize_session="fetch")
        )

    def _draw_again(self, trajectory_set_id: str) -> None:
        """What is left of a set whose seed was forgotten draws from a new one, from its start."""
        row = self.load(trajectory_set_id)
        if row is None or row.randomness == Randomness.PUBLISHED or row.private_seed is not None:
            return
        row.private_seed = new_private_seed()
        if row.config.get("protection", {}).get("privacy") == "dp":
            # Its noise has no seed, and steps taken anew would be paid for again.
            self._session.flush()
            return
        self._session.execute(
            update(Teacher)
            .where(
                Teacher.trajectory_set_id == trajectory_set_id,
                Teacher.status == TeacherStatus.PENDING,
            )
            .values(partial_key=None, epochs_done=0)
            .execution_options(synchronize_session=False)
        )
        self._session.flush()

    def count_one_done(self, trajectory_set_id: str) -> bool:
        """Count a teacher that is done; True for the last one, whose set is then `ready`."""
        done, teachers = self._session.execute(
            update(TrajectorySet)
            .where(TrajectorySet.id == trajectory_set_id)
            .values(done_count=TrajectorySet.done_count + 1)
            .returning(TrajectorySet.done_count, TrajectorySet.teachers)
            .execution_options(synchronize_session=False)
        ).one()
        if done < teachers:
            return False
        self._session.execute(
            update(TrajectorySet)
            .where(TrajectorySet.id == trajectory_set_id)
            .values(status=TrajectorySetStatus.READY, private_seed=None)
        )
        return True

    def mark_failed(self, trajectory_set_id: str) -> None:
        self._session.execute(
            update(TrajectorySet)
            .where(TrajectorySet.id == trajectory_set_id)
            .values(status=TrajectorySetStatus.FAILED, private_seed=None)
        )


class TeacherRepository:
    def __init__(self, session: Session) -> None:
        self._session = session

    def load(self, teacher_id: str) -> Teacher | None:
        return self._session.get(Teacher, teacher_id, populate_existing=True)

    def claim(self, teacher_id: str, *, owner: str, seconds: float) -> int | None:
        """`pending → running`, or take over from a worker whose lease ran out; the fence."""
        fence = leases.claim(
            self._session, Teacher, teacher_id, statuses=UNFINISHED, owner=owner, seconds=seconds
        )
        if fence is not None:
            self.write(
                teacher_id,
                fence=fence,
                status=TeacherStatus.RUNNING,
                attempt=Teacher.attempt + 1,
            )
        return fence

    def write(self, teacher_id: str, *, fence: int, **values: Any) -> None:
        """Raises LeaseLost."""
        leases.write(self._session, Teacher, teacher_id, fence=fence, **values)

    def finish(self, teacher_id: str, *, fence: int, status: TeacherStatus, **values: Any) -> None:
        """`running → done | failed`, or back to `pending` when it is no longer wanted.

        Raises LeaseLost.
        """
        leases.release(self._session, Teacher, teacher_id, fence=fence, status=status, **values)
