"""Messages through a real Valkey."""

import pytest
from kombu.exceptions import OperationalError

from app.core.queue import CeleryQueue, Queue, Task, celery_app
from app.core.settings import Settings


@pytest.fixture
def queue(broker):
    queue = CeleryQueue(celery_app(Settings(_env_file=None, broker_url=broker.url)))
    yield queue
    queue.close()


def test_every_task_goes_to_its_queue_with_its_id_alone(queue, broker):
    for task in Task:
        queue.send(task, "an-id")

    assert sorted(broker.messages()) == sorted(
        (task.queue.value, task.value, "an-id") for task in Task
    )
    assert {task for task in Task if task.queue == Queue.GPU} == {
        Task.RECORD_TRAJECTORY,
        Task.DISTILL,
        Task.EVALUATE,
        Task.RUN_TWINS,
        Task.AUDIT,
        Task.TRAIN,
    }


def test_messages_that_nobody_took_are_counted(queue):
    assert queue.waiting(Queue.GPU) == 0
    queue.send(Task.DISTILL, "1")
    queue.send(Task.EVALUATE, "2")
    queue.send(Task.PACKAGE, "3")

    assert queue.waiting(Queue.GPU) == 2
    assert queue.waiting(Queue.CPU) == 1


def test_an_absent_broker_is_told_soon(tmp_path):
    settings = Settings(_env_file=None, broker_url=f"redis+socket://{tmp_path}/nobody.sock")
    queue = CeleryQueue(celery_app(settings))

    with pytest.raises(OperationalError):
        queue.send(Task.DISTILL, "1")


def test_tasks_are_acknowledged_late_and_taken_one_by_one():
    settings = Settings(_env_file=None)
    conf = celery_app(settings).conf

    assert conf.task_acks_late
    assert conf.task_reject_on_worker_lost
    assert conf.worker_prefetch_multiplier == 1
    assert not conf.task_always_eager
    assert conf.broker_transport_options["visibility_timeout"] >= 24 * 3600
