"""Single sign-on from both sides of it: an application, and a browser that follows no redirect by itself."""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import jwt
import requests
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from local.clients.browse import session
from local.suite import Suite
from ops.auth_clients import ID_TOKEN_ALGORITHMS, SIGN_ON_SCOPES, register
from ops.public_keys import public_jwk

__all__ = ["CALLBACK", "GOODBYE", "Application", "Form", "Visitor", "told"]

CALLBACK = "https://app.example/callback"
GOODBYE = "https://app.example/goodbye"
ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Application:
    """A registered application.

    Args:
        suite: Where.
        title: What people read.
        public: Whether it has no key, and PKCE alone protects it.
        trusted: Whether people are not asked for consent; those of one without a key are.
        redirect_uris: Its callbacks.
        logout_uris: Where people go after signing out.
        id_token_alg: What its ID tokens are signed with.
        resources: What its access tokens are for.
        key: Its private key, P-256 or RSA; a new P-256 one by default.
    """

    def __init__(
        self,
        suite: Suite,
        title: str = "An application",
        *,
        public: bool = False,
        trusted: bool = True,
        redirect_uris: tuple[str, ...] = (CALLBACK,),
        logout_uris: tuple[str, ...] = (GOODBYE,),
        id_token_alg: str = ID_TOKEN_ALGORITHMS[0],
        resources: tuple[str, ...] = (),
        key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None,
    ) -> None:
        self.suite, self.url = suite, str(suite["AuthApiUrl"])
        self.id, self.title = f"app-{secrets.token_hex(6)}", title
        self.redirect_uri, self.public, self.id_token_alg = redirect_uris[0], public, id_token_alg
        self.key, self.kid = key or ec.generate_private_key(ec.SECP256R1()), "k1"
        self.verifier, self.nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(12)
        self._registration: dict[str, Any] = {
            "trusted": trusted and not public,
            "redirect_uris": redirect_uris,
            "logout_uris": logout_uris,
            "id_token_alg": id_token_alg,
            "resources": resources,
        }
        self.register()

    def register(self, **changes: Any) -> None:
        """Register it, or register it over again, with changes of what `ops.auth_clients.register` takes."""
        pem = self.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        jwk = public_jwk(pem, self.kid)
        self.algorithm = jwk["alg"]
        keys = [] if self.public else [jwk]
        given = {"sign_on_scopes": SIGN_ON_SCOPES} | self._registration | changes
        register(
            self.suite.client,
            self.suite.outputs,
            self.id,
            company="shop",
            title=self.title,
            keys=keys,
            **given,
        )

    def request(self, **changes: str | None) -> dict[str, str]:
        """Return the parameters of an authorization request; None removes one."""
        challenge = urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).rstrip(b"=").decode()
        parameters: dict[str, str | None] = {
            "response_type": "code",
            "client_id": self.id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid email",
            "state": "the state",
            "nonce": self.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        return {name: value for name, value in (parameters | changes).items() if value is not None}

    def assertion(self, **changes: Any) -> str:
        """Return a JWT with which the application proves who it is."""
        now = int(time.time())
        claims = {
            "iss": self.id,
            "sub": self.id,
            "aud": self.url,
            "iat": now,
            "exp": now + 60,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode(claims | changes, self.key, self.algorithm, {"kid": self.kid})

    def token(self, **form: str | None) -> requests.Response:
        """Ask the token endpoint; the application's authentication is added, None removes a field."""
        fields: dict[str, str | None] = {"client_id": self.id}
        if not self.public:
            fields |= {"client_assertion_type": ASSERTION, "client_assertion": self.assertion()}
        sent = {name: value for name, value in (fields | form).items() if value is not None}
        return self.suite.http.post(f"{self.url}/oauth2/token", data=sent)

    def exchange(self, code: str, /, **changes: str | None) -> requests.Response:
        """Exchange a code."""
        form: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }
        return self.token(**(form | changes))

    def refresh(self, refresh_token: str, /, **changes: str | None) -> requests.Response:
        """Exchange a refresh token."""
        return self.token(**({"grant_type": "refresh_token", "refresh_token": refresh_token} | changes))

    def userinfo(self, access_token: str) -> requests.Response:
        """Ask who the person is."""
        headers = {"Authorization": f"Bearer {access_token}"}
        return self.suite.http.get(f"{self.url}/oauth2/userinfo", headers=headers)

    def read(self, id_token: str, audience: str | None = None) -> dict[str, Any]:
        """Return the claims of an ID token, verified as an application verifies them."""
        keys = self.suite.http.get(f"{self.url}/.well-known/jwks.json").json()["keys"]
        kid = jwt.get_unverified_header(id_token)["kid"]
        key = jwt.PyJWK(next(key for key in keys if key["kid"] == kid))
        claims: dict[str, Any] = jwt.decode(
            id_token, key, [self.id_token_alg], audience=audience or self.id, issuer=self.url
        )
        return claims


@dataclass
class Form(HTMLParser):
    """The one form of a page.

    Attributes:
        page: The page.
        action: Where it goes.
        fields: What it carries by itself.
        names: Names of what people fill in.
    """

    page: requests.Response
    action: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.page.text)
        if not self.action:
            raise ValueError(f"{self.page.status_code}: a page without a form")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.action = urljoin(self.page.url, given["action"])
        elif tag == "input" and given.get("type") == "hidden":
            self.fields[given["name"]] = given["value"]
        elif tag == "input":
            self.names.append(given["name"])


