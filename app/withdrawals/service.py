"""Withdrawals of patients or a whole dataset.

Images leave the archive and the dataset; the trajectories that were trained on them are deleted;
distillations are marked, so that they are neither released nor gone on with; releases are withdrawn
or marked; recipients are notified. A worker removes the images, since the archive may be large.
"""

import json
from collections.abc import Sequence

from sqlalchemy.orm import Session

from app.audit.log import Action, record, record_by_portal
from app.core.clock import utc_now
from app.core.errors import Conflict
from app.core.queue import Task, enqueue_after_commit
from app.core.security import Caller, Permission, Role
from app.core.storage import Storage
from app.core.types import JsonObject
from app.datasets.repository import DatasetRepository
from app.datasets.service import refuse_while_in_use
from app.models.dataset import Dataset, DatasetStatus
from app.models.organisation import Organisation
from app.models.release import Release, ReleaseStatus
from app.models.withdrawal import Withdrawal, WithdrawalStatus
from app.notifications.service import Notice, notify_organisation
from app.releases import service as releases
from app.releases.repository import ReleaseRepository
from app.withdrawals.lineage import trace
from app.withdrawals.repository import WithdrawalRepository
from app.withdrawals.schemas import WithdrawalCreate
from iadd.intake.deidentify.names import folder_hashes, path_hash
from iadd.intake.paths import path_parts


class NothingToWithdraw(Conflict):
    code = "nothing-to-withdraw"
    title = "The dataset holds no images"


def files_key(withdrawal_id: str) -> str:
    """Key of the list of files, stored until they are removed."""
    return f"withdrawals/{withdrawal_id}/files.json"


def withdraw(
    session: Session, storage: Storage, caller: Caller, dataset_id: str, body: WithdrawalCreate
) -> Withdrawal:
    """Begin a withdrawal; of a whole dataset it is done at once, but for what is stored.

    Raises DatasetNotFound, DatasetInUse, NothingToWithdraw.
    """
    datasets = DatasetRepository(session)
    dataset = datasets.readable_by(caller).get(dataset_id, lock=True)
    refuse_while_in_use(session, dataset)
    if not body.whole_dataset and dataset.status != DatasetStatus.READY:
        raise NothingToWithdraw(
            f"The dataset is {dataset.status.value}: no image of it is used. Nothing was changed. "
            "Upload an archive without these files, or delete the dataset."
        )
    withdrawal = WithdrawalRepository(session).add(
        Withdrawal(
            organisation_id=caller.organisation_id,
            dataset_id=dataset.id,
            whole_dataset=body.whole_dataset,
            reason=body.reason,
            keep_releases=body.keep_releases,
            asked_by=caller.name,
            status=WithdrawalStatus.REMOVING,
            lineage=trace(session, dataset),
        )
    )
    record(
        session,
        caller,
        Action.WITHDRAWAL_STARTED,
        withdrawal.id,
        dataset=dataset.id,
        whole_dataset=body.whole_dataset,
        files=None if body.files is None else len(body.files),
    )
    if body.files is None:
        datasets.mark_deleted(dataset)
        conclude(session, withdrawal.id, images=_count(dataset))
    else:
        organisation = session.get_one(Organisation, caller.organisation_id)
        named = named_files(body.files, bytes.fromhex(organisation.intake_key))
        storage.put(files_key(withdrawal.id), json.dumps(named).encode())
        dataset.status, dataset.withdrawal_id = DatasetStatus.CHECKING, withdrawal.id
        session.flush()
        enqueue_after_commit(session, Task.CHECK_DATASET, dataset.id)
    return withdrawal


def _count(dataset: Dataset) -> int:
    return sum(sum(splits.values()) for splits in (dataset.classes or {}).values())


def named_files(files: Sequence[str], key: bytes) -> JsonObject:
    """Hashes of files and folders as archives name them, and names as quality reports show them.

    Nothing else is stored: what a person types here may name a patient.
    """
    hashes = []
    for file in files:
        parts = path_parts(file)
        if parts is None:
            continue
        is_folder = file.endswith(("/", "\\"))
        hashes.append(folder_hashes((*parts, ""), key)[-1] if is_folder else path_hash(parts, key))
    return {"hashes": hashes, "shown": [file for file in files if "~" in file]}


