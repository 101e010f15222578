"""AWS CodeBuild: builds that start once for a token, with the variables that they are given."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import codebuild as service

from local.engine.authorization import Check, Request, permissions
from local.engine.idempotency import Mismatch, Replays
from local.engine.patching import replaces

__all__: list[str] = []

# "The token is included in the StartBuild request and is valid for 5 minutes. If you repeat the StartBuild
# request with the same token, but change a parameter, CodeBuild returns a parameter mismatch error":
# https://docs.aws.amazon.com/codebuild/latest/APIReference/API_StartBuild.html
_builds = Replays(300)


@replaces(service, "_start_build", digest="661025bbce1e")
def _start_build(original: Callable[..., Any], request: dict[str, Any]) -> Any:
    """StartBuild: a token starts one build within five minutes; variables are overridden"""
    request = dict(request)
    token = request.pop("idempotencyToken", None)
    if not token:
        return _started(original, request)
    key = (get_account_id(), get_region(), token)
    try:
        answer = _builds.find(key, request)
    except Mismatch:
        message = "The parameters are not those of the build that was started with this idempotency token."
        return error_response_json("InvalidInputException", message, 400)
    if answer is None:
        answer = _started(original, request)
        if answer[0] == 200:
            _builds.keep(key, request, answer)
    return answer


def _started(original: Callable[..., Any], request: dict[str, Any]) -> Any:
    """Start a build, whose environment has the variables that the request overrides."""
    answer = original(request)
    overrides = request.get("environmentVariablesOverride")
    if answer[0] != 200 or not overrides:
        return answer
    document = json.loads(answer[2])
    build = service._builds[document["build"]["id"]]
    given = {each["name"]: each for each in build["environment"].get("environmentVariables") or []}
    given |= {each["name"]: {"type": "PLAINTEXT"} | each for each in overrides}
    build["environment"] = build["environment"] | {"environmentVariables": list(given.values())}
    document["build"]["environment"] = build["environment"]
    return json_response(document)


@permissions("codebuild:BatchGetProjects")
def _getting_projects(request: Request) -> list[Check]:
    names = request.document().get("names") or ["*"]
    return [
        Check("codebuild:BatchGetProjects", request.arn("codebuild", f"project/{each}")) for each in names
    ]
