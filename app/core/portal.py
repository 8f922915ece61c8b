"""Resources that one portal process holds open."""

from dataclasses import dataclass
from typing import Self

from anyio import CapacityLimiter

from app.core.db import Database
from app.core.digests import RunningDigests
from app.core.disc import Reserve
from app.core.oidc_client import Provider
from app.core.passwords import PasswordTurns
from app.core.queue import CeleryQueue, celery_app
from app.core.ratelimit import RateLimiter
from app.core.rounds import Rounds
from app.core.settings import Settings
from app.core.storage import Storage
from app.core.vault import Vault

FINISHING_AT_ONCE = 4
"""All other requests have 40 threads together."""


@dataclass(frozen=True)
class Portal:
    settings: Settings
    database: Database
    storage: Storage
    reserve: Reserve
    queue: CeleryQueue
    vault: Vault
    limiter: RateLimiter
    passwords: PasswordTurns
    provider: Provider | None
    digests: RunningDigests
    finishing: CapacityLimiter
    """Threads that bring uploads to their end: gigabytes are read there, and perhaps copied."""
    rounds: Rounds

    @classmethod
    def open(cls, settings: Settings) -> Self:
        queue = CeleryQueue(celery_app(settings))
        database = Database(settings.database_url, queue)
        storage = Storage.of(settings)
        reserve = Reserve.of(settings, storage)
        reserve.hold()
        return cls(
            settings=settings,
            database=database,
            storage=storage,
            reserve=reserve,
            queue=queue,
            vault=Vault.of(settings),
            limiter=RateLimiter(),
            passwords=PasswordTurns(),
            provider=Provider.of(settings),
            digests=RunningDigests(),
            finishing=CapacityLimiter(FINISHING_AT_ONCE),
            rounds=Rounds(),
        )

    def close(self) -> None:
        self.database.close()
        self.queue.close()
