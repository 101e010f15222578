"""AWS Snowball: jobs that a door moves on.

`/_engine/states` (service ``snowball``, resource the job's id) sets a job's state, and publishes it to the
topic of the job's notification. The text is not documented ("tailored for each triggering state"); this one
is in the manner of https://docs.aws.amazon.com/snowball/latest/developer-guide/notifications.html.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from typing import Any

from ministack.core.responses import AccountRegionScopedDict, get_account_id, get_region

from local.engine.new_services import Refusal, json_protocol, serve
from local.engine.publishing import SNOWBALL, publish
from local.engine.states import settable

__all__: list[str] = []

type Job = dict[str, Any]

# https://docs.aws.amazon.com/snowball/latest/api-reference/API_JobMetadata.html
_STATES = (
    "New", "PreparingAppliance", "PreparingShipment", "InTransitToCustomer", "WithCustomer", "InTransitToAWS",
    "WithAWSSortingFacility", "WithAWS", "InProgress", "Complete", "Cancelled", "Listing", "Pending",
)  # fmt: skip
_DETAILS = (
    "JobType", "SnowballType", "Resources", "Description", "KmsKeyARN", "RoleARN", "AddressId",
    "SnowballCapacityPreference", "Notification", "ForwardingAddressId",
)  # fmt: skip

_jobs: Any = AccountRegionScopedDict()


def _create_job(request: dict[str, Any]) -> dict[str, Any]:
    # "JID123e4567-e89b-12d3-a456-426655440000"
    identifier = f"JID{uuid.uuid4()}"
    if request.get("JobType") not in ("IMPORT", "EXPORT", "LOCAL_USE"):
        raise Refusal("InvalidInputCombinationException", "Job or cluster creation failed.")
    _jobs[identifier] = {"JobId": identifier, "JobState": "New", "CreationDate": time.time()} | {
        name: request[name] for name in _DETAILS if name in request
    }
    return {"JobId": identifier}


def _describe_job(request: dict[str, Any]) -> dict[str, Any]:
    job = _jobs.get(request["JobId"])
    if job is None:
        raise Refusal("InvalidResourceException", "The specified resource can't be found.")
    return {"JobMetadata": job, "SubJobMetadata": []}


def _text(job: Job) -> tuple[str, str]:
    """Return subject and text of the notification of a job's state."""
    identifier, state = job["JobId"], job["JobState"]
    subject = "AWS Snowball Edge Notification"
    if state == "InTransitToAWS":
        return subject, f"Your AWS Snowball Edge for job {identifier} is in transit to AWS."
    word = "Completed" if state == "Complete" else state
    console = (
        f"https://console.aws.amazon.com/importexport/home?region={get_region()}#/dashboard/{identifier}"
    )
    return f"{subject} - Job {word.lower()}", (
        f"AWS Snowball Edge job {identifier} status changed to {word}.\n"
        f"You can see the details of the job in the AWS Snow Family Management Console: {console}"
    )


@settable("snowball")
def _set_state(identifier: str, state: str, _request: Mapping[str, Any]) -> None:
    if state not in _STATES:
        raise ValueError(f"the state must be one of {', '.join(_STATES)}")
    job = _jobs[identifier]
    job["JobState"] = state
    notification = job.get("Notification") or {}
    if notification.get("NotifyAll") or state in notification.get("JobStatesToNotify", []):
        subject, text = _text(job)
        arn = f"arn:aws:snowball:{get_region()}:{get_account_id()}:job/{identifier}"
        publish(SNOWBALL, notification.get("SnsTopicARN", ""), arn, text, subject=subject)


# IAM knows no resources of Snowball: permissions are on `*`, which the emulator takes by itself.
serve(
    "snowball",
    json_protocol({"CreateJob": _create_job, "DescribeJob": _describe_job}),
    "Jobs with their state, which a door sets and publishes",
    target="AWSIESnowballJobManagementService",
)
