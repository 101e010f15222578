"""The requests of a Spring Security application, as it sends them; there is no Java here.

They are those of Spring Security's source (https://github.com/spring-projects/spring-security, in
`oauth2/oauth2-client/src/main/java/org/springframework/security/oauth2/client/`):

- the authorization request of `web/DefaultOAuth2AuthorizationRequestResolver`, with PKCE, which an
  application with a key sets by `OAuth2AuthorizationRequestCustomizers.withPkce()`,
- parameters and headers of the token requests of `endpoint/DefaultOAuth2TokenRequestParametersConverter` and
  `endpoint/DefaultOAuth2TokenRequestHeadersConverter`,
- the assertion of `endpoint/NimbusJwtClientAuthenticationParametersConverter`. Nimbus writes an audience of
  one as a string, and `kid` where the JWK has one. The JWK of the example in
  https://docs.spring.io/spring-security/reference/servlet/oauth2/client/client-authentication.html has a
  random one: here it is the registered one, or none.
"""

from __future__ import annotations

import json
import time
import uuid
from base64 import urlsafe_b64encode
from hashlib import sha256
from secrets import token_bytes
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from local.clients.sign_on import Application, Visitor, told
from local.suite import Suite
from tests.integration.auth.conftest import Person

CALLBACK = "https://app.example/login/oauth2/code/suite"  # {baseUrl}/login/oauth2/code/{registrationId}
GOODBYE = "https://app.example"  # {baseUrl}
SCOPE = "openid profile email offline_access"
HEADERS = {
    "Accept": "application/json",
    "Content-Type": "application/x-www-form-urlencoded",
    "User-Agent": "Java-http-client/21.0.2",
}
WITH_CHARSET = {  # as versions before 6.3 send it
    "Accept": "application/json;charset=UTF-8",
    "Content-Type": "application/x-www-form-urlencoded;charset=UTF-8",
}


class Spring:
    """A Spring application with the client registration `suite`.

    Args:
        suite: Where.
        key_id: Whether its JWK has the key's id.
        headers: Of its token requests.
    """

    def __init__(self, suite: Suite, *, key_id: bool, headers: dict[str, str]) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        self.application = Application(
            suite,
            "Spring",
            public=False,
            trusted=False,
            redirect_uris=(CALLBACK,),
            logout_uris=(GOODBYE,),
            key=self.key,
        )
        self.headers, self.http = headers, suite.http
        self.key_id = {"kid": self.application.kid} if key_id else {}
        self.verifier, self.nonce = base64url(token_bytes(96)), base64url(sha256(token_bytes(96)).digest())
        self.state = urlsafe_b64encode(token_bytes(32)).decode()  # with its padding
        # `issuer-uri` is all that it is told of the provider.
        answer = self.http.get(f"{self.application.url}/.well-known/openid-configuration")
        self.provider: dict[str, Any] = answer.json()
        assert self.provider["issuer"] == self.application.url

    def authorization(self) -> str:
        """Where it sends somebody."""
        query = {
            "response_type": "code",
            "client_id": self.application.id,
            "scope": SCOPE,
            "state": self.state,
            "redirect_uri": CALLBACK,
            "nonce": self.nonce,
            "code_challenge": base64url(sha256(self.verifier.encode()).digest()),
            "code_challenge_method": "S256",
        }
        return f"{self.provider['authorization_endpoint']}?{urlencode(query, quote_via=quote)}"

    def assertion(self) -> str:
        """NimbusJwtClientAuthenticationParametersConverter's."""
        now = int(time.time())
        claims = {
            "iss": self.application.id,
            "sub": self.application.id,
            "aud": self.provider["token_endpoint"],
            "exp": now + 60,
            "iat": now,
            "jti": str(uuid.uuid4()),
        }
        header = {**self.key_id, "alg": "RS256"}
        parts = (json.dumps(part, separators=(",", ":")).encode() for part in (header, claims))
        signed = ".".join(base64url(part) for part in parts)
        return f"{signed}.{base64url(self.key.sign(signed.encode(), PKCS1v15(), SHA256()))}"

    def token(self, grant_type: str, **parameters: str) -> requests.Response:
        form = {
            "grant_type": grant_type,
            "client_id": self.application.id,
            **parameters,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self.assertion(),
        }
        body = urlencode(form).encode()
        return self.http.post(self.provider["token_endpoint"], data=body, headers=self.headers)


def base64url(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.fixture(params=["without a key id", "with the key's id", "with a charset"])
def spring(suite: Suite, request: pytest.FixtureRequest) -> Spring:
    headers = WITH_CHARSET if request.param == "with a charset" else HEADERS
    return Spring(suite, key_id=request.param != "without a key id", headers=headers)


def test_spring_signs_people_in_refreshes_and_signs_out(suite: Suite, spring: Spring, person: Person) -> None:
    application, visitor = spring.application, Visitor(suite)
    page = visitor.http.get(spring.authorization(), allow_redirects=False)
    back = told(visitor.through(page, person.email, person.password)[-1], CALLBACK)
    assert back["state"] == spring.state
    answer = spring.token(
        "authorization_code", code=back["code"], redirect_uri=CALLBACK, code_verifier=spring.verifier
    )
    assert answer.status_code == 200, answer.text
    tokens = answer.json()
    assert (tokens["token_type"].lower(), tokens["scope"]) == ("bearer", SCOPE)
    # OidcIdTokenDecoderFactory takes RS256 alone where nothing else is set
    assert jwt.get_unverified_header(tokens["id_token"])["alg"] == "RS256"
    assert application.read(tokens["id_token"])["nonce"] == spring.nonce
    assert application.userinfo(tokens["access_token"]).json()["email"] == person.email

    answer = spring.token("refresh_token", refresh_token=tokens["refresh_token"])
    assert answer.status_code == 200, answer.text
    assert application.userinfo(answer.json()["access_token"]).json()["sub"] == person.id

    # OidcClientInitiatedLogoutSuccessHandler
    leave = {"id_token_hint": tokens["id_token"], "post_logout_redirect_uri": GOODBYE}
    end = f"{spring.provider['end_session_endpoint']}?{urlencode(leave)}"
    gone = visitor.http.get(end, allow_redirects=False)
    assert (gone.status_code, gone.headers["Location"]) == (303, GOODBYE)
    refused = spring.token("refresh_token", refresh_token=answer.json()["refresh_token"])
    assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
