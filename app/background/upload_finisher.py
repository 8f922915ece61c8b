"""Finishes uploads that another portal left whole and unfinished when it died."""

from app.background.periodic import Rounds
from app.core.portal import Portal
from app.datasets.uploads.finish import finish_complete

SECONDS_TO_LEAVE = 10
"""A piece is read, or an object written; then it is asked whether the portal ends."""


class Finisher(Rounds):
    """A thread that finishes what a portal left whole and unfinished when it died.

    Not the sweeper's: to read an archive of gigabytes takes longer than a round of it may.
    """

    def __init__(self, portal: Portal) -> None:
        super().__init__(
            "finisher",
            portal.settings.sweep_seconds,
            lambda: finish_complete(portal, go_on=lambda: not self.stopping.is_set()),
            leave_seconds=SECONDS_TO_LEAVE,
        )
