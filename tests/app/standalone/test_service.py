"""Where the broker's socket goes. The service as a whole is tested in tests/e2e."""

from pathlib import Path

from app.standalone.service import LONGEST_SOCKET_PATH, _broker_socket


def test_a_path_too_long_for_a_socket_is_replaced_by_a_private_one(tmp_path: Path) -> None:
    with _broker_socket(tmp_path / ("deep-" * 20)) as path:
        assert len(str(path)) <= LONGEST_SOCKET_PATH
        assert path.parent.stat().st_mode & 0o077 == 0
    assert not path.parent.exists()