class Visitor:
    """A browser of its own, cookies and all.

    Args:
        suite: Where.
    """

    def __init__(self, suite: Suite) -> None:
        self.url = str(suite["AuthApiUrl"])
        self.http = session()

    def get(
        self, path: str, parameters: Mapping[str, str] | list[tuple[str, str]] | None = None
    ) -> requests.Response:
        """Go to an address of the sign-on."""
        return self.http.get(f"{self.url}{path}", params=parameters, allow_redirects=False)

    def post(self, path: str, form: Mapping[str, str] | list[tuple[str, str]]) -> requests.Response:
        """Send a form that some page might have."""
        return self.http.post(f"{self.url}{path}", data=form, allow_redirects=False)

    def open(self, parameters: Mapping[str, str] | list[tuple[str, str]]) -> requests.Response:
        """Come from an application."""
        return self.get("/oauth2/authorize", parameters)

    def submit(self, page: requests.Response, **filled: str) -> requests.Response:
        """Send the page's form."""
        form = Form(page)
        return self.http.post(form.action, data=form.fields | filled, allow_redirects=False)

    def through(self, answer: requests.Response, email: str, password: str) -> list[requests.Response]:
        """Do what page after page asks for, consenting, until they send us away.

        Returns:
            All answers, of which the last is the redirect.
        """
        filled = {"login": {"email": email, "password": password}, "consent": {"decision": "allow"}}
        answers = [answer]
        while answers[-1].status_code == 200:
            step = Form(answers[-1]).action.rpartition("/")[2]
            answers.append(self.submit(answers[-1], **filled[step]))
        return answers

    def sign_in(
        self, application: Application, email: str, password: str, **request: str | None
    ) -> requests.Response:
        """Come from an application, and fill the log-in page in."""
        return self.submit(self.open(application.request(**request)), email=email, password=password)

    @property
    def cookie(self) -> str:
        """The value of the one cookie."""
        [value] = [each.value for each in self.http.cookies]
        return value or ""


def told(answer: requests.Response, callback: str = CALLBACK) -> dict[str, str]:
    """Return what an application is told by a redirect to its callback.

    Raises:
        ValueError: The answer leads elsewhere, or tells something twice.
    """
    location = urlsplit(answer.headers.get("Location", ""))
    if answer.status_code != 303 or location._replace(query="").geturl() != callback:
        raise ValueError(f"{answer.status_code}: not a redirect to {callback}: {answer.text}")
    values = parse_qs(location.query, strict_parsing=True, keep_blank_values=True)
    if any(len(each) != 1 for each in values.values()):
        raise ValueError("something is told twice")
    return {name: each[0] for name, each in values.items()}
