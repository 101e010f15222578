"""AWS Cognito: pools whose accounts an administrator alone makes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json
from ministack.services import cognito

from local.engine.patching import replaces


@replaces(cognito, "_sign_up", digest="7c18b40cc080")
def _sign_up(original: Callable[..., Any], data: dict[str, Any]) -> Any:
    """SignUp is refused where `AllowAdminCreateUserOnly` is set"""
    pools = [pool for pool in cognito._user_pools.values() if data.get("ClientId") in pool["_clients"]]
    if any(pool.get("AdminCreateUserConfig", {}).get("AllowAdminCreateUserOnly") for pool in pools):
        return error_response_json(
            "NotAuthorizedException", "SignUp is not permitted for this user pool", 400
        )
    return original(data)
