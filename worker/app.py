"""The Celery application of the workers."""

from app.core.queue import celery_app
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
