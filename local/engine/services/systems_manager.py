"""AWS Systems Manager: commands on EC2's instances, and documents of the account's own.

Nothing runs: a command is recorded, as ListCommands and ListCommandInvocations show it, and ends at once.
Two tags of an instance are doors for tests: ``engine:ssm-registers-after`` is the number of seconds (of AWS's
time) from its launch until its agent is registered, 0 without the tag; ``engine:ssm-response-code`` is what
commands end with there, 0 without it. Refusals:
https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_SendCommand.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, error_response_json, json_response
from ministack.services import ec2
from ministack.services import ssm as service
from ministack.services.cloudformation import provisioners

from local.engine.patching import PATCHES, Patch, pin, replaces
from local.engine.settings import SETTINGS

__all__: list[str] = []

type Request = dict[str, Any]

_REGISTERS_AFTER, _RESPONSE_CODE = "engine:ssm-registers-after", "engine:ssm-response-code"
_TYPE = "AWS::SSM::Document"
# AWS's own document of the suite, with the parameters that it has; `commands` is the one without a default.
_SHELL_PARAMETERS: dict[str, Any] = {
    "commands": {"type": "StringList"},
    "workingDirectory": {"type": "String", "default": ""},
    "executionTimeout": {"type": "String", "default": "3600"},
}
_documents: Any = AccountRegionScopedDict()


def _tag(identifier: str, key: str) -> str:
    return next((str(tag["Value"]) for tag in ec2._tags.get(identifier, []) if tag["Key"] == key), "0")


@replaces(ec2, "instance_is_managed", digest="3cb641e0ba6b")
def _instance_is_managed(_original: Callable[..., Any], identifier: str) -> bool:
    """Commands reach every running instance, once its agent has registered"""
    instance = ec2._instances.get(identifier)
    if not instance or instance["State"]["Name"] != "running":
        return False
    since = datetime.fromisoformat(instance["LaunchTime"])
    wait = float(_tag(identifier, _REGISTERS_AFTER)) * SETTINGS.time_scale
    return (datetime.now(since.tzinfo) - since).total_seconds() >= wait


@replaces(ec2, "exec_in_instance_blocking", digest="be63bc8e3700")
def _exec_in_instance(_original: Callable[..., Any], identifier: str, _argv: list[str]) -> Any:
    """Commands end at once, without output"""
    return int(_tag(identifier, _RESPONSE_CODE)), "", ""


def _parameters_of(document: str) -> dict[str, Any] | None:
    """Return what a document declares as parameters; None when there is no such document."""
    if document == "AWS-RunShellScript":
        return _SHELL_PARAMETERS
    found = _documents.get(document.rpartition("/")[2])
    return None if found is None else json.loads(found["Content"]).get("parameters", {})


@replaces(service, "_send_command", digest="3116c54ae89a")
def _send_command(original: Callable[..., Any], request: Request) -> Any:
    """SendCommand: unknown documents, their parameters and instances given twice are refused"""
    declared = _parameters_of(request.get("DocumentName", ""))
    if declared is None:
        return error_response_json("InvalidDocument", "The specified SSM document doesn't exist.", 400)
    given = request.get("Parameters") or {}
    missing = [name for name, each in declared.items() if "default" not in each and not given.get(name)]
    if missing or given.keys() - declared.keys():
        message = f"Parameters of {request['DocumentName']}: {', '.join(missing or given.keys() - declared)}"
        return error_response_json("InvalidParameters", message, 400)
    identifiers = service._command_target_ids(request)
    if len(identifiers) > len(set(identifiers)):
        return error_response_json("DuplicateInstanceId", "An instance is given twice.", 400)
    return original(request)


def _list_command_invocations(request: Request) -> Any:
    """Answer ListCommandInvocations; with ``Details`` each invocation has its plugin."""
    rows = [
        _invocation(row, command, details=bool(request.get("Details")))
        for command in service._commands.values()
        for row in command["Invocations"].values()
        if request.get("CommandId") in (None, command["CommandId"])
        and request.get("InstanceId") in (None, row["InstanceId"])
    ]
    start = service._decode_next_token(request["NextToken"]) if request.get("NextToken") else 0
    end = start + (request.get("MaxResults") or 50)
    more = {"NextToken": service._encode_next_token(end)} if end < len(rows) else {}
    return json_response({"CommandInvocations": rows[start:end]} | more)


def _invocation(row: dict[str, Any], command: dict[str, Any], *, details: bool) -> dict[str, Any]:
    names = (
        "CommandId",
        "InstanceId",
        "Comment",
        "DocumentName",
        "DocumentVersion",
        "Status",
        "StatusDetails",
    )
    shown = {name: row[name] for name in names} | {"RequestedDateTime": command["RequestedDateTime"]}
    if details:
        plugin = {
            "Name": row["PluginName"], "Status": row["Status"], "StatusDetails": row["StatusDetails"],
            "ResponseCode": row["ResponseCode"], "Output": row["StandardOutputContent"],
        }  # fmt: skip
        shown["CommandPlugins"] = [plugin]
    return shown


def _create_document(request: Request) -> Any:
    """Answer CreateDocument, of a command document in JSON."""
    name = request["Name"]
    if name in _documents:
        return error_response_json(
            "DocumentAlreadyExists", f"Document with same name {name} already exists", 400
        )
    try:
        steps = json.loads(request["Content"]).get("mainSteps")
    except (ValueError, AttributeError):
        steps = None
    if not steps:
        return error_response_json("InvalidDocumentContent", "Document content is not valid", 400)
    _documents[name] = {
        "Name": name,
        "Content": request["Content"],
        "DocumentType": request.get("DocumentType", "Command"),
        "DocumentFormat": "JSON",
        "DocumentVersion": "1",
        "Status": "Active",
    }
    return json_response({"DocumentDescription": _description(_documents[name])})


def _description(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != "Content"}


def _of_document(shape: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Request], Any]:
    """Return the answer to an operation on one document."""

    def operation(request: Request) -> Any:
        document = _documents.get(request["Name"])
        if document is None:
            message = f"Document with name {request['Name']} does not exist."
            return error_response_json("InvalidDocument", message, 400)
        return json_response(shape(document))

    return operation


def _deleted(document: dict[str, Any]) -> dict[str, Any]:
    del _documents[document["Name"]]
    return {}


_OPERATIONS: dict[str, Callable[[Request], Any]] = {
    "ListCommandInvocations": _list_command_invocations,
    "CreateDocument": _create_document,
    "GetDocument": _of_document(dict),
    "DescribeDocument": _of_document(lambda document: {"Document": _description(document)}),
    "DeleteDocument": _of_document(_deleted),
}


@replaces(service, "handle_request", digest="ca18fc988ca9")
async def _handle_request(
    original: Callable[..., Any], method: str, path: str, headers: dict[str, str], body: bytes, query: Request
) -> Any:
    """ListCommandInvocations and documents are there"""
    operation = _OPERATIONS.get(headers.get("x-amz-target", "").rpartition(".")[2])
    if operation is None:
        return await original(method, path, headers, body, query)
    return operation(json.loads(body or b"{}"))


def _document_create(logical_id: str, properties: dict[str, Any], stack: str) -> tuple[str, dict[str, Any]]:
    name = properties.get("Name") or provisioners._physical_name(stack, logical_id, max_len=128)
    content = properties["Content"]
    text = content if isinstance(content, str) else json.dumps(content)
    answer = _create_document({"Name": name, "Content": text})
    if answer[0] != 200:
        raise ValueError(f"{_TYPE}: {answer[2].decode()}")
    return name, {}


def _document_update(
    name: str, _old: dict[str, Any], new: dict[str, Any], stack: str
) -> tuple[str, dict[str, Any]]:
    _documents.pop(name, None)
    return _document_create("", {"Name": name} | new, stack)


def _document_delete(name: str, _properties: dict[str, Any]) -> None:
    _documents.pop(name, None)


provisioners._RESOURCE_HANDLERS[_TYPE] = {
    "create": _document_create, "update": _document_update, "delete": _document_delete,
}  # fmt: skip
PATCHES.append(Patch(f"CloudFormation {_TYPE}", "Accepted, and made"))

pin(service, "_command_target_ids", "50ec5802158f")
pin(service, "_finish_invocation", "99cfb5e6b66f")
