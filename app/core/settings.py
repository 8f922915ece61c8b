"""Settings: the environment with the prefix EXCHANGE_, a `.env` file, and secrets from files.

The defaults are those of one machine: SQLite and a folder, both below `data_dir`. A cluster
sets `EXCHANGE_DATABASE_URL`, `EXCHANGE_BROKER_URL` and `EXCHANGE_STORAGE_URL`; nothing else
differs.
"""

from datetime import timedelta
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote, urlsplit

from limits import RateLimitItem
from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from app.core.networks import parse_networks
from app.core.ratelimit import parse_rate


class PortalRole(StrEnum):
    """What a portal is for: a hospital's own work, or a hub between hospitals."""

    HOSPITAL = "hospital"
    HUB = "hub"


MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE


LONGEST_LEASE_SECONDS = 600
FEWEST_SECRET_CHARACTERS = 32
PLACEHOLDERS = ("changeme", "change-me", "change_me", "secret", "example", "placeholder")


def _is_rate(text: str) -> str:
    parse_rate(text)
    return text


Rate = Annotated[str, AfterValidator(_is_rate)]


def _public_url(values: dict[str, object]) -> dict[str, str]:
    """The address that the portal listens at, where no other one is given."""
    port = str(values.get("port") or "")
    if values.get("public_url") or not port.isdecimal() or int(port) == 0:
        return {}
    host = str(values.get("host") or "")
    if host in ("", "0.0.0.0", "::"):  # noqa: S104 (where it listens, of which none is a link)
        host = "127.0.0.1"
    return {"public_url": f"http://{bracketed(host)}:{int(port)}"}


