"""A job of a Glacier vault is done: fetch its output in ranges, tree hash checked, to S3.

Glacier's vault API is closed to new customers, so this is off unless a parameter names vaults.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from shared.batches import PermanentError

from ..facts import Fact, VaultJob
from ..hub import Action, Hub, PostponedError
from ..settings import Config
from ..tree_hash import CHUNK, extended, root, tree_hash
from .notify import Notify
from .parts import complete, destination, part_size, started

__all__ = ["FetchOutput", "plan"]

PART, LARGEST_PART = 8 * CHUNK, 64 * CHUNK
"""A power of two: only ranges that are aligned to the tree come with a checksum
(https://docs.aws.amazon.com/amazonglacier/latest/dev/checksum-calculations-range.html)."""
BUDGET_S = 30
JOBS_AN_HOUR = 60


@dataclass(frozen=True)
class FetchOutput(Action):
    """Fetch a job's output to `glacier/<vault>/<job>`.

    Attributes:
        vault_arn: The vault.
        job: The job.
        size: Bytes of the output.
        tree_hash: What its tree hash has to be; empty for an inventory, which has none.
        upload: Id of the upload, once it has begun.
        part: Number of the next part.
        hashes: Hashes of what has been fetched.
    """

    REACTION: ClassVar[str] = "archive"
    vault_arn: str
    job: str
    size: int
    tree_hash: str
    upload: str = ""
    part: int = 1
    hashes: tuple[tuple[int, str], ...] = ()

    @property
    def key(self) -> str:
        """The job."""
        return f"output#{self.job}"

    def carry_out(self, hub: Hub) -> Mapping[str, Any]:
        """Fetch parts for half a minute, and go on later; each part is checked, and in the end the whole."""
        vault = self.vault_arn.rpartition("/")[2]
        key = destination("glacier", vault, self.job)
        hub.permit(f"fetch {self.job}", among=[arn for arn in hub.config.vaults if arn == self.vault_arn])
        hub.limit(self.vault_arn, most=JOBS_AN_HOUR, seconds=3600)
        account = self.vault_arn.split(":")[4]
        glacier, s3, bucket = hub.client("glacier"), hub.client("s3"), hub.config.output_bucket
        size = part_size(self.size, PART, LARGEST_PART)
        if not self.upload:  # by the queue whose messages come one at a time
            upload = started(hub, key, {"job": self.job, "tree-hash": self.tree_hash})
            raise PostponedError("begins", 0, replace(self, upload=upload))
        upload, hashes, part = self.upload, list(self.hashes), self.part
        end = hub.clock().timestamp() + BUDGET_S
        while (part - 1) * size < max(self.size, 1):
            if hub.clock().timestamp() > end:
                raise PostponedError(
                    "goes on", 1, replace(self, upload=upload, part=part, hashes=tuple(hashes))
                )
            ranged = _range((part - 1) * size, min(part * size, self.size) - 1)
            answer = glacier.get_job_output(accountId=account, vaultName=vault, jobId=self.job, **ranged)
            data = answer["body"].read()
            digest = tree_hash(data)
            if answer.get("checksum", digest) != digest:
                raise OSError("a range does not have its checksum")  # it comes again
            hashes = extended(hashes, size // CHUNK, digest)
            s3.upload_part(Bucket=bucket, Key=key, UploadId=upload, PartNumber=part, Body=data)
            part += 1
        if self.tree_hash and root(hashes) != self.tree_hash:
            s3.abort_multipart_upload(Bucket=bucket, Key=key, UploadId=upload)
            raise PermanentError("the output does not have the job's tree hash")
        complete(hub, key, upload)
        return {"key": key, "bytes": self.size}


def _range(first: int, last: int) -> dict[str, str]:
    return {"range": f"bytes={first}-{last}"} if last >= first else {}


def plan(fact: Fact, _: Config) -> tuple[Action, ...]:
    """The output of a job that succeeded; word of one that did not."""
    if not isinstance(fact, VaultJob):
        return ()
    vault = fact.vault_arn.rpartition("/")[2]
    if not fact.succeeded:
        text = f"The job {fact.job_id} of the vault {vault} failed: {fact.message}"
        return (Notify(f"Glacier job of {vault} failed", text, fact.identity),)
    return (FetchOutput(fact.vault_arn, fact.job_id, fact.size, fact.tree_hash or ""),)
