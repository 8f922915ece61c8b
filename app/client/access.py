"""Access requests and grants, as a client sends and decides them."""

from collections.abc import Iterator
from datetime import datetime

from app.client.accounts import time_of
from app.client.addresses import id_of
from app.client.models import AccessRequest, Direction, Grant
from app.client.transport import Transport, parse


class Requests:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def ask(self, release_id: str, purpose: str) -> AccessRequest:
        """Request access to a release, in the account's name."""
        path = f"/releases/{id_of(release_id)}/access-requests"
        return self._transport.post(path, AccessRequest, {"purpose": purpose}, once=True)

    def change(self, request_id: str, purpose: str) -> AccessRequest:
        """Change the purpose of an open request, as after it was returned; it is asked anew.

        Raises PortalError `changed-meanwhile` where somebody changed or decided it meanwhile.
        """
        path = f"/access-requests/{id_of(request_id)}"
        etag = self._transport.request("GET", path).headers.get("ETag", "*")
        headers = {"If-Match": etag}
        reply = self._transport.request("PATCH", path, json={"purpose": purpose}, headers=headers)
        return parse(AccessRequest, reply)

    def cancel(self, request_id: str) -> AccessRequest:
        """Cancel an own request."""
        return self._decide(request_id, "cancel")

    def get(self, request_id: str) -> AccessRequest:
        return self._transport.read(f"/access-requests/{id_of(request_id)}", AccessRequest)

    def list(
        self,
        *,
        direction: Direction | None = None,
        status: str | None = None,
        release_id: str | None = None,
    ) -> Iterator[AccessRequest]:
        """Newest first. What is None does not narrow it."""
        params = {"direction": direction, "status": status, "release_id": release_id}
        return self._transport.rows("/access-requests", AccessRequest, params)

    def grant(self, request_id: str, *, expires_at: datetime | None = None) -> AccessRequest:
        """Grant it; its `grant_id` is what the requester accepts the terms of."""
        return self._decide(request_id, "grant", expires_at=time_of(expires_at))

    def send_back(self, request_id: str, reason: str) -> AccessRequest:
        """Return it with a reason, to be changed and sent again."""
        return self._decide(request_id, "return", reason=reason)

    def deny(self, request_id: str, reason: str) -> AccessRequest:
        return self._decide(request_id, "deny", reason=reason)

    def _decide(self, request_id: str, step: str, **body: str | None) -> AccessRequest:
        path = f"/access-requests/{id_of(request_id)}/{step}"
        return self._transport.post(path, AccessRequest, body, once=False)


class Grants:
    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def give(
        self, release_id: str, organisation_id: str, *, expires_at: datetime | None = None
    ) -> Grant:
        """Grant an organisation access without a request."""
        body = {"organisation_id": organisation_id, "expires_at": time_of(expires_at)}
        path = f"/releases/{id_of(release_id)}/grants"
        return self._transport.post(path, Grant, body, once=True)

    def get(self, grant_id: str) -> Grant:
        return self._transport.read(f"/grants/{id_of(grant_id)}", Grant)

    def list(
        self, *, direction: Direction | None = None, release_id: str | None = None
    ) -> Iterator[Grant]:
        """Newest first: those given (`received`), those that one has (`sent`), or both."""
        params = {"direction": direction, "release_id": release_id}
        return self._transport.rows("/grants", Grant, params)

    def accept(self, grant_id: str, terms_sha256: str) -> Grant:
        """Accept the release's terms in the user's name, for the organisation.

        Args:
            grant_id: The grant.
            terms_sha256: Of the text that was read, in hexadecimal digits.
        """
        path = f"/grants/{id_of(grant_id)}/acceptance"
        return self._transport.post(path, Grant, {"terms_sha256": terms_sha256}, once=False)

    def revoke(self, grant_id: str, reason: str) -> Grant:
        """End an organisation's access, with a reason that it reads."""
        path = f"/grants/{id_of(grant_id)}/revoke"
        return self._transport.post(path, Grant, {"reason": reason}, once=False)