def bracketed(host: str) -> str:
    """As it stands in an address: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _with_password(url: str, password: object) -> str:
    """The address of a server with the password, where it names none."""
    secret = password.get_secret_value() if isinstance(password, SecretStr) else str(password or "")
    parts = urlsplit(url)
    if not secret or not parts.hostname or parts.password is not None:
        return url
    _, _, place = parts.netloc.rpartition("@")
    user = parts.username or ""
    return parts._replace(netloc=f"{user}:{quote(secret, safe='')}@{place}").geturl()


class SecretFiles(SecretsSettingsSource):
    """The files of the folder that `secrets_dir` names."""

    def __call__(self) -> dict[str, object]:
        self.secrets_dir = self.current_state.get("secrets_dir")
        if not self.secrets_dir:
            return {}
        if not Path(self.secrets_dir).is_dir():
            raise SettingsError(f"EXCHANGE_SECRETS_DIR: {self.secrets_dir} is not a folder.")
        try:
            return super().__call__()
        except (OSError, SettingsError) as error:
            cause = error if isinstance(error, OSError) else error.__cause__
            if not isinstance(cause, OSError):
                raise
            raise SettingsError(
                f"EXCHANGE_SECRETS_DIR: {cause.filename} cannot be read: {cause.strerror}."
            ) from None


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="EXCHANGE_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        # Some are secrets, and the message ends in a log.
        hide_input_in_errors=True,
    )

    role: PortalRole = Field(
        default=PortalRole.HOSPITAL,
        description="`hospital`: everything. `hub`: between hospitals, with releases, requests and "
        "grants, and without datasets, distillations, broker or workers.",
    )
    data_dir: Path = Field(
        default=Path("exchange-data"),
        description="Folder of the embedded service: database, objects, broker, logs.",
    )
    database_url: str = Field(
        default="",
        description="SQLAlchemy URL. Empty: SQLite in the data folder.",
    )
    broker_url: str = Field(
        default="redis://127.0.0.1:6379/0",
        description="Redis or Valkey; `redis+socket:///path` for a unix socket.",
    )
    storage_url: str = Field(
        default="",
        description="Where objects live: `file:///folder`, `s3://bucket/prefix`. "
        "Empty: a folder in the data folder. S3 credentials: AWS_* variables.",
    )

    secrets_dir: Path | None = Field(
        default=None,
        description="Folder with a file for each secret, named as its variable in lower case: "
        "`exchange_secret_key`. A variable wins over its file. Empty: there are none.",
    )
    database_password: SecretStr = Field(
        default=SecretStr(""),
        description="Password of the database, where EXCHANGE_DATABASE_URL names none.",
    )
    broker_password: SecretStr = Field(
        default=SecretStr(""),
        description="Password of the broker, where EXCHANGE_BROKER_URL names none.",
    )
    storage_secret_key: SecretStr = Field(
        default=SecretStr(""),
        description="Secret access key of S3. Empty: AWS_SECRET_ACCESS_KEY.",
    )

    host: str = Field(default="127.0.0.1", description="Address the portal listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port; 0 takes a free one.")
    portals: int = Field(
        default=1,
        ge=1,
        le=16,
        description="Processes of the portal that `exchange up` runs. Several share its port and "
        "answer more requests; each counts rate limits and `/metrics` for itself.",
    )
    trusted_proxies: str = Field(
        default="",
        description="Networks, separated by commas, of the proxies in front of the portal: "
        "`127.0.0.1, 172.16.0.0/12`. Whom a request comes from, it is told by their "
        "`X-Forwarded-For` alone. Empty: by nobody's, and limits count the address that connects.",
    )
    log_level: str = Field(
        default="INFO",
        pattern="(?i)^(debug|info|warning|error)$",
        description="DEBUG, INFO, WARNING or ERROR.",
    )
    log_format: Literal["plain", "json"] = Field(
        default="plain",
        description="plain for a terminal; json: one object a line, with the ids of request, job "
        "and organisation.",
    )
    otlp_endpoint: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="Collector of traces, OpenTelemetry over HTTP: `http://collector:4318`. Needs "
        "the extra `tracing`. Empty: `OTEL_EXPORTER_OTLP_ENDPOINT`, and without it no traces.",
    )

    public_url: str = Field(
        default="http://127.0.0.1:8000",
        pattern=r"^https?://[^/?#\s]+$",
        description="Where people reach the portal, for links in mails. Not set: this machine at "
        "the port that the portal listens at. With `https://` cookies are sent over HTTPS alone.",
    )
    secret_key: SecretStr = Field(
        default=SecretStr(""),
        description="Encrypts the organisations' signing keys. At least 32 characters. Empty: one "
        "is made and kept in the data folder; portals on several machines share one.",
    )
    previous_secret_key: SecretStr = Field(
        default=SecretStr(""),
        description="The EXCHANGE_SECRET_KEY before the present one: opens what was encrypted with "
        "it, until `exchange rotate-secret` has encrypted it again.",
    )
    session_hours: float = Field(
        default=12, gt=0, description="A browser's session ends after this long."
    )
    session_idle_minutes: float = Field(
        default=60, gt=5, description="Or after this long without a request."
    )
    invitation_days: float = Field(
        default=7, gt=0, description="How long a link to join, or to set a password, works."
    )
    sign_in_rate: Rate = Field(
        default="20/minute",
        description="Tries to sign in from one address.",
    )
    request_rate: Rate = Field(
        default="30000/minute",
        description="Requests from one address, and of one caller, to one portal process.",
    )
    oidc_issuer: str = Field(
        default="",
        description="Identity provider (OpenID Connect), as it calls itself. Empty: people sign in "
        "with passwords alone.",
    )
    oidc_client_id: str = Field(default="", description="This portal's name at the provider.")
    oidc_client_secret: SecretStr = Field(
        default=SecretStr(""),
        description="Its secret there; empty for a public client. The provider is told to lead "
        "back to `EXCHANGE_PUBLIC_URL` + `/api/v1/session/oidc/callback`.",
    )
    oidc_name: str = Field(
        default="your hospital's account", description="What the sign-in calls the provider."
    )

    smtp_url: SecretStr = Field(
        default=SecretStr(""),
        description="Mail server: `smtp://user:password@host:587` (STARTTLS), `smtps://…:465`. "
        "Empty: no mail is sent, and notices are in the portal alone.",
    )
    mail_from: str = Field(
        default="IADD Exchange <exchange@localhost>", description="Sender of mails."
    )

    mail_seconds: float = Field(
        default=5, gt=0, description="How often a portal looks for mails to send."
    )
    webhook_seconds: float = Field(
        default=5, gt=0, description="How often a portal looks for webhooks to send."
    )
    webhook_networks: str = Field(
        default="",
        description="Networks, separated by commas, that webhooks may go to, and hubs may be in, "
        "although they are not public: `10.20.0.0/16, fd00::/8`. Within them plain http:// is "
        "allowed too. Empty: public addresses over https:// alone.",
    )
    hub_seconds: float = Field(
        default=5,
        gt=0,
        description="How often a portal looks for what is to be sent to hubs. What failed is tried "
        "again after twice as long, then after four times, up to ten minutes.",
    )

    max_archive_bytes: int = Field(
        default=50 * GIBIBYTE, gt=0, description="Largest archive that an upload may bring."
    )
    reserve_bytes: int = Field(
        default=512 * MEBIBYTE,
        ge=0,
        description="Room that uploads leave free on the disc of the database and of the objects: "
        "below it they answer 507 and `/readyz` says so, while reading and deleting go on. "
        "0: uploads may fill the disc.",
    )
    keep_archives: bool = Field(
        default=False,
        description="Keep uploaded archives after their pictures were read. They hold headers and "
        "file names, which may name patients; nothing of the service needs them.",
    )
    scan_text: bool = Field(
        default=True,
        description="Look for text that is burned into uploaded pictures; until that is done, "
        "nothing distilled from them is released. Off: reports say that nobody looked.",
    )
    upload_days: float = Field(
        default=7, gt=0, description="An unfinished upload to which nothing comes is kept so long."
    )
    max_json_bytes: int = Field(
        default=MEBIBYTE, gt=0, description="Largest JSON body of any other request."
    )
    request_seconds: float = Field(
        default=30,
        gt=0,
        description="A request's headers have to be here after so long, and its JSON body after as "
        "long again. Archives are not limited while their bytes keep coming.",
    )
    idempotency_hours: float = Field(
        default=24, gt=0, description="How long an Idempotency-Key is remembered."
    )
    retention_days: float = Field(
        default=365,
        ge=0,
        description="Notices, ended invitations, forecasts that no distillation shows, and the "
        "progress and charts of distillations that ended are deleted after so long. Results, "
        "releases and logs of organisations never are. 0: nothing is.",
    )

    backup_hours: float = Field(
        default=0,
        ge=0,
        description="A portal makes a backup as often as this, into a folder of its own in "
        "`EXCHANGE_BACKUP_DIR`. 0: none is made.",
    )
    backup_dir: Path | None = Field(
        default=None,
        description="Folder of the scheduled backups, on another disc: they hold everything, the "
        "X-rays too. Portals on several machines share it.",
    )
    backup_keep: int = Field(
        default=7, ge=1, description="So many scheduled backups are kept, the newest ones."
    )

    lease_seconds: float = Field(
        default=20,
        gt=0,
        le=LONGEST_LEASE_SECONDS,
        description="A running row belongs to its worker for this long. At most 600.",
    )
    heartbeat_seconds: float = Field(
        default=5, gt=0, description="How often a worker renews its lease."
    )
    sweep_seconds: float = Field(
        default=10, gt=0, description="How often a portal looks for rows that nobody works on."
    )
    stale_seconds: float = Field(
        default=30,
        gt=0,
        description="A waiting row untouched for so long is suspected to have lost its message.",
    )
    visibility_timeout_seconds: int = Field(
        default=7 * 24 * 3600,
        gt=0,
        description="After this the broker hands an unacknowledged message out again. Above any "
        "task's duration, since leases and the sweeper take care of killed workers.",
    )
    event_poll_seconds: float = Field(
        default=0.5, gt=0, description="How often an event stream looks for new events."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings, SecretFiles(settings_cls)

    @model_validator(mode="before")
    @classmethod
    def _fill_urls(cls, values: dict[str, object]) -> dict[str, object]:
        data_dir = Path(str(values.get("data_dir") or cls.model_fields["data_dir"].default))
        data_dir = data_dir.expanduser().absolute()
        database_url = values.get("database_url") or f"sqlite:///{data_dir / 'exchange.db'}"
        broker_url = values.get("broker_url") or cls.model_fields["broker_url"].default
        return {
            **values,
            "data_dir": data_dir,
            "database_url": _with_password(str(database_url), values.get("database_password")),
            "broker_url": _with_password(str(broker_url), values.get("broker_password")),
            "storage_url": values.get("storage_url") or (data_dir / "objects").as_uri(),
            **_public_url(values),
        }

    @property
    def is_hub(self) -> bool:
        return self.role == PortalRole.HUB

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def webhook_networks_allowed(self) -> list[IPv4Network | IPv6Network]:
        return parse_networks(self.webhook_networks)

    @property
    def proxies_trusted(self) -> list[str]:
        return [str(network) for network in parse_networks(self.trusted_proxies)]

    @property
    def session_length(self) -> timedelta:
        return timedelta(hours=self.session_hours)

    @property
    def session_idle(self) -> timedelta:
        return timedelta(minutes=self.session_idle_minutes)

    @property
    def sign_in_limit(self) -> RateLimitItem:
        return parse_rate(self.sign_in_rate)

    @property
    def request_limit(self) -> RateLimitItem:
        return parse_rate(self.request_rate)

    @model_validator(mode="after")
    def _validate_networks(self) -> Self:
        for name in ("webhook_networks", "trusted_proxies"):
            try:
                parse_networks(getattr(self, name))
            except ValueError:
                raise ValueError(
                    f"EXCHANGE_{name.upper()} lists networks as in 10.20.0.0/16, separated by "
                    "commas"
                ) from None
        return self

    @model_validator(mode="after")
    def _validate_backups(self) -> Self:
        if self.backup_hours and self.backup_dir is None:
            raise ValueError("EXCHANGE_BACKUP_HOURS needs EXCHANGE_BACKUP_DIR beside it")
        return self

    @model_validator(mode="after")
    def _validate_secret_key(self) -> Self:
        secret = self.secret_key.get_secret_value()
        if secret and (
            len(secret) < FEWEST_SECRET_CHARACTERS
            or any(word in secret.lower() for word in PLACEHOLDERS)
        ):
            raise ValueError(
                "EXCHANGE_SECRET_KEY needs at least 32 random characters, and no placeholder: "
                "make one with `openssl rand -base64 48`"
            )
        if self.previous_secret_key.get_secret_value() and not secret:
            raise ValueError(
                "EXCHANGE_PREVIOUS_SECRET_KEY needs the new EXCHANGE_SECRET_KEY beside it"
            )
        return self

    @model_validator(mode="after")
    def _validate_identity_provider(self) -> Self:
        if not self.oidc_issuer:
            return self
        url = urlsplit(self.oidc_issuer)
        here = url.hostname in ("localhost", "127.0.0.1", "::1")
        if url.scheme != "https" and not (url.scheme == "http" and here):
            raise ValueError(
                "EXCHANGE_OIDC_ISSUER begins with https://: whoever can change what the provider "
                "says can sign in as anybody"
            )
        if not self.oidc_client_id:
            raise ValueError("EXCHANGE_OIDC_ISSUER needs EXCHANGE_OIDC_CLIENT_ID beside it")
        return self

    @model_validator(mode="after")
    def _validate_heartbeat(self) -> Self:
        if self.heartbeat_seconds * 2 > self.lease_seconds:
            raise ValueError(
                "EXCHANGE_HEARTBEAT_SECONDS must be at most half of EXCHANGE_LEASE_SECONDS, "
                "or one late heartbeat loses the lease"
            )
        return self


@lru_cache(maxsize=1)
def get_settings() -> Settings:
    """The process's settings, read from the environment once."""
    return Settings()
