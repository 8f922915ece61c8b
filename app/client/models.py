"""Typed rows of a portal's replies.

They have the fields that callers read; what else a portal sends is ignored, and a status is any
text, so that an older client works with a newer portal. Times are in UTC.
"""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

FINAL = frozenset({"ready", "failed", "cancelled"})
"""Statuses in which a distillation stays."""

Direction = Literal["received", "sent"]
"""Direction of requests and grants: `received` for our releases, `sent` by us."""


class Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class Problem(Row):
    """RFC 9457: what went wrong and what to do."""

    type: str = ""
    """Stable name, as in ``urn:iadd-exchange:problem:disc-full``."""
    title: str
    detail: str = ""


class Party(Row):
    id: str
    name: str


class Me(Row):
    """The caller's identity and permissions."""

    organisation_id: str
    organisation: str
    user_id: str | None
    """Id of the person; None for a token of the organisation itself."""
    name: str
    email: str | None
    roles: list[str]
    permissions: list[str]
    drained_at: datetime | None = None
    """Set: the operator updates the service; since then jobs wait."""


class Token(Row):
    id: str
    created_at: datetime
    name: str
    user_id: str | None
    role: str | None
    scopes: list[str] | None
    expires_at: datetime | None
    last_used_at: datetime | None


class NewToken(Token):
    secret: SecretStr
    """Shown this once."""


class Organisation(Row):
    id: str
    name: str
    contact: str


class Key(Row):
    """An organisation's public key, as the portal gives it."""

    id: str
    created_at: datetime
    public_key: str
    fingerprint: str
    retired_at: datetime | None
    compromised: bool


class Upload(Row):
    """An archive that arrives in pieces."""

    id: str
    dataset_id: str
    length: int
    offset: int
    status: str
    expires_at: datetime


class Notice(Row):
    id: str
    created_at: datetime
    kind: str
    title: str
    text: str
    data: dict[str, Any]
    read_at: datetime | None


class Dataset(Row):
    id: str
    created_at: datetime
    name: str
    status: str
    size: int | None
    sha256: str | None
    classes: dict[str, dict[str, int]] | None
    """Images per class and split, once it is ready."""
    progress: dict[str, Any] | None = None
    """Of its check while it runs: `phase`, `done`, `total`, `unit`."""
    open_holds: dict[str, int] | None = None
    """Findings that hold a release until somebody decides, with their counts."""
    problem: Problem | None


class LedgerReads(Row):
    """Reads of one kind and purpose, by one run."""

    kind: str
    purpose: str
    run: str
    count: int
    last_at: datetime


class Ledger(Row):
    """What distillations and trainings read of a dataset; nothing is ever removed."""

    dataset_id: str
    delta: float
    epsilon: float | None
    """ε that all runs have spent; None where it is infinite."""
    not_covered: int
    """Runs without a proof, which ε does not cover."""
    reads: list[LedgerReads]


class Layout(Row):
    """How an archive is read."""

    status: str
    archive_sha256: str | None
    layout: dict[str, Any] | None
    """What was found, while a mapping is awaited: levels, tables, readings, questions."""
    mapping: dict[str, Any] | None
    """What the folders and tables mean: confirmed, or the only reading."""
    confirmed_by: str | None


class RefusedFile(Row):
    """A file of an archive that is not in the dataset; words of its name may be hashed."""

    name: str
    code: str
    reason: str


class RefusedFiles(Row):
    """One page of them."""

    items: list[RefusedFile]
    page: int
    pages: int


class Phase(Row):
    done: float
    total: float
    unit: str


class Distillation(Row):
    id: str
    dataset_id: str
    created_at: datetime
    status: str
    phases: dict[str, Phase]
    """Progress of every phase begun so far."""
    eta_seconds: float | None
    """Seconds until the end of the whole job."""
    preset: str
    images_per_class: int
    seed: int
    verdict: str | None
    problem: Problem | None


class AuditPower(Row):
    """What an audit can find, before it starts."""

    runs: int
    finds: float | None
    text: str


class Estimate(Row):
    seconds: float
    low_seconds: float
    high_seconds: float


class Forecast(Row):
    id: str
    status: str
    audit: AuditPower | None = None
    estimate: Estimate | None
    problem: Problem | None


class Access(Row):
    """Access of the user's organisation to a release."""

    state: str
    request_id: str | None = None
    grant_id: str | None = None
    expires_at: datetime | None = None
    terms_accepted_at: datetime | None = None


class Terms(Row):
    template: str
    text: str
    sha256: str
    duo: list[str]


class Bundle(Row):
    sha256: str
    fingerprint: str
    """The fingerprint that `exchange verify` shows."""
    size: int


class ReleaseKey(Row):
    public_key: str
    fingerprint: str


class Score(Row):
    """A recipient's measurement, signed with its organisation's key."""

    id: str
    created_at: datetime
    organisation: Party
    document: str
    signature: str
    public_key: str
    score: dict[str, Any]


