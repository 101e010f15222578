"""AWS Secrets Manager: the values that CloudFormation generates."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.services import secretsmanager
from ministack.services.cloudformation import provisioners

from local.engine.patching import pin, replaces

__all__: list[str] = []

Properties = dict[str, Any]

_SWITCHES = (
    "ExcludeLowercase",
    "ExcludeNumbers",
    "ExcludePunctuation",
    "ExcludeUppercase",
    "IncludeSpace",
    "RequireEachIncludedType",
)


@replaces(provisioners, "_sm_secret_string", digest="35e09b8c3f3d")
def _secret_string(_original: Callable[..., Any], properties: Properties) -> str:
    """CloudFormation: GenerateSecretString heeds all of GetRandomPassword's parameters"""
    wanted: Properties | None = properties.get("GenerateSecretString")
    given = properties.get("SecretString")
    if wanted is None:
        return str(given or "")
    if given:
        raise ValueError("SecretString and GenerateSecretString cannot be specified together")
    template, key = wanted.get("SecretStringTemplate"), wanted.get("GenerateStringKey")
    if (template is None) != (key is None):
        raise ValueError("SecretStringTemplate and GenerateStringKey need one another")
    password = _password(wanted)
    if template is None:
        return password
    try:
        members = json.loads(template)
    except ValueError as error:
        raise ValueError("SecretStringTemplate is no JSON") from error
    if not isinstance(members, dict):
        raise ValueError("SecretStringTemplate is no JSON object")  # noqa: TRY004 - the stack's refusal
    return json.dumps(members | {key: password})


def _password(wanted: Properties) -> str:
    """Return what GetRandomPassword makes of a template's property.

    Raises:
        ValueError: It refuses; the message is its own.
    """
    # In templates numbers and booleans may be text.
    request: Properties = {name: str(wanted[name]).lower() == "true" for name in _SWITCHES if name in wanted}
    if "PasswordLength" in wanted:
        request["PasswordLength"] = int(wanted["PasswordLength"])
    if "ExcludeCharacters" in wanted:
        request["ExcludeCharacters"] = str(wanted["ExcludeCharacters"])
    status, _headers, body = secretsmanager._get_random_password(request)
    answer = json.loads(body)
    if status != 200:
        raise ValueError(str(answer.get("message") or answer))
    return str(answer["RandomPassword"])


pin(secretsmanager, "_get_random_password", "c69d89e32c93")
