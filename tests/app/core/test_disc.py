from pathlib import Path

import pytest

from app.core.disc import DiscFull, Reserve


def test_where_all_data_are_on_other_machines_every_upload_has_room() -> None:
    reserve = Reserve([], size=512 * 2**20, held=None)
    reserve.expect(10**12)
    assert reserve.is_whole


def test_an_upload_that_would_use_the_reserve_is_refused(tmp_path: Path) -> None:
    reserve = Reserve([tmp_path], size=1, held=None)
    reserve.expect(1)
    with pytest.raises(DiscFull):
        reserve.expect(2**62)
