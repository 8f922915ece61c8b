"""One file per table."""

from app.models.access import (
    OPEN_REQUESTS,
    Acceptance,
    AccessRequest,
    Download,
    Grant,
    RequestStatus,
    Score,
)
from app.models.audit_entry import AuditCheckpoint, AuditEntry, AuditHead, Outcome
from app.models.audit_twin import AuditTwin, TwinStatus
from app.models.base import Base
from app.models.connection import Connection
from app.models.dataset import Dataset, DatasetStatus
from app.models.device_use import DeviceUse
from app.models.distillation import (
    ACTIVE,
    FINAL,
    PHASES,
    Distillation,
    DistillationStatus,
    Priority,
    Randomness,
    Verdict,
)
from app.models.event import Event, EventKind
from app.models.forecast import Forecast, ForecastStatus, Measurement
from app.models.home_key import HomeKey
from app.models.idempotency_key import IdempotencyKey
from app.models.invitation import Invitation
from app.models.ledger_event import LedgerEvent
from app.models.notification import MailStatus, Notification
from app.models.organisation import Organisation
from app.models.organisation_key import OrganisationKey
from app.models.portal_key import PortalKey
from app.models.portal_process import PortalProcess
from app.models.publication import Publication, PublicationStatus
from app.models.release import Release, ReleaseClass, ReleaseStatus, ReleaseWarning
from app.models.release_override import OverrideStatus, ReleaseOverride
from app.models.scheduled_backup import BackupStatus, ScheduledBackup
from app.models.second_factor import SecondFactor
from app.models.service_state import ServiceState
from app.models.share import Share, ShareStatus
from app.models.sign_in_failures import SignInFailures
from app.models.teacher import Teacher, TeacherStatus
from app.models.text_scan import TextScan, TextScanStatus
from app.models.token import Token
from app.models.training import Training, TrainingStatus
from app.models.trajectory_set import TrajectorySet, TrajectorySetStatus
from app.models.upload import Upload, UploadStatus
from app.models.user import User
from app.models.web_session import WebSession
from app.models.webhook import (
    PING,
    DeliveryError,
    DeliveryStatus,
    Webhook,
    WebhookDelivery,
    WebhookEvent,
)
from app.models.withdrawal import Withdrawal, WithdrawalStatus
from app.models.worker_process import WorkerProcess

__all__ = [
    "ACTIVE",
    "FINAL",
    "OPEN_REQUESTS",
    "PHASES",
    "PING",
    "Acceptance",
    "AccessRequest",
    "AuditCheckpoint",
    "AuditEntry",
    "AuditHead",
    "AuditTwin",
    "BackupStatus",
    "Base",
    "Connection",
    "Dataset",
    "DatasetStatus",
    "DeliveryError",
    "DeliveryStatus",
    "DeviceUse",
    "Distillation",
    "DistillationStatus",
    "Download",
    "Event",
    "EventKind",
    "Forecast",
    "ForecastStatus",
    "Grant",
    "HomeKey",
    "IdempotencyKey",
    "Invitation",
    "LedgerEvent",
    "MailStatus",
    "Measurement",
    "Notification",
    "Organisation",
    "OrganisationKey",
    "Outcome",
    "OverrideStatus",
    "PortalKey",
    "PortalProcess",
    "Priority",
    "Publication",
    "PublicationStatus",
    "Randomness",
    "Release",
    "ReleaseClass",
    "ReleaseOverride",
    "ReleaseStatus",
    "ReleaseWarning",
    "RequestStatus",
    "ScheduledBackup",
    "Score",
    "SecondFactor",
    "ServiceState",
    "Share",
    "ShareStatus",
    "SignInFailures",
    "Teacher",
    "TeacherStatus",
    "TextScan",
    "TextScanStatus",
    "Token",
    "Training",
    "TrainingStatus",
    "TrajectorySet",
    "TrajectorySetStatus",
    "TwinStatus",
    "Upload",
    "UploadStatus",
    "User",
    "Verdict",
    "WebSession",
    "Webhook",
    "WebhookDelivery",
    "WebhookEvent",
    "Withdrawal",
    "WithdrawalStatus",
    "WorkerProcess",
]
