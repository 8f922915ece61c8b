"""Where the broker's socket goes. The service as a whole is tested in tests/e2e."""

from pathlib import Path

import pytest

from app.standalone.service import LONGEST_SOCKET_PATH, _broker_socket, broker_url_of


def test_a_path_too_long_for_a_socket_is_replaced_by_a_private_one(tmp_path: Path) -> None:
    with _broker_socket(tmp_path / ("deep-" * 20)) as path:
        assert len(str(path)) <= LONGEST_SOCKET_PATH
        assert path.parent.stat().st_mode & 0o077 == 0
    assert not path.parent.exists()


@pytest.mark.parametrize("name", ["data", "deep-" * 20], ids=["near", "deep"])
def test_a_command_of_this_machine_finds_the_broker_while_it_runs(
    tmp_path: Path, name: str
) -> None:
    folder = tmp_path / name
    with _broker_socket(folder) as path:
        assert broker_url_of(folder) is None
        path.touch()
        assert broker_url_of(folder) == f"redis+socket://{path}"
    path.unlink(missing_ok=True)
    assert broker_url_of(folder) is None
