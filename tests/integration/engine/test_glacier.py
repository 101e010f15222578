"""Glacier: archives by jobs, ranges with their part of the tree hash, notifications, IAM.

The oracle of tree hashes is botocore's, which sends them with uploads.
"""

from __future__ import annotations

import io
import json
from functools import partial
from typing import Any

import pytest
from botocore.utils import calculate_tree_hash

from tests.integration.engine.answers import only, refusal, subscribed
from tests.integration.engine.doors import set_state
from tests.integration.engine.patience import awaited
from tests.integration.engine.roles import as_role
from tests.support.cloud import Cloud

pytestmark = pytest.mark.ours_only  # the emulator does not have the service

MIB = 1024 * 1024
# 5.5 MiB, every MiB of its own: a tree of three levels with an odd leaf.
DATA = b"".join(bytes([number]) * MIB for number in range(5)) + b"x" * (MIB // 2)
LAST = len(DATA) - 1
# Members of AWS's message: https://docs.aws.amazon.com/amazonglacier/latest/dev/configuring-notifications.html
MESSAGE = {
    "Action", "ArchiveId", "ArchiveSHA256TreeHash", "ArchiveSizeInBytes", "Completed", "CompletionDate",
    "CreationDate", "InventoryRetrievalParameters", "InventorySizeInBytes", "JobDescription", "JobId",
    "RetrievalByteRange", "SHA256TreeHash", "SNSTopic", "StatusCode", "StatusMessage", "Tier", "VaultARN",
}  # fmt: skip


def _hash(data: bytes) -> str:
    body: Any = io.BytesIO(data)
    return str(calculate_tree_hash(body))


class Vault:
    """A vault with one archive."""

    def __init__(self, cloud: Cloud, data: bytes = DATA) -> None:
        self.cloud, self.client, self.name = cloud, cloud.client("glacier"), cloud.name("vault")
        self.client.create_vault(vaultName=self.name)
        uploaded = self.client.upload_archive(vaultName=self.name, archiveDescription="2011", body=data)
        self.archive, self.checksum = uploaded["archiveId"], uploaded["checksum"]

    def job(self, **parameters: Any) -> str:
        wanted = {"Type": "archive-retrieval", "ArchiveId": self.archive} | parameters
        answer = self.client.initiate_job(vaultName=self.name, jobParameters=wanted)
        return str(answer["jobId"])

    def done(self, **parameters: Any) -> str:
        job = self.job(**parameters)
        assert set_state(self.cloud, "glacier", job, "Succeeded") == ""
        return job

    def output(self, job: str, start: int, end: int) -> dict[str, Any]:
        answer = self.client.get_job_output(vaultName=self.name, jobId=job, range=f"bytes={start}-{end}")
        return dict(answer)


def test_an_archive_comes_back_whole_with_its_tree_hash(cloud: Cloud) -> None:
    vault = Vault(cloud)
    assert vault.checksum == _hash(DATA)
    answer = vault.client.get_job_output(vaultName=vault.name, jobId=vault.done())
    assert answer["body"].read() == DATA
    assert (answer["status"], answer["checksum"], answer["archiveDescription"]) == (200, _hash(DATA), "2011")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (0, MIB - 1),
        (MIB, 2 * MIB - 1),
        (2 * MIB, 4 * MIB - 1),
        (0, 4 * MIB - 1),
        (4 * MIB, LAST),
        (5 * MIB, LAST),
    ],
)
def test_a_range_that_is_a_node_of_the_tree_has_its_hash(cloud: Cloud, start: int, end: int) -> None:
    vault = Vault(cloud)
    answer = vault.output(vault.done(), start, end)
    assert answer["body"].read() == DATA[start : end + 1]
    assert answer["checksum"] == _hash(DATA[start : end + 1])
    assert (answer["status"], answer["contentRange"]) == (206, f"bytes {start}-{end}/{len(DATA)}")


@pytest.mark.parametrize(
    ("start", "end"), [(1, MIB), (0, MIB), (0, 10), (MIB, 3 * MIB - 1), (0, 3 * MIB - 1), (2 * MIB, LAST)]
)
def test_a_range_that_is_no_node_of_the_tree_has_no_hash(cloud: Cloud, start: int, end: int) -> None:
    """https://docs.aws.amazon.com/amazonglacier/latest/dev/checksum-calculations-range.html"""
    vault = Vault(cloud)
    answer = vault.output(vault.done(), start, end)
    assert answer["body"].read() == DATA[start : end + 1]
    assert "checksum" not in answer


def test_a_job_completes_by_itself_and_tells_its_topic_and_the_vaults(cloud: Cloud) -> None:
    vault = Vault(cloud, b"small")
    topic, url = subscribed(cloud)
    events = {"SNSTopic": topic, "Events": ["ArchiveRetrievalCompleted"]}
    vault.client.set_vault_notifications(vaultName=vault.name, vaultNotificationConfig=events)
    other, other_url = subscribed(cloud)
    job = vault.job(Tier="Expedited", Description="restore of 2011", SNSTopic=other)
    bodies = awaited(cloud, lambda: cloud.messages(url))
    message = json.loads(json.loads(only(bodies))["Message"])
    assert message.keys() == MESSAGE
    assert (message["JobId"], message["StatusCode"], message["SNSTopic"]) == (job, "Succeeded", topic)
    assert message["SHA256TreeHash"] == _hash(b"small")
    assert json.loads(json.loads(only(cloud.messages(other_url)))["Message"])["JobId"] == job
    assert vault.client.describe_job(vaultName=vault.name, jobId=job)["Completed"] is True


