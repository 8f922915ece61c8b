"""OpenID Connect client for single sign-on: code flow with PKCE.

Authlib speaks OAuth; here is what a relying party has to hold itself to (OpenID Connect Core 1.0).
What the provider publishes of itself is kept for an hour. It is asked without holding a thread, and
one that does not answer is left alone for some seconds: whoever signs in with a password never
waits for it.
"""

import asyncio
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import httpx2
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import KeySet

from app.core.errors import BadRequest, Problem
from app.core.settings import Settings

CALLBACK = "/api/v1/session/oidc/callback"
SCOPE = "openid profile email"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""Algorithms with a private key that only the provider has: no HMAC, and never `none`."""

SECONDS_TO_ANSWER = 10.0
SECONDS_LEFT_ALONE = 10.0
SECONDS_KEPT = 3600.0
SECONDS_BETWEEN_KEYS = 30.0
"""Pause between two downloads of the keys, however often unknown keys are named."""
LEEWAY_SECONDS = 60


class ProviderUnreachable(Problem):
    status = 503
    code = "identity-provider-unreachable"
    title = "The identity provider does not answer"


class ProviderNotTrusted(Problem):
    status = 502
    code = "identity-provider-answer"
    title = "The identity provider's answer cannot be trusted"


class CodeNotValid(BadRequest):
    code = "oidc-code-not-valid"
    title = "This sign-in was used before, or took too long"


@dataclass(frozen=True)
class Attempt:
    """Secrets of a sign-in attempt, known only to the browser that began it."""

    state: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(32))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48))


@dataclass(frozen=True)
class Identity:
    """Identity that the provider asserts.

    Attributes:
        issuer: The provider.
        subject: Never given to anybody else by this provider.
        email: As asserted; None where absent.
        verified: The provider has seen that the address is theirs.
        name: As asserted; empty where absent.
    """

    issuer: str
    subject: str
    email: str | None
    verified: bool
    name: str


class Provider:
    """One provider, and this portal as its client."""

    def __init__(self, issuer: str, client_id: str, client_secret: str, redirect_uri: str) -> None:
        self.issuer = issuer
        self._client_id = client_id
        self._client_secret = client_secret
        self._redirect_uri = redirect_uri
        self._fetching = asyncio.Lock()
        self._left_alone_until = 0.0
        self._published: dict[str, Any] = {}
        self._published_until = 0.0
        self._keys: KeySet | None = None
        self._keys_fetched_at = 0.0

    @classmethod
    def of(cls, settings: Settings) -> Self | None:
        """The provider of the settings; None where they name none."""
        if not settings.oidc_issuer:
            return None
        return cls(
            settings.oidc_issuer,
            settings.oidc_client_id,
            settings.oidc_client_secret.get_secret_value(),
            settings.public_url + CALLBACK,
        )

    async def address_for(self, attempt: Attempt) -> str:
        """Address to send the browser to. Raises ProviderUnreachable, ProviderNotTrusted."""
        published = await self._metadata()
        url, _ = self._client(published).create_authorization_url(
            published["authorization_endpoint"],
            state=attempt.state,
            nonce=attempt.nonce,
            code_verifier=attempt.verifier,
        )
        return str(url)

    async def identify(self, code: str, attempt: Attempt) -> Identity:
        """Exchange the code for an identity.

        Raises:
            CodeNotValid: The provider does not know the code (any more), or not from this attempt.
            ProviderUnreachable: It does not answer.
            ProviderNotTrusted: It answers something that does not prove who it is about.
        """
        published = await self._metadata()
        async with self._client(published) as client:
            tokens = await self._exchange(client, published, code, attempt)
            claims = await self._check(str(tokens.get("id_token", "")), attempt, tokens)
            about = dict(claims)
            if not about.get("email") and "userinfo_endpoint" in published:
                about |= await self._fetch_user_info(client, published, claims["sub"])
        return _identity(self.issuer, about)

    def _client(self, published: Mapping[str, Any]) -> AsyncOAuth2Client:
        method = "none"
        if self._client_secret:
            known = published.get("token_endpoint_auth_methods_supported") or [
                "client_secret_basic"
            ]
            basic = "client_secret_basic" in known
            method = "client_secret_basic" if basic else "client_secret_post"
        return AsyncOAuth2Client(
            client_id=self._client_id,
            client_secret=self._client_secret or None,
            token_endpoint_auth_method=method,
            scope=SCOPE,
            redirect_uri=self._redirect_uri,
            code_challenge_method="S256",
            timeout=SECONDS_TO_ANSWER,
        )

    async def _exchange(
        self,
        client: AsyncOAuth2Client,
        published: Mapping[str, Any],
        code: str,
        attempt: Attempt,
    ) -> Mapping[str, Any]:
        try:
            tokens: Mapping[str, Any] = await client.fetch_token(
                published["token_endpoint"],
                grant_type="authorization_code",
                code=code,
                code_verifier=attempt.verifier,
            )
        except OAuthError as error:
            if error.error == "invalid_grant":
                raise CodeNotValid("You were not signed in. Begin again at the sign-in.") from None
            raise _not_trusted("it does not accept this portal as its client") from None
        except (httpx2.HTTPError, ValueError) as error:
            raise self._unreachable(error) from None
        return tokens

    async def _check(
        self, id_token: str, attempt: Attempt, tokens: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The ID token's claims, when each of the checks of OpenID Connect Core 3.1.3.7 holds."""
        try:
            token = await self._decode(id_token)
            claims = CodeIDToken(
                token.claims,
                token.header,
                options={
                    "iss": {"essential": True, "value": self.issuer},
                    "aud": {"essential": True, "value": self._client_id},
                },
                params={
                    "client_id": self._client_id,
                    "nonce": attempt.nonce,
                    "access_token": tokens.get("access_token"),
                },
            )
            claims.validate(leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError) as error:
            # Of the reason only the kind: its text may repeat what the token says.
            raise _not_trusted(f"its token fails the check: {type(error).__name__}") from None
        subject = claims["sub"]
        if not (isinstance(subject, str) and 0 < len(subject) <= 255 and subject.isprintable()):
            raise _not_trusted("it names no person")
        checked: Mapping[str, Any] = claims
        return checked

    async def _decode(self, id_token: str) -> jwt.Token:
        try:
            return jwt.decode(id_token, await self._key_set(), algorithms=list(ALGORITHMS))
        except InvalidKeyIdError:
            # Providers change their keys, and sign with a new one at once.
            keys = await self._key_set(renew=True)
            return jwt.decode(id_token, keys, algorithms=list(ALGORITHMS))

    async def _fetch_user_info(
        self, client: AsyncOAuth2Client, published: Mapping[str, Any], subject: str
    ) -> dict[str, Any]:
        """Claims of the user-info endpoint: many providers give the address only there."""
        try:
            reply = await client.get(published["userinfo_endpoint"])
            reply.raise_for_status()
            about = reply.json()
        except (httpx2.HTTPError, OAuthError, ValueError) as error:
            raise self._unreachable(error) from None
        if not isinstance(about, dict) or about.get("sub") != subject:
            raise _not_trusted("it is about another person")
        return about

    async def _metadata(self) -> dict[str, Any]:
        async with self._fetching:
            if time.monotonic() >= self._published_until:
                found = await self._fetch(f"{self.issuer}/.well-known/openid-configuration")
                self._published = self._checked(found)
                self._published_until = time.monotonic() + SECONDS_KEPT
            return self._published

    def _checked(self, found: dict[str, Any]) -> dict[str, Any]:
        if found.get("issuer") != self.issuer:
            raise _not_trusted("it calls itself something else than EXCHANGE_OIDC_ISSUER")
        scheme = urlsplit(self.issuer).scheme
        needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        urls = [found[name] for name in (*needed, "userinfo_endpoint") if name in found]
        if not all(name in found for name in needed) or not all(
            isinstance(url, str) and urlsplit(url).scheme in ("https", scheme) for url in urls
        ):
            raise _not_trusted("it does not say where to sign in")
        return found

    async def _key_set(self, *, renew: bool = False) -> KeySet:
        async with self._fetching:
            age = time.monotonic() - self._keys_fetched_at
            most = SECONDS_BETWEEN_KEYS if renew else SECONDS_KEPT
            if self._keys is None or age >= most:
                found = await self._fetch(self._published["jwks_uri"])
                try:
                    self._keys = KeySet.import_key_set({"keys": list(found["keys"])})
                except (JoseError, ValueError, KeyError, TypeError):
                    raise _not_trusted("its keys cannot be read") from None
                self._keys_fetched_at = time.monotonic()
            return self._keys

    async def _fetch(self, url: str) -> dict[str, Any]:
        if time.monotonic() < self._left_alone_until:
            raise self._silent()
        try:
            async with httpx2.AsyncClient(timeout=SECONDS_TO_ANSWER) as client:
                reply = await client.get(url, headers={"Accept": "application/json"})
            reply.raise_for_status()
            found = reply.json()
        except (httpx2.HTTPError, ValueError) as error:
            raise self._unreachable(error) from None
        if not isinstance(found, dict):
            raise _not_trusted("it answers with something else than it should")
        return found

    def _unreachable(self, error: Exception) -> Problem:
        if not isinstance(error, httpx2.TransportError):
            return _not_trusted("it answers with an error")
        self._left_alone_until = time.monotonic() + SECONDS_LEFT_ALONE
        return self._silent()

    def _silent(self) -> ProviderUnreachable:
        return ProviderUnreachable(
            "You were not signed in. Try again in a moment, or sign in with your password.",
            headers={"Retry-After": str(round(SECONDS_LEFT_ALONE))},
        )


def _not_trusted(reason: str) -> ProviderNotTrusted:
    return ProviderNotTrusted(
        f"You were not signed in: {reason}. Sign in with your password, and inform the operator of "
        "this portal."
    )


def _identity(issuer: str, about: Mapping[str, Any]) -> Identity:
    email, name = about.get("email"), about.get("name")
    return Identity(
        issuer=issuer,
        subject=about["sub"],
        email=email if isinstance(email, str) and email else None,
        # Some providers write it as a text.
        verified=about.get("email_verified") in (True, "true"),
        name=name if isinstance(name, str) else "",
    )
