"""Sends a release's bundle to those who may have it, over REST and from its page."""

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from app.core.downloads import Delivery, send_object
from app.core.portal import Portal
from app.core.security import Caller
from app.core.stored import expect_intact_bundle
from app.releases import service


async def send_bundle(
    request: Request, portal: Portal, caller: Caller, release_id: str
) -> Response:
    """Whole or a range of it. Raises what `app.releases.service.bundle_key` does."""
    key = await run_in_threadpool(service.bundle_key, portal, caller, release_id)

    def log(delivery: Delivery) -> None:
        if delivery.begins:
            expect_intact_bundle(portal.storage, key)
        # What is decided from the header before it is parsed, an odd header gets around.
        service.log_delivery(portal, caller, release_id, begins=delivery.begins)

    return await send_object(
        request,
        portal.storage,
        key,
        media_type="application/zip",
        headers={"Content-Disposition": f'attachment; filename="{release_id}.zip"'},
        before=log,
    )
