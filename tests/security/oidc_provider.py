"""A small OpenID provider over HTTP: discovery, authorize, token, userinfo and keys, as the standard has them.

It looks at what it is asked as a real one does, and a test may have it lie in one thing.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT_ID, CLIENT_SECRET = "evenhand", "a secret of both"


def new_key() -> Any:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def _own_key() -> Any:
    return new_key()


@dataclass
class Provider:
    """One person is logged in there: `person` is what the provider says of them."""

    issuer: str = ""
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "person-1", "email": "ada@example.org", "email_verified": True}
    )
    in_token: tuple[str, ...] = ("email", "email_verified")  # the rest is in userinfo alone
    alter: Callable[[dict[str, Any]], None] = lambda claims: None  # of the ID token, before it is signed
    sign: Callable[[dict[str, Any]], str] | None = None
    userinfo_sub: str = ""
    discovery: dict[str, Any] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: _own_key())
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)

    def configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "userinfo_endpoint": f"{self.issuer}/userinfo",
            "jwks_uri": f"{self.issuer}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
            **self.discovery,
        }

    def keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": "1", "use": "sig", "alg": "RS256"}]}

    def authorize(self, asked: dict[str, str]) -> str:
        assert asked["response_type"] == "code" and asked["client_id"] == CLIENT_ID
        assert "openid" in asked["scope"].split() and "email" in asked["scope"].split()
        assert asked["code_challenge_method"] == "S256" and asked["nonce"] and asked["state"]
        code = secrets.token_hex(8)
        self.codes[code] = asked
        return f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}"

    def token(self, asked: dict[str, str]) -> dict[str, Any]:
        first = self.codes.pop(asked["code"])
        assert asked["grant_type"] == "authorization_code" and asked["redirect_uri"] == first["redirect_uri"]
        assert (asked["client_id"], asked["client_secret"]) == (CLIENT_ID, CLIENT_SECRET)
        digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == first["code_challenge"]
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": int(time.time()),
            "exp": int(time.time()) + 300,
            "nonce": first["nonce"],
            "sub": self.person["sub"],
            **{name: self.person[name] for name in self.in_token if name in self.person},
        }
        self.alter(claims)
        signed = (self.sign or self.signed)(claims)
        access = secrets.token_hex(8)
        self.tokens.add(access)
        return {"access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": signed}

    def signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self.key, algorithm="RS256", headers={"kid": "1"})


@contextmanager
def providing() -> Iterator[Provider]:
    """A provider on a free port of this machine."""
    provider = Provider()

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            asked = {name: values[0] for name, values in parse_qs(url.query).items()}
            provider.asked.append(url.path)
            if url.path == "/.well-known/openid-configuration":
                self.tell(provider.configuration())
            elif url.path == "/keys":
                self.tell(provider.keys())
            elif url.path == "/userinfo":
                assert self.headers["Authorization"].removeprefix("Bearer ") in provider.tokens
                sub = provider.userinfo_sub or provider.person["sub"]
                self.tell({**provider.person, "sub": sub})
            elif url.path == "/authorize":
                self.send_response(302)
                self.send_header("Location", provider.authorize(asked))
                self.end_headers()
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            provider.asked.append(self.path)
            assert self.path == "/token"
            self.tell(provider.token({name: values[0] for name, values in parse_qs(body).items()}))

        def tell(self, answer: dict[str, Any]) -> None:
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    provider.issuer = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
