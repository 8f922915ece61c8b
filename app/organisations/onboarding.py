"""Creates an organisation with its key and a link for its first admin."""

from sqlalchemy.orm import Session

from app.core.portal import Portal
from app.core.security import Caller
from app.models.organisation import Organisation
from app.organisations import service
from app.organisations.schemas import OrganisationCreate
from app.users.invitations.service import invite_first_admin


def onboard(
    portal: Portal, session: Session, caller: Caller, body: OrganisationCreate
) -> tuple[Organisation, str | None]:
    """The organisation, and the link where an address was named. Raises OrganisationExists."""
    by = f"{caller.name}, operator"
    organisation = service.create(session, portal.vault, body.name, contact=body.contact, by=by)
    if body.admin_email is None:
        return organisation, None
    _, link = invite_first_admin(portal, session, organisation, body.admin_email, by)
    return organisation, link
