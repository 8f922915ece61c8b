"""The client's rows are what the portal sends."""

import pytest

from app.access import schemas as access
from app.audit import schemas as audit
from app.auth.sessions import schemas as sessions
from app.auth.tokens import schemas as tokens
from app.client import models
from app.datasets import schemas as datasets
from app.datasets.uploads import schemas as uploads
from app.distillations import schemas as distillations
from app.federation.connections import schemas as connections
from app.federation.home_keys import schemas as home_keys
from app.federation.shares import schemas as shares
from app.forecasts import schemas as forecasts
from app.ledgers import schemas as ledgers
from app.notifications import schemas as notifications
from app.operations import schemas as operations
from app.organisations import schemas as organisations
from app.organisations.keys import schemas as keys
from app.releases import schemas as releases
from app.trainings import schemas as trainings

PAIRS = [
    (models.Access, access.AccessRead),
    (models.AccessRequest, access.AccessRequestRead),
    (models.Acceptance, access.AcceptanceRead),
    (models.AuditPower, forecasts.AuditPowerRead),
    (models.AuditEntry, audit.AuditEntryRead),
    (models.Bundle, releases.BundleRead),
    (models.Check, operations.CheckRead),
    (models.Dataset, datasets.DatasetRead),
    (models.Disk, operations.Disk),
    (models.Distillation, distillations.DistillationRead),
    (models.Download, releases.DownloadRead),
    (models.Estimate, forecasts.EstimateRead),
    (models.Failure, operations.FailureRead),
    (models.Forecast, forecasts.ForecastRead),
    (models.Grant, access.GrantRead),
    (models.HomeKey, home_keys.HomeKeyRead),
    (models.Hub, connections.ConnectionRead),
    (models.HeldRow, operations.HeldRow),
    (models.Job, operations.JobRead),
    (models.Key, keys.KeyRead),
    (models.Layout, datasets.LayoutRead),
    (models.Ledger, ledgers.LedgerRead),
    (models.LedgerReads, ledgers.ReadsRead),
    (models.Me, sessions.SessionRead),
    (models.NewToken, tokens.TokenCreated),
    (models.Notice, notifications.NotificationRead),
    (models.Organisation, organisations.OrganisationBrief),
    (models.Party, access.Party),
    (models.Phase, distillations.Progress),
    (models.Queue, operations.QueueRead),
    (models.RefusedFiles, datasets.RefusedFilesRead),
    (models.Release, releases.ReleaseRead),
    (models.ReleaseBrief, releases.ReleaseBrief),
    (models.ReleaseKey, releases.KeyOfRelease),
    (models.ReleaseOverride, releases.OverrideShown),
    (models.ReleaseWarning, releases.WarningRead),
    (models.ScheduledBackup, operations.ScheduledBackupRead),
    (models.Score, releases.ScoreRead),
    (models.ServiceStatus, operations.StatusRead),
    (models.Share, shares.ShareRead),
    (models.Terms, releases.TermsRead),
    (models.Token, tokens.TokenRead),
    (models.Training, trainings.TrainingRead),
    (models.Upload, uploads.UploadRead),
    (models.Worker, operations.WorkerRead),
    (models.Upkeep, operations.ServiceRead),
]


@pytest.mark.parametrize(("ours", "sent"), PAIRS, ids=lambda model: model.__name__)
def test_the_portal_sends_what_the_client_reads(ours, sent):
    assert set(ours.model_fields) <= set(sent.model_fields)


def test_no_row_is_forgotten():
    rows = {
        value
        for value in vars(models).values()
        if isinstance(value, type) and issubclass(value, models.Row)
    }
    # Problems are no model of the portal's but RFC 9457's; refused files have no model there.
    assert rows - {models.Row, models.Problem, models.RefusedFile} == {ours for ours, _ in PAIRS}
