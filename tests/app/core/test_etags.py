"""ETag and If-Match: nobody overwrites what they have not seen."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from app.core.errors import PreconditionFailed
from app.core.etags import IfMatch, etag_of


@dataclass
class Row:
    id: str = "us_1"
    updated_at: datetime = datetime(2030, 1, 1, tzinfo=UTC)


def test_a_tag_follows_the_row_and_its_last_change():
    later = Row(updated_at=Row().updated_at + timedelta(microseconds=1))

    assert etag_of(Row()) == etag_of(Row())
    assert len({etag_of(Row()), etag_of(later), etag_of(Row(id="us_2"))}) == 3
    assert etag_of(Row()).startswith('"')
    assert etag_of(Row()).endswith('"')


@pytest.mark.parametrize("header", [None, "*", etag_of(Row()), f'"other", {etag_of(Row())}'])
def test_who_has_seen_it_or_does_not_ask_may_change_it(header):
    IfMatch(header).check(Row())


@pytest.mark.parametrize(
    "header", ["", '"other"', etag_of(Row()).strip('"'), "W/" + etag_of(Row())]
)
def test_who_has_seen_something_else_may_not(header):
    with pytest.raises(PreconditionFailed, match="Nothing was changed"):
        IfMatch(header).check(Row())
