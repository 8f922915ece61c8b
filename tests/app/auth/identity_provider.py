"""A provider in a process of its own: `oidc-provider-mock`, as strict as real ones are.

It checks PKCE, which the package leaves out, and names its key in each token. A person's claims go
into the ID token as they are, whatever they overwrite; these ask for more:

- `only_asked`: the address is told by the userinfo endpoint alone, as many providers do.
- `swapped`: the ID token names this subject, and the userinfo endpoint the real one.
- `signed`: `by another` uses a key that is not published, `none` none, and `with the public key`
  takes that for a secret that both sides share.

`POST /new-key` changes the key, as providers do every few months. The first line on standard output
is the address.
"""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode

import flask
import werkzeug.serving
from authlib.jose import RSAKey
from authlib.oauth2.rfc6749 import InvalidGrantError, InvalidRequestError
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwk, jwt
from oidc_provider_mock import _app

ANOTHER_KEY = RSAKey.generate_key(is_private=True)
challenges = {}


class StrictGrant(_app.AuthorizationCodeGrant):
    def validate_authorization_request(self):
        asked = flask.request.args
        if not asked.get("code_challenge") or asked.get("code_challenge_method") != "S256":
            raise InvalidRequestError("PKCE is required")
        return super().validate_authorization_request()

    def save_authorization_code(self, code, request):
        super().save_authorization_code(code, request)
        challenges[code] = flask.request.args["code_challenge"]

    def validate_token_request(self):
        super().validate_token_request()
        verifier = flask.request.form.get("code_verifier", "")
        if create_s256_code_challenge(verifier) != challenges[flask.request.form["code"]]:
            raise InvalidGrantError("The code was asked for by somebody else")


class Peculiar(_app.OpenIDCode):
    def generate_user_info(self, user, scope):
        claims = super().generate_user_info(user, scope)
        if user.claims.get("only_asked"):
            claims.pop("email", None)
            claims.pop("email_verified", None)
        claims["sub"] = user.claims.get("swapped", user.sub)
        return claims

    def encode_id_token(self, token, request):
        payload = super().encode_id_token(token, request).split(".")[1]
        claims = json.loads(urlsafe_b64decode(payload + "=="))
        key, kid = _app.storage.jwk, _app.storage.jwk.thumbprint()
        how = claims.get("signed")
        if how == "none":
            return encode({"alg": "none"}, claims, lambda _: b"")
        if how == "with the public key":
            public = key.as_pem(is_private=False)
            return encode(
                {"alg": "HS256", "kid": kid},
                claims,
                lambda text: hmac.digest(public, text, hashlib.sha256),
            )
        if how == "by another":
            key = ANOTHER_KEY
        private = jwk.RSAKey.import_key(key.as_dict(is_private=True))
        return jwt.encode({"alg": "RS256", "kid": kid}, claims, private)


def encode(header, claims, sign):
    parts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, claims)]
    parts.append(urlsafe_b64encode(sign(b".".join(parts))).rstrip(b"="))
    return b".".join(parts).decode()


def main():
    _app.AuthorizationCodeGrant = StrictGrant
    _app.OpenIDCode = Peculiar
    app = _app.app(require_client_registration=True, require_nonce=True)

    @app.post("/new-key")
    def new_key():
        _app.storage.jwk = RSAKey.generate_key(is_private=True)
        return "", 204

    server = werkzeug.serving.make_server("127.0.0.1", 0, app, threaded=True)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


main()