class ReleaseWarning(Row):
    """What was found about such releases later on."""

    code: str
    text: str


class ReleaseOverride(Row):
    """Why two people released it although the policy of its owner objected."""

    reason: str
    objections: list[str]
    people: int
    decided_at: datetime


class ReleaseBrief(Row):
    """A release in the catalogue."""

    id: str
    created_at: datetime
    organisation: Party
    number: int
    status: str
    title: str
    summary: str
    modality: str
    classes: list[str]
    images: int
    images_per_class: int
    image_size: int
    balanced_accuracy: float | None
    verdict: str
    warning: ReleaseWarning | None = None
    embargo_until: datetime | None


class Release(ReleaseBrief):
    card: str
    terms: Terms
    contact: str
    citation: str
    facts: dict[str, Any]
    key: ReleaseKey
    bundle: Bundle
    override: ReleaseOverride | None = None
    superseded_by: str | None
    withdrawn_at: datetime | None
    withdrawal_reason: str
    access: Access
    scores: list[Score] = Field(default_factory=list)
    distillation_id: str | None
    downloads: int | None
    """Downloads by other organisations; None except for its owner."""


class Download(Row):
    created_at: datetime
    organisation: Party
    name: str


class AccessRequest(Row):
    id: str
    created_at: datetime
    release_id: str
    release_title: str
    owner: Party
    organisation: Party
    """The requesting organisation."""
    requester: str
    requester_email: str
    purpose: str
    status: str
    reason: str
    decided_by: str | None
    decided_at: datetime | None
    grant_id: str | None


class Acceptance(Row):
    name: str
    email: str
    accepted_at: datetime
    terms_sha256: str
    terms_text: str


class Grant(Row):
    id: str
    created_at: datetime
    release_id: str
    release_title: str
    owner: Party
    organisation: Party
    """The organisation that may download."""
    request_id: str | None
    granted_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    reason: str
    acceptance: Acceptance | None


class AuditEntry(Row):
    number: int
    at: datetime
    actor: dict[str, Any]
    action: str
    subject: str | None
    outcome: str
    details: dict[str, Any]
    hash: str


class Training(Row):
    id: str
    created_at: datetime
    dataset_id: str
    release_ids: list[str]
    class_maps: dict[str, dict[str, str | None]] | None
    """Proposed while it is `proposed`, confirmed after that."""
    status: str
    progress: Phase | None
    eta_seconds: float | None
    result: dict[str, Any] | None
    problem: Problem | None


class HeldRow(Row):
    kind: str
    id: str
    since: datetime | None


class Worker(Row):
    id: str
    """Host and process."""
    queues: list[str]
    device: str
    version: str
    seen_at: datetime
    alive: bool
    holds: list[HeldRow]


class Queue(Row):
    name: str
    messages: int | None
    waiting: int
    held: int
    oldest_waiting_since: datetime | None
    workers: int


class Job(Row):
    """A job of any organisation, as operators see it."""

    kind: str
    id: str
    organisation: str
    status: str
    phase: str | None
    progress: Phase | None
    eta_seconds: float | None
    worker: str | None


class Check(Row):
    name: str
    works: bool


class Failure(Row):
    kind: str
    problem: str
    count: int


class Disk(Row):
    total_bytes: int
    free_bytes: int


class ScheduledBackup(Row):
    made_at: datetime | None
    """When the last good one was made."""


class Upkeep(Row):
    drained_at: datetime | None
    """Set: no worker takes work."""
    backup: ScheduledBackup | None
    """None where none is scheduled."""


class ServiceStatus(Row):
    """The whole service on one screen, for operators."""

    at: datetime
    version: str
    checks: list[Check]
    disk: Disk
    reserve_bytes: int
    service: Upkeep | None = None
    workers: list[Worker]
    queues: list[Queue]
    jobs: list[Job]
    more_jobs: bool
    failures: list[Failure]
    faults: list[str]
    """What is broken, in words; empty: everything works."""


class Hub(Row):
    """A hub that the organisation shares releases with."""

    id: str
    name: str
    url: str
    there: str
    """The organisation's name at the hub."""
    fingerprint: str
    """Of the hub's key."""
    own_fingerprint: str
    """Of the key that the organisation signs with."""
    confirmed_at: datetime | None
    paused_at: datetime | None
    seen_at: datetime | None
    version: str
    problem: Problem | None


class HomeKey(Row):
    """The key that the organisation signs with in its own portal, as a hub knows it."""

    fingerprint: str
    pending_fingerprint: str | None
    """Of a key that was sent since and waits for a person."""
    confirmed_at: datetime | None
    confirmed_by: str


class Share(Row):
    """A release on its way to a hub."""

    id: str
    release_id: str
    hub: str
    address: str
    status: str
    shared_at: datetime | None
    problem: Problem | None
