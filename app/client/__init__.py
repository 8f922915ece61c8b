"""A client of a portal: typed methods over its REST API.

It needs no more than the base install::

    with PortalClient.signed_in() as portal:
        for release in portal.releases.search(class_name="COVID"):
            print(release.title)
"""

from app.client.addresses import LOCAL_PORTAL
from app.client.distillations import NOT_MADE, RESULTS
from app.client.errors import AddressError, PortalError, UnreachableError
from app.client.models import (
    FINAL,
    Access,
    AccessRequest,
    AuditEntry,
    Dataset,
    Distillation,
    Grant,
    Key,
    Layout,
    Ledger,
    Me,
    Notice,
    Problem,
    RefusedFile,
    Release,
    ReleaseBrief,
    ServiceStatus,
    Token,
    Training,
)
from app.client.portal import PortalClient
from app.client.signins import NotSignedInError
from app.client.transport import Retries

__all__ = [
    "FINAL",
    "LOCAL_PORTAL",
    "NOT_MADE",
    "RESULTS",
    "Access",
    "AccessRequest",
    "AddressError",
    "AuditEntry",
    "Dataset",
    "Distillation",
    "Grant",
    "Key",
    "Layout",
    "Ledger",
    "Me",
    "NotSignedInError",
    "Notice",
    "PortalClient",
    "PortalError",
    "Problem",
    "RefusedFile",
    "Release",
    "ReleaseBrief",
    "Retries",
    "ServiceStatus",
    "Token",
    "Training",
    "UnreachableError",
]
