"""Amazon Cognito: pools whose accounts an administrator alone makes; revocation of refresh tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl

from ministack import app as emulator
from ministack.core.responses import error_response_json
from ministack.services import cognito

from local.engine.patching import pin, replaces


@replaces(cognito, "_sign_up", digest="7c18b40cc080")
def _sign_up(original: Callable[..., Any], data: dict[str, Any]) -> Any:
    """SignUp is refused where `AllowAdminCreateUserOnly` is set"""
    pools = [pool for pool in cognito._user_pools.values() if data.get("ClientId") in pool["_clients"]]
    if any(pool.get("AdminCreateUserConfig", {}).get("AllowAdminCreateUserOnly") for pool in pools):
        return error_response_json(
            "NotAuthorizedException", "SignUp is not permitted for this user pool", 400
        )
    return original(data)


@replaces(emulator, "_handle_cognito_body_request", digest="a91f32c793d4")
async def _answer_body_request(
    original: Callable[..., Awaitable[Any]],
    method: str,
    path: str,
    headers: dict[str, str],
    body: bytes,
    query: dict[str, Any],
) -> Any:
    """A user pool's domain revokes refresh tokens (`/oauth2/revoke`)"""
    # A successful request "returns an empty body"; errors are `invalid_request`, `unsupported_token_type`,
    # `invalid_client`: https://docs.aws.amazon.com/cognito/latest/developerguide/revocation-endpoint.html
    if (method, path) != ("POST", "/oauth2/revoke"):
        return await original(method, path, headers, body, query)
    form = dict(parse_qsl(body.decode("utf-8", "replace")))
    token, client_id = form.get("token", ""), form.get("client_id", "")
    if not token:
        return cognito._oauth2_error("invalid_request", "token is required.")
    claims = cognito._token_claims(token)
    if claims.get("token_use") != "refresh":
        return cognito._oauth2_error("unsupported_token_type", "Only refresh tokens can be revoked.")
    _, _, client = cognito._find_pool_by_client_id(client_id)
    if not client or client.get("ClientSecret") or claims.get("client_id") != client_id:
        return cognito._oauth2_error("invalid_client", "Not a client that the token was issued to.", 401)
    cognito._revoke_token({"Token": token})
    return 200, {"Content-Type": "application/json"}, b""


@replaces(cognito, "_fake_token", digest="7e26f28e0883")
def _token(
    original: Callable[..., str], sub: str, pool_id: str, client_id: str, *arguments: Any, **named: Any
) -> str:
    """Tokens that a refresh token brings name the account's groups"""
    if named.get("trigger_source") == "TokenGeneration_RefreshTokens" and not named.get("groups"):
        pool = cognito._get_pool_unscoped(pool_id) or {"_users": {}}
        named["groups"] = next(
            (
                user.get("_groups", [])
                for user in pool["_users"].values()
                if cognito._attr_list_to_dict(user.get("Attributes", [])).get("sub") == sub
            ),
            [],
        )
    return original(sub, pool_id, client_id, *arguments, **named)


pin(cognito, "_revoke_token", "5e433371a596")
pin(cognito, "_find_pool_by_client_id", "56a4a31aee98")
