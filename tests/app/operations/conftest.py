import pytest

from app.core.security import Role


@pytest.fixture
def operator(portal):
    return portal.person(portal.elsewhere_id, Role.OPERATOR, "Dr. Ops")
