import pytest

from app.core.clock import utc_now
from app.core.security import Role
from app.core.version import VERSION
from app.models import WorkerProcess


@pytest.fixture
def operator(portal):
    return portal.person(portal.elsewhere_id, Role.OPERATOR, "Dr. Ops")


@pytest.fixture
def add_worker(portal):
    def add(host="node-1", pid=7, *, queues=("cpu", "gpu"), seen_at=None, **values):
        with portal.database.transaction() as session:
            session.add(
                WorkerProcess(
                    id=f"{host}:{pid}",
                    host=host,
                    pid=pid,
                    queues=list(queues),
                    device="NVIDIA H100",
                    **{"version": VERSION, **values},
                    started_at=utc_now(),
                    seen_at=seen_at or utc_now(),
                )
            )
        return f"{host}:{pid}"

    return add
