"""Glue: job runs fail, time out, are stopped and retried; each end is an event; concurrent runs."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from tests.integration.engine.answers import events_of, only, refusal
from tests.integration.engine.patience import awaited
from tests.support.cloud import Cloud


def _job(cloud: Cloud, outcome: str = "SUCCEEDED", **settings: Any) -> str:
    name = cloud.name("job")
    cloud.client("glue").create_job(
        Name=name, Role="any", Command={"Name": "glueetl", "ScriptLocation": "s3://scripts/nightly.py"},
        DefaultArguments={"--engine-outcome": outcome}, **settings,
    )  # fmt: skip
    return name


def _run(cloud: Cloud, name: str, run: str) -> dict[str, Any]:
    return dict(cloud.client("glue").get_job_run(JobName=name, RunId=run)["JobRun"])


def _has_ended(cloud: Cloud, name: str, run: str) -> bool:
    return bool(_run(cloud, name, run).get("CompletedOn"))


@pytest.mark.parametrize(
    ("outcome", "severity"), [("FAILED", "ERROR"), ("TIMEOUT", "WARN"), ("SUCCEEDED", "INFO")]
)
def test_the_end_of_a_run_is_an_event(cloud: Cloud, outcome: str, severity: str) -> None:
    glue, name = cloud.client("glue"), _job(cloud, outcome)
    events = events_of(cloud, "aws.glue", {"jobName": [name]})
    run = glue.start_job_run(JobName=name)["JobRunId"]
    event = only(awaited(cloud, events))
    assert event["detail-type"] == "Glue Job State Change"
    message = event["detail"].pop("message")
    assert event["detail"] == {"jobName": name, "severity": severity, "state": outcome, "jobRunId": run}
    assert message
    assert _run(cloud, name, run)["JobRunState"] == outcome


def test_a_retry_is_a_run_of_its_own_that_names_the_first(cloud: Cloud) -> None:
    """API_JobRun, PreviousRunId: "the JobRunId specified in the StartJobRun action"."""
    glue, name = cloud.client("glue"), _job(cloud, "FAILED,TIMEOUT,SUCCEEDED")
    states, previous = [], ""
    for _ in range(3):
        retry = {"JobRunId": previous} if previous else {}
        run = glue.start_job_run(JobName=name, **retry)["JobRunId"]
        awaited(cloud, partial(_has_ended, cloud, name, run))
        found = _run(cloud, name, run)
        assert found.get("PreviousRunId", "") == previous
        states.append(found["JobRunState"])
        previous = run
    assert states == ["FAILED", "TIMEOUT", "SUCCEEDED"]
    assert refusal(glue.start_job_run, JobName=name, JobRunId="jr_0").startswith("EntityNotFoundException")


def test_runs_beyond_the_jobs_number_are_refused(cloud: Cloud) -> None:
    glue = cloud.client("glue")
    for most, settings in ((1, {}), (2, {"ExecutionProperty": {"MaxConcurrentRuns": 2}})):
        name = _job(cloud, "RUNNING", **settings)
        start = partial(glue.start_job_run, JobName=name)
        runs = [start()["JobRunId"] for _ in range(most)]
        assert refusal(start).startswith("ConcurrentRunsExceededException")
        glue.batch_stop_job_run(JobName=name, JobRunIds=runs)
        assert refusal(start) == ""


def test_a_stopped_run_is_an_event(cloud: Cloud) -> None:
    glue, name = cloud.client("glue"), _job(cloud, "RUNNING")
    events = events_of(cloud, "aws.glue", {"jobName": [name]})
    run = glue.start_job_run(JobName=name)["JobRunId"]
    awaited(cloud, lambda: _run(cloud, name, run)["JobRunState"] == "RUNNING")
    glue.batch_stop_job_run(JobName=name, JobRunIds=[run])
    event = only(events())
    assert (event["detail"]["state"], event["detail"]["jobRunId"]) == ("STOPPED", run)


def test_a_run_has_its_own_arguments_and_a_retry_those_of_the_first(cloud: Cloud) -> None:
    glue, name = cloud.client("glue"), _job(cloud)
    given = {"--engine-outcome": "FAILED,SUCCEEDED", "--day": "2026-11-20"}
    first = glue.start_job_run(JobName=name, Arguments=given)["JobRunId"]
    awaited(cloud, lambda: _run(cloud, name, first)["JobRunState"] == "FAILED")
    second = glue.start_job_run(JobName=name, JobRunId=first)["JobRunId"]
    assert _run(cloud, name, second)["Arguments"]["--day"] == "2026-11-20"


def test_a_python_shell_jobs_script_decides(cloud: Cloud) -> None:
    glue, s3, bucket, name = (
        cloud.client("glue"),
        cloud.client("s3"),
        cloud.name("scripts"),
        cloud.name("job"),
    )
    s3.create_bucket(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="fail.py", Body=b"raise SystemExit('no rows')")
    glue.create_job(
        Name=name, Role="any",
        Command={"Name": "pythonshell", "ScriptLocation": f"s3://{bucket}/fail.py", "PythonVersion": "3.9"},
    )  # fmt: skip
    events = events_of(cloud, "aws.glue", {"jobName": [name]})
    glue.start_job_run(JobName=name)
    detail = only(awaited(cloud, events))["detail"]
    assert detail["state"] == "FAILED"
    assert "no rows" in detail["message"]


def test_a_jobs_tags_are_found_and_those_of_no_job_refused(cloud: Cloud) -> None:
    """API_GetTags: EntityNotFoundException."""
    glue, name = cloud.client("glue"), _job(cloud, Tags={"hub": "yes"})
    arn = f"arn:aws:glue:{cloud.region}:{cloud.account}:job/{name}"
    assert glue.get_tags(ResourceArn=arn)["Tags"] == {"hub": "yes"}
    assert refusal(glue.get_tags, ResourceArn=arn + "-x").startswith("EntityNotFoundException")
