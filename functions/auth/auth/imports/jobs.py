"""Imports as the API sees them: a place to upload to, and how far a job is.

uploads/<job>.jsonl        what the company uploads, a JSON object in each line; deleted when it is done
reports/<job>/<part>.jsonl what became of each line
"""

from typing import Any
from uuid import uuid4

from shared.clients import client
from shared.http import NotFoundError

from ..clients import Client
from ..services import Services
from ..storage import LINE_RESULTS, ImportJob, Once

__all__ = ["begin", "state"]

_UPLOAD_S = 3600
_REPORT_S = 3600


def begin(services: Services, company: Client, once: Once, *, dry_run: bool) -> dict[str, Any]:
    """A new job, and where to upload its lines.

    Args:
        services: The services.
        company: Who imports.
        once: The request.
        dry_run: Only report what would be done.

    Returns:
        `job_id`, and `upload`: an address to PUT the lines to, within an hour.
    """
    job = str(uuid4())
    made = services.store.imports.create(job, ImportJob(company.id, company.company, dry_run))
    services.store.commit(made, services.store.audit.add_of_client(company.id, "import"), once=once)
    address = client("s3").generate_presigned_url(
        "put_object",
        Params={"Bucket": services.settings.import_bucket, "Key": f"uploads/{job}.jsonl"},
        ExpiresIn=_UPLOAD_S,
    )
    return {"job_id": job, "upload": {"method": "PUT", "url": address, "expires_in": _UPLOAD_S}}


def state(services: Services, job: str, company: Client) -> dict[str, Any]:
    """How far a job is: `waiting` for its upload, `running`, `done` or `failed`.

    Raises:
        NotFoundError: There is no such job of the client's.
    """
    found, parts = services.store.imports.get(job)
    if found is None or found.client != company.id:
        raise NotFoundError("unknown_job", "There is no such import.")
    counts = {result: sum(part.counts[result] for part in parts) for result in LINE_RESULTS}
    s3, bucket = client("s3"), services.settings.import_bucket
    return {
        "job_id": job,
        "state": found.state,
        "dry_run": found.dry_run,
        "parts": {"total": found.parts, "done": len(parts)},
        "lines": counts,
        "reports": [
            s3.generate_presigned_url(
                "get_object",
                Params={"Bucket": bucket, "Key": f"reports/{job}/{part.name}.jsonl"},
                ExpiresIn=_REPORT_S,
            )
            for part in parts
        ],
    } | ({"problem": found.problem} if found.problem else {})
