"""Single sign-on by OpenID Connect: discovery, authorization, tokens, userinfo, signing out, and the pages.

Trigger: API Gateway REST, proxy integration (openapi.yaml): `/oauth2/...`, `/.well-known/...`, `/v1/health`;
    without API key. Browsers come here, and servers and scripts of applications.
Input: queries and forms; repeated parameters are refused. HEAD answers as GET would, without a body.
Output: pages, redirects, and JSON. Only discovery and the public keys may be cached.
On failure: pages for people; JSON as RFC 6749 has it for applications; 429 and 503 say when to try again.
Idempotent: a code and a signed assertion are good once; a refresh token that is sent again within half a
    minute gives the same successor; signing out twice is signing out.
Recorded event: events/auth/oidc_authorize_login_page.json
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from shared.http import Answer, HttpError, NotFoundError, Request, error_answer, json_answer, respond
from shared.metrics import publishes_metrics

from .services import Services, get_services
from .sign_on import authorization, grants, pages, signing_out, userinfo
from .tokens import ALGORITHMS, ID_TOKEN_ALGORITHMS

__all__ = ["handler"]

_KEYS_CACHED_S = 600  # a new key is published an hour before it signs
_DISCOVERY_CACHED_S = 3600
_REGIONAL_CACHED_S = 60  # with endpoints of one region in it: who comes to the other one has to learn of it
_FOR_SCRIPTS = {  # no cookie counts where scripts may read the answer
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "Retry-After, WWW-Authenticate, X-Request-Id",
}
_CHALLENGE = "private_key_jwt"
"""RFC 9110, 15.5.2, wants a challenge with each 401; HTTP has no scheme for a signed assertion in a form."""
_OAUTH_CODES = {
    "invalid_request", "invalid_client", "invalid_grant", "invalid_scope", "unsupported_grant_type",
    "invalid_token", "insufficient_scope", "invalid_target", "unauthorized_client",
}  # fmt: skip


@dataclass(frozen=True)
class Route:
    """What answers a method of a path.

    Attributes:
        run: Answers.
        fail: Makes the answer that tells of an error.
        scripts: Whether scripts of any web page may read the answer.
    """

    run: Callable[[Services, Request], Answer]
    fail: Callable[[HttpError], Answer] = error_answer
    scripts: bool = False


def _discovery(services: Services, _: Request) -> Answer:
    """OpenID Connect Discovery 1.0, 4.

    Of regions that share an issuer each names its own token and revocation endpoints. An assertion has to
    name one region's API, and most libraries put the token endpoint of this document into `aud`: Core 1.0, 9,
    "The Audience SHOULD be the URL of the Authorization Server's Token Endpoint". A code, too, is good only
    in the region that made it. Pages and userinfo are the issuer's: a cookie belongs to one host, and people
    and tokens shall see one address.
    """
    issuer, api = services.issuer, services.api
    claims = {claim for fields in userinfo.CLAIMS.values() for claim in fields}
    document = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth2/authorize",
        "token_endpoint": f"{api}/oauth2/token",
        "userinfo_endpoint": f"{issuer}/oauth2/userinfo",
        "revocation_endpoint": f"{api}/oauth2/revoke",
        "end_session_endpoint": f"{issuer}/oauth2/logout",
        "jwks_uri": f"{issuer}/.well-known/jwks.json",
        "scopes_supported": list(authorization.SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": list(ID_TOKEN_ALGORITHMS),
        "token_endpoint_auth_methods_supported": ["private_key_jwt", "none"],
        "token_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "revocation_endpoint_auth_methods_supported": ["private_key_jwt", "none"],
        "revocation_endpoint_auth_signing_alg_values_supported": ALGORITHMS,
        "code_challenge_methods_supported": ["S256"],
        "prompt_values_supported": sorted(authorization.PROMPTS),
        "claims_supported": sorted(
            claims | {"iss", "aud", "iat", "exp", "auth_time", "nonce", "sid", "updated_at"}
        ),
        "authorization_response_iss_parameter_supported": True,
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
        "ui_locales_supported": ["en"],
    }
    cached_s = _DISCOVERY_CACHED_S if issuer == api else _REGIONAL_CACHED_S
    return json_answer(200, document, {"Cache-Control": f"public, max-age={cached_s}"})


def _jwks(services: Services, _: Request) -> Answer:
    headers = {
        "Cache-Control": f"public, max-age={_KEYS_CACHED_S}",
        "Content-Type": "application/jwk-set+json",
    }
    return json_answer(200, services.tokens.jwks(), headers)


def _health(services: Services, _: Request) -> Answer:
    """Whether this region can serve: table, secrets, and the key that unwraps them, answer."""
    services.store.ping()
    services.keyring.signing_key()
    services.check_key()
    return json_answer(200, {"status": "ok", "region": services.region})


def _preflight(_: Services, request: Request) -> Answer:
    methods = [method for method, resource in ROUTES if resource == request.resource and method != "OPTIONS"]
    allowed = {
        "Access-Control-Allow-Headers": "Authorization, Content-Type",
        "Access-Control-Allow-Methods": ", ".join(methods),
        "Access-Control-Max-Age": "7200",
    }
    return json_answer(204, None, allowed)


def _on_page(error: HttpError) -> Answer:
    page = pages.error(error.status, error.message, request_id=error.request_id)
    return page | {"headers": page["headers"] | error.headers}


def _for_application(error: HttpError) -> Answer:
    """An error as RFC 6749, section 5.2, has it."""
    if error.code in _OAUTH_CODES:
        code = error.code
    elif error.status < 429:
        code = "invalid_request"
    else:
        code = "server_error" if error.status == 500 else "temporarily_unavailable"
    status = 400 if code == "invalid_grant" else error.status
    challenge = {"WWW-Authenticate": _CHALLENGE} if status == 401 else {}
    body = {"error": code, "error_description": error.message, "request_id": error.request_id}
    return json_answer(status, body, challenge | error.headers)


ROUTES = {
    ("GET", "/.well-known/openid-configuration"): Route(_discovery, scripts=True),
    ("GET", "/.well-known/jwks.json"): Route(_jwks, scripts=True),
    ("GET", "/v1/health"): Route(_health),
    ("GET", "/oauth2/authorize"): Route(authorization.authorize, _on_page),
    ("POST", "/oauth2/authorize"): Route(authorization.resume, _on_page),
    ("POST", "/oauth2/login"): Route(authorization.log_in, _on_page),
    ("POST", "/oauth2/second-factor"): Route(authorization.second_factor, _on_page),
    ("POST", "/oauth2/consent"): Route(authorization.decide, _on_page),
    ("POST", "/oauth2/token"): Route(grants.token, _for_application, scripts=True),
    ("GET", "/oauth2/userinfo"): Route(userinfo.userinfo, _for_application, scripts=True),
    ("POST", "/oauth2/userinfo"): Route(userinfo.userinfo, _for_application, scripts=True),
    ("POST", "/oauth2/revoke"): Route(grants.revoke, _for_application, scripts=True),
    ("GET", "/oauth2/logout"): Route(signing_out.sign_out, _on_page),
    ("POST", "/oauth2/logout"): Route(signing_out.resume, _on_page),
    ("POST", "/oauth2/logout/confirm"): Route(signing_out.confirm, _on_page),
}
_READ_ALONE = {
    "/.well-known/openid-configuration",
    "/.well-known/jwks.json",
    "/v1/health",
    "/oauth2/userinfo",
}
# GET of the others makes codes, or signs people out: HEAD, which is safe (RFC 9110, 9.2.1), would not be.
ROUTES |= {("HEAD", path): ROUTES["GET", path] for path in _READ_ALONE}
ROUTES |= {
    ("OPTIONS", path): Route(_preflight, scripts=True) for (_, path), each in ROUTES.items() if each.scripts
}


def _nothing(_: Services, __: Request) -> Answer:
    raise NotFoundError("not_found", "There is nothing here.")


@publishes_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> Answer:  # noqa: ARG001
    """Answer one request."""
    route = ROUTES.get((event.get("httpMethod", ""), event.get("resource", "")), Route(_nothing))
    answer = respond(
        "oidc",
        event,
        lambda _: route.run(get_services(), Request.of(event)),
        on_error=route.fail,
        headers=_FOR_SCRIPTS if route.scripts else None,
    )
    return answer | {"body": ""} if event["httpMethod"] == "HEAD" else answer
