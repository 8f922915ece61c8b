"""The first start of a portal: an organisation, and a link for the person who will run it."""

from app.audit.log import Action, record_by_portal
from app.core.clock import utc_now
from app.core.db import Database
from app.core.settings import Settings
from app.core.vault import Vault
from app.models.organisation import Organisation
from app.organisations import service
from app.organisations.repository import OrganisationRepository
from app.users.invitations import service as invitations
from app.users.invitations.repository import InvitationRepository
from app.users.repository import UserRepository

FIRST_NAME = "Our hospital"
"""Until its admin renames it."""
BY = "the first start of this portal"


def invite_first_person(settings: Settings, database: Database) -> str | None:
    """The link of a portal that has no organisation yet, or whose earlier link has expired.

    None where somebody has an account, where there is an organisation of another origin, or where
    a link still works: it is shown only once.
    """
    with database.transaction() as session:
        organisations = OrganisationRepository(session)
        if UserRepository(session).is_anybody_there():
            return None
        earlier = InvitationRepository(session).open_to_anybody()
        if any(invitation.expires_at > utc_now() for invitation in earlier):
            return None
        organisation: Organisation
        if earlier:
            organisation = organisations.load(earlier[0].organisation_id)
        elif organisations.ids():
            return None
        else:
            organisation = service.create(session, Vault.of(settings), FIRST_NAME, by=BY)
        link = invitations.invite_anybody(settings, session, organisation, BY)
        record_by_portal(
            session, organisation.id, Action.USER_INVITED, organisation.id, by=BY, first=True
        )
    return link