def test_a_failed_job_has_a_status_and_no_output(cloud: Cloud) -> None:
    vault = Vault(cloud, b"small")
    topic, url = subscribed(cloud)
    job = vault.job(SNSTopic=topic)
    get = partial(vault.client.get_job_output, vaultName=vault.name, jobId=job)
    assert refusal(get).startswith("InvalidParameterValueException")  # not ready
    assert set_state(cloud, "glacier", job, "Failed", message="The archive was deleted") == ""
    message = json.loads(json.loads(only(cloud.messages(url)))["Message"])
    assert (message["Completed"], message["StatusCode"]) == (True, "Failed")
    assert (message["StatusMessage"], message["SHA256TreeHash"]) == ("The archive was deleted", None)
    assert refusal(get).startswith("InvalidParameterValueException")


def test_an_inventory_has_no_tree_hash(cloud: Cloud) -> None:
    vault = Vault(cloud, b"small")
    answer = vault.client.initiate_job(vaultName=vault.name, jobParameters={"Type": "inventory-retrieval"})
    assert set_state(cloud, "glacier", answer["jobId"], "Succeeded") == ""
    output = vault.client.get_job_output(vaultName=vault.name, jobId=answer["jobId"])
    assert json.loads(output["body"].read())["ArchiveList"][0]["ArchiveId"] == vault.archive
    assert "checksum" not in output


def test_what_is_not_there_or_wrong_is_refused(cloud: Cloud) -> None:
    vault = Vault(cloud)
    client, names = vault.client, {"vaultName": vault.name}
    assert refusal(client.describe_job, vaultName="absent", jobId="j").startswith("ResourceNotFoundException")
    assert refusal(client.describe_job, **names, jobId="j").startswith("ResourceNotFoundException")
    assert refusal(vault.job, ArchiveId="absent").startswith("ResourceNotFoundException")
    for wrong in ({"Type": "select"}, {"Tier": "Slow"}, {"RetrievalByteRange": "1-1048576"}):
        assert refusal(vault.job, **wrong).startswith("InvalidParameterValueException")
    upload = partial(client.upload_archive, **names, body=b"data", checksum="0" * 64)
    assert refusal(upload).startswith("InvalidParameterValueException")
    beyond = partial(client.get_job_output, **names, jobId=vault.done(), range=f"bytes={len(DATA)}-")
    assert refusal(beyond).startswith("InvalidParameterValueException")


def test_a_part_of_an_archive_is_retrieved_with_its_own_hash(cloud: Cloud) -> None:
    vault = Vault(cloud)
    job = vault.done(RetrievalByteRange=f"{2 * MIB}-{4 * MIB - 1}")
    found = vault.client.describe_job(vaultName=vault.name, jobId=job)
    assert found["SHA256TreeHash"] == _hash(DATA[2 * MIB : 4 * MIB])
    assert found["ArchiveSHA256TreeHash"] == _hash(DATA)
    answer = vault.client.get_job_output(vaultName=vault.name, jobId=job)
    assert answer["body"].read() == DATA[2 * MIB : 4 * MIB]


def test_a_role_reads_the_jobs_of_its_vault_and_no_others(cloud_with_iam: Cloud) -> None:
    cloud = cloud_with_iam
    mine, other = Vault(cloud, b"mine"), Vault(cloud, b"other")
    cloud.client("glacier").add_tags_to_vault(vaultName=other.name, Tags={"hub": "yes"})
    assert cloud.client("glacier").list_tags_for_vault(vaultName=other.name)["Tags"] == {"hub": "yes"}
    arn = f"arn:aws:glacier:{cloud.region}:{cloud.account}:vaults"
    client = as_role(cloud, [{"Action": "glacier:GetJobOutput", "Resource": f"{arn}/{mine.name}"}], "glacier")
    jobs = {vault.name: vault.done() for vault in (mine, other)}
    answer = client.get_job_output(vaultName=mine.name, jobId=jobs[mine.name])
    assert answer["body"].read() == b"mine"
    for call in (client.get_job_output, client.describe_job):
        refused = refusal(call, vaultName=other.name, jobId=jobs[other.name])
        assert refused.startswith("AccessDenied")
    tagged = {"Action": "glacier:GetJobOutput", "Resource": "*"} | {
        "Condition": {"StringEquals": {"aws:ResourceTag/hub": "yes"}}
    }
    client = as_role(cloud, [tagged], "glacier")
    assert refusal(client.get_job_output, vaultName=other.name, jobId=jobs[other.name]) == ""
    assert refusal(client.get_job_output, vaultName=mine.name, jobId=jobs[mine.name]).startswith(
        "AccessDenied"
    )
