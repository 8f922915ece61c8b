"""The Celery application of the workers."""

from collections.abc import Callable

from app.core.queue import Task, celery_app
from app.core.settings import get_settings
from worker.settings import get_worker_settings

settings = get_settings()
worker_settings = get_worker_settings()

app = celery_app(settings)
app.conf.update(
    imports=("worker.tasks",),
    task_time_limit=worker_settings.task_limit_seconds,
    worker_hijack_root_logger=False,
    # A task whose broker went away runs on: its row, not its message, says what is to be done.
    worker_cancel_long_running_tasks_on_connection_loss=False,
    broker_connection_max_retries=None,
)


def task(name: Task) -> Callable[[Callable[[str], None]], Callable[[str], None]]:
    """Register a function of one id as the task of this name."""

    def register(function: Callable[[str], None]) -> Callable[[str], None]:
        app.task(name=name.value)(function)
        return function

    return register
