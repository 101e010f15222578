"""Imports as the API sees them: a place to upload to, and how far a job is.

uploads/<job>.jsonl        what the company uploads, a JSON object in each line; deleted when it is done
reports/<job>/<part>.jsonl what became of each line
"""

from typing import Any
from uuid import uuid4

from shared.clients import client

from ..clients import Client
from ..errors import NotFoundError
from ..services import Services
from ..storage import Item, Once, Store, write

__all__ = ["COUNTED", "JOB_DAYS", "begin", "job_of", "state"]

JOB_DAYS = 30
COUNTED = ("created", "merged", "already", "conflict", "refused")
"""What may become of a line."""

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
    item: Item = {
        "client": {"S": company.id},
        "company": {"S": company.company},
        "dry_run": {"BOOL": dry_run},
        "state": {"S": "waiting"},
        "expires": {"N": str(int(services.now()) + 86_400 * JOB_DAYS)},
    }
    audit = services.audit(f"client#{company.id}", "import", company.id)
    services.store.commit(write((f"I#{job}", "."), item, new=True), audit, once=once)
    address = client("s3").generate_presigned_url(
        "put_object",
        Params={"Bucket": services.settings.import_bucket, "Key": f"uploads/{job}.jsonl"},
        ExpiresIn=_UPLOAD_S,
    )
    return {"job_id": job, "upload": {"method": "PUT", "url": address, "expires_in": _UPLOAD_S}}


def job_of(store: Store, job: str) -> tuple[Item | None, list[Item]]:
    """A job's item, and the items of its parts that are done."""
    items = store.query(f"I#{job}")
    jobs = [item for item in items if item["sk"]["S"] == "."]
    return (jobs[0] if jobs else None), [item for item in items if item["sk"]["S"] != "."]


def state(services: Services, job: str, company: Client) -> dict[str, Any]:
    """How far a job is: `waiting` for its upload, `running`, `done` or `failed`.

    Raises:
        NotFoundError: There is no such job of the client's.
    """
    item, parts = job_of(services.store, job)
    if item is None or item["client"]["S"] != company.id:
        raise NotFoundError("unknown_job", "There is no such import.")
    counts = {name: sum(int(part[name]["N"]) for part in parts) for name in COUNTED}
    s3, bucket = client("s3"), services.settings.import_bucket
    return {
        "job_id": job,
        "state": item["state"]["S"],
        "dry_run": item["dry_run"]["BOOL"],
        "parts": {"total": int(item.get("parts", {"N": "0"})["N"]), "done": len(parts)},
        "lines": counts,
        "reports": [
            s3.generate_presigned_url(
                "get_object",
                Params={"Bucket": bucket, "Key": f"reports/{job}/{part['sk']['S']}.jsonl"},
                ExpiresIn=_REPORT_S,
            )
            for part in parts
        ],
    } | ({"problem": item["problem"]["S"]} if "problem" in item else {})
