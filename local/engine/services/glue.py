"""AWS Glue: job runs that fail, time out, are stopped and retried, with their events.

No Spark runs: a Python shell job's script does, anything else ends at once. What a run comes to can be said
by the job argument ``--engine-outcome``, a door for tests: one of SUCCEEDED, FAILED, TIMEOUT and RUNNING
(until it is stopped), or several with commas between them, of which a retry (``JobRunId``) takes the next;
the last one stays.
"""

from __future__ import annotations

import contextvars
import secrets
import threading
import time
from collections.abc import Callable
from typing import Any

from ministack.core.responses import error_response_json, json_response
from ministack.services import glue as service

from local.engine.authorization import Check, Request, permissions
from local.engine.aws_events import emit
from local.engine.patching import pin, replaces

__all__: list[str] = []

type Run = dict[str, Any]

_lock = threading.Lock()  # a run's thread and requests meet at its state
_OUTCOME = "--engine-outcome"
# Severity and message of the event by state:
# https://docs.aws.amazon.com/eventbridge/latest/ref/events-ref-glue.html
_EVENTS = {
    "SUCCEEDED": ("INFO", "Job run succeeded"),
    "FAILED": ("ERROR", "Command failed with exit code 1"),
    "TIMEOUT": ("WARN", "Job run timed out"),
    "STOPPED": ("INFO", "Job run stopped"),
}
_ACTIVE = ("STARTING", "RUNNING", "STOPPING")


def _tell(run: Run) -> None:
    """Send the event of a run that has ended."""
    severity, message = _EVENTS[run["JobRunState"]]
    detail = {
        "jobName": run["JobName"],
        "severity": severity,
        "state": run["JobRunState"],
        "jobRunId": run["Id"],
        "message": run["ErrorMessage"] or message,
    }
    emit("aws.glue", "Glue Job State Change", detail)


@replaces(service, "_create_job", digest="a6e2c6ef3e8e")
def _create_job(original: Callable[..., Any], request: dict[str, Any]) -> Any:
    """A job has its number of concurrent runs, one if none is given, and its tags"""
    answer = original(request)
    if answer[0] == 200:
        service._tags[service._arn("job", request["Name"])] = dict(request.get("Tags") or {})
        _limit(service._jobs[request["Name"]], request)
    return answer


@replaces(service, "_get_tags", digest="06a9aef981f1")
def _get_tags(original: Callable[..., Any], request: dict[str, Any]) -> Any:
    """Tags of a job that does not exist are refused"""
    arn = request.get("ResourceArn", "")
    if ":job/" in arn and arn.rpartition("/")[2] not in service._jobs:
        return error_response_json("EntityNotFoundException", f"Entity not found: {arn}", 400)
    return original(request)


@permissions("glue:GetTags")
def _getting_tags(request: Request) -> list[Check]:
    return [Check("glue:GetTags", request.document().get("ResourceArn") or "*")]


@replaces(service, "_update_job", digest="e31cf7aa93c7")
def _update_job(original: Callable[..., Any], request: dict[str, Any]) -> Any:
    """A job's number of concurrent runs can be updated"""
    answer = original(request)
    if answer[0] == 200 and "ExecutionProperty" in request["JobUpdate"]:
        _limit(service._jobs[request["JobName"]], request["JobUpdate"])
    return answer


def _limit(job: dict[str, Any], request: dict[str, Any]) -> None:
    # "The default is 1": https://docs.aws.amazon.com/glue/latest/webapi/API_ExecutionProperty.html
    given = (request.get("ExecutionProperty") or {}).get("MaxConcurrentRuns", 1)
    job["ExecutionProperty"] = {"MaxConcurrentRuns": int(given)}


@replaces(service, "_start_job_run", digest="41059030ccc1")
def _start_job_run(_original: Callable[..., Any], request: dict[str, Any]) -> Any:
    """Runs fail, time out, are retried by their id and limited in number; their ends are events"""
    name = request.get("JobName", "")
    job, runs = service._jobs.get(name), service._job_runs.setdefault(name, [])
    if job is None:
        return error_response_json("EntityNotFoundException", f"Job {name} not found", 400)
    retried = next((run for run in runs if run["Id"] == request.get("JobRunId")), None)
    if retried is None and request.get("JobRunId"):
        message = f"Job run {request['JobRunId']} not found"
        return error_response_json("EntityNotFoundException", message, 400)
    most = job.get("ExecutionProperty", {}).get("MaxConcurrentRuns", 1)
    if sum(run["JobRunState"] in _ACTIVE for run in runs) >= most:
        message = f"Concurrent runs exceeded for {name}"
        return error_response_json("ConcurrentRunsExceededException", message, 400)
    given = request.get("Arguments", (retried or {}).get("given", {}))
    run = _run(job, given, request, retried)
    runs.append(run)
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_execute, job, run), daemon=True).start()
    return json_response({"JobRunId": run["Id"]})


def _run(job: dict[str, Any], given: dict[str, str], request: dict[str, Any], retried: Run | None) -> Run:
    now = int(time.time())
    run = {
        "Id": f"jr_{secrets.token_hex(32)}",
        "Attempt": retried["Attempt"] + 1 if retried else 0,
        "JobName": job["Name"],
        "StartedOn": now,
        "LastModifiedOn": now,
        "JobRunState": "STARTING",
        "Arguments": job["DefaultArguments"] | given,
        "given": given,
        "ErrorMessage": "",
        "PredecessorRuns": [],
        "ExecutionTime": 0,
        "Timeout": request.get("Timeout", job["Timeout"]),
        "GlueVersion": job["GlueVersion"],
    }
    return run | ({"PreviousRunId": retried["Id"]} if retried else {})


def _execute(job: dict[str, Any], run: Run) -> None:
    """Take a run to its end, unless it is stopped before."""
    with _lock:
        if run["JobRunState"] != "STARTING":
            return
        run["JobRunState"] = "RUNNING"
    outcomes = run["Arguments"].get(_OUTCOME, "").split(",")
    outcome = outcomes[min(run["Attempt"], len(outcomes) - 1)]
    script = None
    if not outcome and not service._is_spark_job(job):
        script = service._resolve_script(job["Command"].get("ScriptLocation", ""))
    ended = {"JobRunState": outcome or "SUCCEEDED", "ErrorMessage": ""}
    if script:
        arguments = service._script_args(job, job["Name"], run["Id"], run["given"])
        service._execute_subprocess(ended, job, arguments, script)
    with _lock:
        if ended["JobRunState"] == "RUNNING" or run["JobRunState"] != "RUNNING":
            return
        now = int(time.time())
        run |= {"CompletedOn": now, "LastModifiedOn": now, "ExecutionTime": now - run["StartedOn"]} | ended
    _tell(run)


@replaces(service, "_batch_stop_job_run", digest="330013f2a1a5")
def _batch_stop_job_run(original: Callable[..., Any], request: dict[str, Any]) -> Any:
    """The end of a run that is stopped is an event"""
    with _lock:
        running = [
            run
            for run in service._job_runs.get(request["JobName"], [])
            if run["Id"] in request["JobRunIds"] and run["JobRunState"] in ("STARTING", "RUNNING")
        ]
        answer = original(request)
    for run in running:
        _tell(run)
    return answer


pin(service, "_execute_subprocess", "1bf635c240f8")
pin(service, "_resolve_script", "504b6ddf8b83")
pin(service, "_script_args", "413451960451")
