import contextlib
from types import TracebackType
from typing import Self

from pydantic import BaseModel

from app.client.access import Grants, Requests
from app.client.accounts import Notices, Organisations, Tokens, who_am_i
from app.client.datasets import Datasets
from app.client.distillations import Distillations
from app.client.errors import PortalError
from app.client.hubs import Hubs
from app.client.log import Log
from app.client.models import Me, ServiceStatus
from app.client.releases import Releases
from app.client.signins import find_sign_in
from app.client.trainings import Trainings
from app.client.transport import Retries, Transport

DEFAULT_RETRIES = Retries()


class _Session(BaseModel):
    csrf_token: str


class PortalClient:
    """One portal, asked in one name. To be closed, or used as a context.

    Every method of its parts raises PortalError, and every list is an iterator that requests
    for the next page when it gets there. Nothing is shared between threads.

    Args:
        url: Root of the portal, as in `http://127.0.0.1:8000`.
        token: From `POST /api/v1/tokens`, `exchange login` or `exchange admin create-token`.
        retries: Number of attempts and pauses, where a retry is safe.

    Attributes:
        datasets: Raw images of the user's organisation.
        distillations: Distilled sets of them.
        releases: Releases of organisations.
        requests: Asking for a release.
        grants: Grants of access to releases.
        organisations: Participating organisations and their public keys.
        tokens: One's own.
        notices: Notices to the user.
        log: The organisation's audit log.
        trainings: Networks trained on releases, and scores of releases.
    """

    def __init__(self, url: str, token: str | None, *, retries: Retries | None = None) -> None:
        self._transport = Transport(url, token, retries or DEFAULT_RETRIES)
        self._has_session = False
        self.datasets = Datasets(self._transport)
        self.distillations = Distillations(self._transport)
        self.releases = Releases(self._transport)
        self.requests = Requests(self._transport)
        self.grants = Grants(self._transport)
        self.organisations = Organisations(self._transport)
        self.tokens = Tokens(self._transport)
        self.notices = Notices(self._transport)
        self.log = Log(self._transport)
        self.trainings = Trainings(self._transport)
        self.hubs = Hubs(self._transport)

    @classmethod
    def signed_in(cls, url: str | None = None, *, retries: Retries | None = None) -> Self:
        """A client with the sign-in of this user.

        Args:
            url: Which portal; without, `EXCHANGE_PORTAL_URL`, or the one signed in to last.
            retries: Number of attempts and pauses, where a retry is safe.

        Raises:
            PortalError: Nobody has signed in there, and `EXCHANGE_TOKEN` is not set.
        """
        address, token = find_sign_in(url)
        return cls(address, token, retries=retries)

    @classmethod
    def with_password(
        cls,
        url: str,
        email: str,
        password: str,
        *,
        code: str | None = None,
        retries: Retries | None = None,
    ) -> Self:
        """A client with a session like a browser's, which ends when the client is closed.

        Args:
            url: Address of the portal.
            email: Address of the account.
            password: Of the account.
            code: Of an authenticator app, where the account asks for one.
            retries: Number of attempts and pauses, where a retry is safe.

        Raises:
            PortalError: As `wrong-credentials`, `second-factor-needed` or `wrong-code`.
        """
        client = cls(url, None, retries=retries)
        body = {"email": email, "password": password}
        if code is not None:
            body["code"] = code
        try:
            session = client._transport.post("/session", _Session, body, once=False)
        except BaseException:
            client.close()
            raise
        client._transport.send_along("X-CSRF-Token", session.csrf_token)
        client._has_session = True
        return client

    @property
    def url(self) -> str:
        return self._transport.url

    def me(self) -> Me:
        """The caller's identity and permissions."""
        return who_am_i(self._transport)

    def service_status(self) -> ServiceStatus:
        """The whole service at a glance, for operators of the portal."""
        return self._transport.read("/operations/status", ServiceStatus)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        if self._has_session:
            self._has_session = False
            # One that cannot be ended now ends by itself, after an hour without a request.
            with contextlib.suppress(PortalError):
                self._transport.request("DELETE", "/session")
        self._transport.close()
