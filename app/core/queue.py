"""Task names, queues, and messages that leave only after the commit.

A message carries ids and nothing else. It is sent when the transaction that asked for it is
committed, so no worker ever looks for a row that is not there. If the broker cannot be reached
at that moment the row still says what is to be done, and the sweeper sends the message again.
"""

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from celery import Celery
from kombu.exceptions import ChannelError, OperationalError
from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction, sessionmaker

from app.core.log_context import log_context
from app.core.settings import Settings
from app.core.tracing import note_job

logger = logging.getLogger(__name__)


class Queue(StrEnum):
    CPU = "cpu"
    GPU = "gpu"
    FORECAST = "forecast"
    """Served by the workers of `gpu`: a forecast waits only for the task that runs."""


class Task(StrEnum):
    CHECK_DATASET = "check_dataset"
    START_DISTILLATION = "start_distillation"
    RECORD_TRAJECTORY = "record_trajectory"
    DISTILL = "distill"
    EVALUATE = "evaluate"
    RUN_TWINS = "run_twins"
    AUDIT = "audit"
    PACKAGE = "package"
    PROPOSE_CLASS_MAPS = "propose_class_maps"
    TRAIN = "train"
    FORECAST = "forecast"
    SCAN_TEXT = "scan_text"

    @property
    def queue(self) -> Queue:
        if self == Task.FORECAST:
            return Queue.FORECAST
        return Queue.GPU if self in _ON_GPU else Queue.CPU


_ON_GPU = frozenset(
    {
        *(Task.RECORD_TRAJECTORY, Task.DISTILL, Task.EVALUATE),
        *(Task.RUN_TWINS, Task.AUDIT, Task.TRAIN),
    }
)


class MessageQueue(Protocol):
    def send(self, task: Task, *ids: str) -> None:
        """Hand one message to the broker, or raise."""

    def waiting(self, queue: Queue) -> int:
        """Messages that no worker has taken yet."""


def celery_app(settings: Settings) -> Celery:
    """The Celery application that both sides share: the portal sends, workers add tasks."""
    celery = Celery("exchange", broker=settings.broker_url, set_as_current=False)
    celery.conf.update(
        task_default_queue=Queue.CPU.value,
        task_routes={task.value: {"queue": task.queue.value} for task in Task},
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_enable_remote_control=False,
        broker_connection_retry_on_startup=True,
        broker_transport_options={
            "visibility_timeout": settings.visibility_timeout_seconds,
            "socket_connect_timeout": 2,
            "socket_timeout": 10,
            # One more try at once. Kombu's own default makes a request wait for six seconds when
            # the broker is away, and the sweeper sends the message again anyway.
            "max_retries": 1,
            "interval_start": 0,
            "interval_step": 0,
        },
        enable_utc=True,
        timezone="UTC",
    )
    return celery


class CeleryQueue:
    """Sends through Celery; never retries, because the sweeper does."""

    def __init__(self, celery: Celery) -> None:
        self._celery = celery

    def send(self, task: Task, *ids: str) -> None:
        self._celery.send_task(task.value, args=ids, queue=task.queue.value, retry=False)

    def waiting(self, queue: Queue) -> int:
        with self._celery.connection_for_read() as connection:
            try:
                declared = connection.default_channel.queue_declare(queue.value, passive=True)
            except ChannelError:
                # A Redis list exists only while it holds something.
                return 0
            return int(declared.message_count)

    def close(self) -> None:
        self._celery.close()


@dataclass(frozen=True)
class _Message:
    task: Task
    ids: tuple[str, ...]
    transaction: SessionTransaction
    """In which it was enqueued: a savepoint's messages fall with it, and no others."""


def enqueue_after_commit(session: Session, task: Task, *ids: str) -> None:
    """Send `task` for `ids` when this session's transaction is committed; never before."""
    transaction = session.get_nested_transaction() or session.get_transaction()
    assert transaction is not None, "enqueue inside `database.transaction()`"
    session.info.setdefault("messages", []).append(_Message(task, ids, transaction))


def send_after_commit(sessions: sessionmaker[Session]) -> None:
    event.listen(sessions, "after_commit", _send)
    event.listen(sessions, "after_soft_rollback", _forget)


def _send(session: Session) -> None:
    # The end of a savepoint is reported as a commit too.
    if session.in_nested_transaction():
        return
    messages: list[_Message] = session.info.pop("messages", [])
    queue: MessageQueue | None = session.info.get("queue")
    for message in messages:
        if queue is None:
            logger.warning("no queue here: %s waits for the sweeper", message.task.value)
            continue
        try:
            queue.send(message.task, *message.ids)
        except (OperationalError, OSError) as error:
            logger.warning(
                "broker unreachable, %s %s waits for the sweeper: %s",
                message.task.value,
                " ".join(message.ids),
                error,
            )
        else:
            with log_context(job_id=message.ids[0], task=message.task.value):
                logger.info("%s: %s is queued", message.ids[0], message.task.value)
            note_job(message.task.value, message.ids[0])


def _forget(session: Session, rolled_back: SessionTransaction) -> None:
    messages: list[_Message] = session.info.pop("messages", [])
    kept = [message for message in messages if not _is_within(message.transaction, rolled_back)]
    session.info["messages"] = kept


def _is_within(transaction: SessionTransaction | None, outer: SessionTransaction) -> bool:
    while transaction is not None and transaction is not outer:
        transaction = transaction.parent
    return transaction is outer
