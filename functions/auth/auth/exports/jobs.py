"""An export is the answer, or a job that writes `exports/<job>.json` into the bucket of imports."""

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from shared.clients import client
from shared.http import BusyError, GoneError, NotFoundError

from ..clients import Client
from ..services import Records, Services
from ..storage import ExportJob, Once
from .data import collected

__all__ = ["begin", "state", "write"]

_TRAIL = 1000  # entries of the trail in an answer; API Gateway passes on 10 MB, and waits for 29 s
_FILE_S = 3600


def begin(services: Services, user_id: str, asker: Client, once: Once) -> tuple[int, dict[str, Any]]:
    """Everything that is known of a person, or the job that writes it to a file.

    Args:
        services: The services.
        user_id: The person.
        asker: By whose server.
        once: The request.

    Returns:
        200 and the data, or 202 and `job_id`.

    Raises:
        BusyError: The queue does not take the job.
    """
    user = services.find(user_id)
    document = services.open(user)
    services.store.commit(services.store.audit.add(user.id, "export", asker.id), once=once)
    trail = services.store.audit.of_subject(user.id, most=_TRAIL + 1)
    if len(trail) <= _TRAIL:
        return 200, collected(services, user, document, trail)
    job, made = services.store.exports.create(ExportJob(asker.id, user.id))
    services.store.commit(made)
    try:
        services.queue.send_message(
            QueueUrl=services.settings.import_queue, MessageBody=json.dumps({"export": job})
        )
    except (BotoCoreError, ClientError) as error:
        raise BusyError("busy", "The export cannot be made now; try again in a moment.") from error
    return 202, {"job_id": job, "state": "running"}


def state(services: Services, job: str, asker: Client) -> dict[str, Any]:
    """How far a job is: `running`, `failed`, or `done` with the address of the file.

    Raises:
        NotFoundError: There is no such job of the client's.
        GoneError: The person was erased.
    """
    found = services.store.exports.get(job)
    if found is None or found.client != asker.id:
        raise NotFoundError("unknown_job", "There is no such export.")
    services.find(found.user)
    answer = {"job_id": job, "state": found.state}
    if found.state != "done":
        return answer
    place = {"Bucket": services.settings.import_bucket, "Key": _key(job)}
    return answer | {
        "url": client("s3").generate_presigned_url("get_object", Params=place, ExpiresIn=_FILE_S)
    }


def write(records: Records, bucket: str, job: str) -> None:
    """Write the file of a job; done again, it is written over.

    Args:
        records: The records.
        bucket: Where it goes.
        job: The job.
    """
    exports = records.store.exports
    found = exports.get(job)
    if found is None:
        return
    try:
        user = records.find(found.user)
    except GoneError:
        records.store.commit(exports.set_state(job, "failed"))
        return
    trail = records.store.audit.of_subject(user.id)
    data = collected(records, user, records.open(user), trail)
    client("s3").put_object(
        Bucket=bucket, Key=_key(job), Body=json.dumps(data).encode(), ContentType="application/json"
    )
    records.store.commit(exports.set_state(job, "done"))


def _key(job: str) -> str:
    return f"exports/{job}.json"