def conclude(session: Session, withdrawal_id: str, *, images: int) -> None:
    """After the images are removed: mark what came from them, and notify recipients."""
    withdrawal = WithdrawalRepository(session).load(withdrawal_id)
    caller = Caller.on_behalf(withdrawal.organisation_id, Role.STEWARD, withdrawal.asked_by)
    distillations = DatasetRepository(session).distillations(withdrawal.dataset_id)
    for row in distillations:
        row.withdrawal_id = withdrawal.id
    for release in ReleaseRepository(session).of_distillations([row.id for row in distillations]):
        if release.status == ReleaseStatus.WITHDRAWN:
            continue
        if withdrawal.keep_releases:
            _mark(session, caller, release, withdrawal)
        else:
            releases.withdraw(
                session, caller, release.id, withdrawal.reason, withdrawal_id=withdrawal.id
            )
    withdrawal.status, withdrawal.images = WithdrawalStatus.DONE, images
    withdrawal.finished_at = utc_now()
    session.flush()
    record(
        session,
        caller,
        Action.WITHDRAWAL_DONE,
        withdrawal.id,
        dataset=withdrawal.dataset_id,
        images=images,
    )
    _notify_stewards(session, withdrawal)


def fail(session: Session, withdrawal_id: str, problem: JsonObject) -> None:
    """Mark the withdrawal as failed: no image was removed, and the row has the reason."""
    withdrawal = WithdrawalRepository(session).load(withdrawal_id)
    withdrawal.status, withdrawal.problem = WithdrawalStatus.FAILED, problem
    withdrawal.finished_at = utc_now()
    session.flush()
    record_by_portal(
        session, withdrawal.organisation_id, Action.WITHDRAWAL_DONE, withdrawal.id, failed=True
    )
    _notify_stewards(session, withdrawal)


def _mark(session: Session, caller: Caller, release: Release, withdrawal: Withdrawal) -> None:
    release.withdrawal_id = withdrawal.id
    session.flush()
    recipients = releases.recipients_of(session, release.id)
    for organisation_id in sorted(recipients):
        notify_organisation(
            session,
            organisation_id,
            Permission.REQUEST,
            Notice(
                kind="release.concerned",
                title=f"Images were withdrawn: {release.title}",
                text=f"Some images that {release.title!r} was distilled from were withdrawn: "
                f"{withdrawal.reason}\n\nIts owner leaves it published. Decide whether you "
                "continue using it, and look out for a newer version.",
                link=f"/releases/{release.id}",
                data={"release": release.id},
            ),
        )
    record(
        session,
        caller,
        Action.RELEASE_MARKED,
        release.id,
        also=recipients,
        withdrawal=withdrawal.id,
    )


def _notify_stewards(session: Session, withdrawal: Withdrawal) -> None:
    done = withdrawal.status == WithdrawalStatus.DONE
    why = "" if withdrawal.problem is None else f" {withdrawal.problem['detail']}"
    notify_organisation(
        session,
        withdrawal.organisation_id,
        Permission.DELETE,
        Notice(
            kind="withdrawal.done" if done else "withdrawal.failed",
            title="A withdrawal is done" if done else "A withdrawal could not be done",
            text=f"{withdrawal.images} images were removed, and recipients were notified. What was "
            "distilled from them can be distilled again without them."
            if done
            else f"Nothing was taken out.{why}",
            link=f"/withdrawals/{withdrawal.id}",
            data={"withdrawal": withdrawal.id, "dataset": withdrawal.dataset_id},
        ),
    )


def again(session: Session, withdrawal: Withdrawal) -> list[str]:
    """Finished distillations that can be made anew: the dataset is still there, without images."""
    if withdrawal.whole_dataset or withdrawal.status != WithdrawalStatus.DONE:
        return []
    return [
        row.id
        for row in DatasetRepository(session).distillations(withdrawal.dataset_id)
        if row.withdrawal_id == withdrawal.id and row.deleted_at is None
    ]
