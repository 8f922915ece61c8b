"""Keeps a hub from what only a hospital's own portal does.

A hub shows releases, and what people ask, accept and report of them. It holds no X-ray and computes
nothing; whatever needs either is refused.
"""

from app.core.dependencies import PortalDep
from app.core.errors import NotFound


class NotAtAHub(NotFound):
    code = "not-at-a-hub"
    title = "A hub has no datasets"


# async, because a plain function would cost a trip through the thread pool.
async def hospital_only(portal: PortalDep) -> None:
    """For routers of datasets and of all that is computed from them. Raises NotAtAHub."""
    if portal.settings.is_hub:
        raise NotAtAHub(
            "This portal is a hub: it takes no X-rays and computes nothing. Nothing was kept. "
            "Upload and distill in your hospital's own portal, and share releases from there."
        )
