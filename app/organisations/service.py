"""Organisations: create, change, limit, disable."""

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.audit.log import Action, record, record_by_portal
from app.core.clock import utc_now
from app.core.errors import Conflict
from app.core.security import Caller
from app.core.vault import Vault
from app.models.organisation import Organisation
from app.organisations.keys import service as keys
from app.organisations.quotas import gpu_hours
from app.organisations.release_policy import policy_of
from app.organisations.repository import OrganisationNotFound, OrganisationRepository
from app.organisations.schemas import (
    OrganisationChange,
    OrganisationOperate,
    OrganisationRead,
    Usage,
)
from app.users.repository import UserRepository


class OwnOrganisation(Conflict):
    code = "own-organisation"
    title = "Not possible for your own organisation"


class OrganisationExists(Conflict):
    code = "organisation-exists"
    title = "An organisation of this name exists"


def create(
    session: Session,
    vault: Vault,
    name: str,
    *,
    contact: str = "",
    by: str = "the operator of the machine",
) -> Organisation:
    """An organisation with its first signing key. Raises OrganisationExists."""
    _check_name(session, name)
    organisation = Organisation(name=name, contact=contact)
    try:
        with session.begin_nested():
            OrganisationRepository(session).add(organisation)
    except IntegrityError:  # somebody else has just taken the name
        raise _exists(name) from None
    record_by_portal(session, organisation.id, Action.ORGANISATION_CREATED, organisation.id, by=by)
    keys.create_first(session, vault, organisation.id, by=by)
    return organisation


def _check_name(session: Session, name: str) -> None:
    if OrganisationRepository(session).find_by_name(name) is not None:
        raise _exists(name)


def _exists(name: str) -> OrganisationExists:
    return OrganisationExists(f"{name!r} exists already. Nothing was changed.")


def find_by_name(session: Session, name: str) -> Organisation:
    """Raises OrganisationNotFound, which names those that exist."""
    organisations = OrganisationRepository(session)
    organisation = organisations.find_by_name(name)
    if organisation is None:
        known = ", ".join(repr(known) for known in organisations.names()) or "none yet"
        raise OrganisationNotFound(f"No organisation is called {name!r}. There are: {known}.")
    return organisation


def change(
    session: Session, caller: Caller, organisation: Organisation, body: OrganisationChange
) -> None:
    """Raises OrganisationExists."""
    if body.name is not None and body.name != organisation.name:
        _rename(session, organisation, body.name)
    if body.contact is not None:
        organisation.contact = body.contact
    if body.policy is not None:
        # Fields that a policy does not name stay too: leaving one out loosens nothing.
        organisation.policy = {
            **policy_of(organisation).model_dump(mode="json", exclude_unset=True),
            **body.policy.model_dump(mode="json", exclude_unset=True),
        }
    session.flush()
    record(
        session,
        caller,
        Action.ORGANISATION_CHANGED,
        organisation.id,
        changed=sorted(body.model_fields_set),
        policy=organisation.policy,
    )


def _rename(session: Session, organisation: Organisation, name: str) -> None:
    _check_name(session, name)
    try:
        with session.begin_nested():
            organisation.name = name
            session.flush()
    except IntegrityError:
        raise _exists(name) from None


def operate(
    session: Session, caller: Caller, organisation: Organisation, body: OrganisationOperate
) -> None:
    """Change limits, disable or enable; its own log records it. Raises OwnOrganisation."""
    if body.disabled and organisation.id == caller.organisation_id:
        raise OwnOrganisation(
            "It is your own: nobody could enable it again from here. Nothing was changed."
        )
    if body.quota is not None:
        organisation.quota = {
            **organisation.quota,
            **body.quota.model_dump(mode="json", exclude_unset=True),
        }
    if body.disabled is not None:
        organisation.disabled_at = (
            (organisation.disabled_at or utc_now()) if body.disabled else None
        )
    session.flush()
    record(
        session,
        caller,
        Action.ORGANISATION_CHANGED,
        organisation.id,
        also=(organisation.id,),
        quota=organisation.quota,
        disabled=organisation.disabled_at is not None,
    )


def read(session: Session, organisation: Organisation) -> OrganisationRead:
    organisations = OrganisationRepository(session)
    return OrganisationRead.of(
        organisation,
        # An earlier version may have known more.
        policy=policy_of(organisation),
        usage=Usage(
            stored_bytes=organisations.stored_bytes(organisation.id),
            datasets=organisations.count_datasets(organisation.id),
            running=organisations.count_running(organisation.id),
            gpu_hours=gpu_hours(session, organisation.id),
            people=UserRepository(session).count(organisation.id),
        ),
    )
