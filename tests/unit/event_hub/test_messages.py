"""Every recorded message comes to what its description says, whatever wraps it."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from event_hub.envelopes import unwrapped
from event_hub.facts import AgreementChange, Ignored, ObjectCreated, SubscriptionChange
from event_hub.hub import Action
from event_hub.publishers import facts_of
from event_hub.reactions import plan
from local.hub_messages import CONFIG, NAMES, bodies, facts

TOKEN = "5d3c8e0a-9f64-4f0d-b1c2-7e6a5d4c3b2a"
INSTANCE = "i-0a1b2c3d4e5f60718"
ALARM = "arn:aws:cloudwatch:eu-west-1:123456789012:alarm:"
DMS = "arn:aws:dms:eu-west-1:123456789012:task:A1B2C3D4E5F6G7H8I9J0K1L2M3"
GROUP = {"group": "shop-web", "instance": INSTANCE}
WAIT = GROUP | {"hook": "hub-launching", "token": TOKEN}
CHECK = {"check": "abcdef11-2222-3333-4444-555555fedcba", "name": "payments-healthy"}
LAUNCH = [("SendCommand", WAIT | {"purpose": "warm"}), ("CompleteLifecycleAction", WAIT)]
BUILD = {"application": "shop", "environment": "shop-staging"}
NODES = [("PublishNodes", {"cluster": "shop-cache"})]
COPY = [("CopyRestored", {"bucket": "cv-inbox-123456789012", "source": "archive/2011.tar"})]
RETRY = [("RetryRun", {"job": "nightly-etl"})]

# Of each message: the actions, in their order, with what decides in them.
EXPECTED: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "autoscaling_launch_lifecycle": LAUNCH,
    "autoscaling_launch_lifecycle_text": LAUNCH,
    "autoscaling_eventbridge_launch": LAUNCH,
    "autoscaling_terminate_lifecycle": [
        ("SendCommand", GROUP | {"purpose": "logs"}),
        ("RecordHeartbeat", GROUP | {"token": TOKEN, "hook": "hub-terminating"}),
        ("CompleteLifecycleAction", GROUP | {"token": TOKEN, "hook": "hub-terminating"}),
    ],
    "autoscaling_test": [],
    "autoscaling_notification_launch": [("SendCommand", GROUP | {"purpose": "warm", "hook": ""})],
    "autoscaling_notification_terminate_error": [],
    "beanstalk_created_text": [("StartBuild", BUILD | {"token": "3b1f6a0e-6c52-4f6e-9a8d-5e4d3c2b1a09"})],
    "beanstalk_health_text": [],
    "beanstalk_eventbridge_created": [("StartBuild", BUILD)],
    "alarm_elb_latency": [("RunTask", {"alarm": f"{ALARM}shop-latency"})],
    "alarm_alb_p95": [("RunTask", {"alarm": f"{ALARM}shop-alb-p95"})],
    "alarm_anomaly_latency": [("RunTask", {"alarm": f"{ALARM}shop-latency-unusual"})],
    "alarm_elb_latency_ok": [],
    "alarm_elb_insufficient": [],
    "alarm_metric_math": [],
    "alarm_composite": [],
    "alarm_efs_percent_io_limit": [("UpdateFileSystem", {"file_system": "fs-0a1b2c3d4e5f60718"})],
    "alarm_eventbridge_efs": [("UpdateFileSystem", {"file_system": "fs-0a1b2c3d4e5f60718"})],
    "alarm_route53_unhealthy": [
        ("SetStatus", CHECK | {"state": "down", "changed": "2026-11-20T09:15:41.902000+00:00"})
    ],
    "alarm_route53_healthy": [
        ("SetStatus", CHECK | {"state": "up", "changed": "2026-11-20T09:21:41.117000+00:00"})
    ],
    "alarm_direct_connect_down": [("PublishConnection", {"connection": "dxcon-ff1a2b3c", "state": "down"})],
    "s3_document_uploaded": [],
    "s3_document_uploaded_raw": [],
    "s3_multipart_and_two_records": [],
    "s3_test_event": [],
    "s3_restore_completed": COPY,
    "s3_eventbridge_restore": COPY,
    "glacier_archive_retrieved": [
        (
            "FetchOutput",
            {
                "vault_arn": "arn:aws:glacier:eu-west-1:123456789012:vaults/backups",
                "size": 3_145_728,
                "tree_hash": "beb0fe31a1c7ca8c6c04d574ea906e3f97b31fdca7571defb5b44dca89b5af60",
            },
        )
    ],
    "glacier_inventory_retrieved": [("FetchOutput", {"size": 11_693, "tree_hash": ""})],
    "glacier_job_failed": [("Notify", {"subject": "Glacier job of backups failed"})],
    "snowball_complete_text": [("CreateDistribution", {"job": "JID3c1fe5d5-7f2b-4a90-9b59-6d0a8f5b2c11"})],
    "snowball_in_transit_text": [("CreateDistribution", {"job": "JID3c1fe5d5-7f2b-4a90-9b59-6d0a8f5b2c11"})],
    "rds_low_storage_0089": [("GrowStorage", {"database": "social-primary"})],
    "rds_storage_full_0007": [("GrowStorage", {"database": "social-primary"})],
    "rds_eventbridge_0089": [("GrowStorage", {"database": "social-primary"})],
    "rds_first_text": [],
    "rds_backup_0002": [],
    "rds_aurora_cluster_0227": [("Notify", {"subject": "Storage of shop-aurora"})],
    "elasticache_add_node": NODES,
    "elasticache_add_node_text": NODES,
    "elasticache_remove_node": NODES,
    "elasticache_replaced_node": NODES,
    "elasticache_add_failed": [],
    "redshift_maintenance_started": [
        ("SetReason", {"cluster": "news-warehouse", "reason": "maintenance", "opened": True})
    ],
    "redshift_maintenance_completed": [
        ("SetReason", {"cluster": "news-warehouse", "reason": "maintenance", "opened": False})
    ],
    "redshift_resize_started_2006": [
        ("SetReason", {"cluster": "news-warehouse", "reason": "resize", "opened": True})
    ],
    "redshift_resize_completed_3002": [
        ("SetReason", {"cluster": "news-warehouse", "reason": "resize", "opened": False})
    ],
    "redshift_resize_failed_3500": [("ReportResize", {"cluster": "news-warehouse"})],
    "dms_task_failed_encoding": [("OrderEncoding", {"task": "mssql-to-mysql"})],
    "dms_eventbridge_failed": [("OrderEncoding", {"task": DMS})],
    "dms_task_failed_fatal": [("ReportFailure", {"task": "mssql-to-mysql"})],
    "dms_task_stopped": [],
    "glue_job_failed": RETRY,
    "glue_job_timeout": RETRY,
    "glue_job_stopped": RETRY,
    "glue_job_succeeded": [],
    "glue_run_status_starting": [],
}  # fmt: skip


def actions(name: str) -> list[Action]:
    return [action for fact in facts(name) for chain in plan(fact, CONFIG) for action in chain]


@pytest.mark.parametrize("name", NAMES)
def test_message_comes_to_its_actions(name: str) -> None:
    expected = EXPECTED.get(name, [] if name.startswith("marketplace_") else None)
    assert expected is not None, f"{name} is described nowhere"
    found = actions(name)
    assert [type(action).__name__ for action in found] == [kind for kind, _ in expected]
    for action, (_, fields) in zip(found, expected, strict=True):
        assert asdict(action) | fields == asdict(action)  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("name", "ignored"),
    [
        ("autoscaling_test", "autoscaling:TEST_NOTIFICATION"),
        ("s3_test_event", "s3:TestEvent"),
        ("rds_first_text", "event subscription created"),
        ("glue_run_status_starting", "aws.glue: Glue Job Run Status"),
    ],
)
def test_message_is_ignored_by_name(name: str, ignored: str) -> None:
    assert facts(name) == [Ignored(ignored)]


def test_documents_are_known_by_their_decoded_keys() -> None:
    keys = {name: [fact.key for fact in facts(name) if isinstance(fact, ObjectCreated)] for name in NAMES}
    assert {name: found for name, found in keys.items() if found} == {
        "s3_document_uploaded": ["2026/résumé of Zoë & Co.docx"],
        "s3_document_uploaded_raw": ["letters/plain.txt"],
        "s3_multipart_and_two_records": ["a.odt", "b.rtf"],
    }


def test_marketplace_is_known_by_customer_and_licence() -> None:
    found = {name: facts(name)[0] for name in NAMES if name.startswith("marketplace_")}
    customers = {fact.customer for fact in found.values() if isinstance(fact, SubscriptionChange)}
    licences = {fact.licence for fact in found.values() if isinstance(fact, AgreementChange)}
    assert len(found) == 11
    assert customers == {"X01EXAMPLEX"}  # once with a blank before it
    assert licences == {"", "l-e52ca6f38bf84d0fafb8802ca15ac11a"}


@pytest.mark.parametrize(
    "names",
    [
        (
            "autoscaling_launch_lifecycle",
            "autoscaling_launch_lifecycle_text",
            "autoscaling_eventbridge_launch",
        ),
        ("beanstalk_created_text", "beanstalk_eventbridge_created"),
        ("alarm_efs_percent_io_limit", "alarm_eventbridge_efs"),
        ("s3_restore_completed", "s3_eventbridge_restore"),
        ("rds_low_storage_0089", "rds_eventbridge_0089"),
        ("marketplace_agreement_created_proposer", "marketplace_agreement_created_manufacturer"),
    ],
)
def test_one_fact_has_one_identity_however_it_comes(names: tuple[str, ...]) -> None:
    assert len({facts(name)[0].identity for name in names}) == 1
    assert len({tuple(action.key for action in actions(name)) for name in names}) == 1


def test_other_facts_have_other_identities() -> None:
    pairs = [
        ("alarm_route53_unhealthy", "alarm_route53_healthy"),
        ("rds_low_storage_0089", "rds_storage_full_0007"),
        ("redshift_maintenance_started", "redshift_resize_started_2006"),
        ("elasticache_add_node", "elasticache_remove_node"),
    ]
    for one, other in pairs:
        assert facts(one)[0].identity != facts(other)[0].identity


def wrapped(body: str, how: str) -> str:
    """A message of a topic as it comes otherwise."""
    event = json.loads(body)
    sns = event["Records"][0]["Sns"]
    if how == "raw":
        return str(sns["Message"])
    envelope = {"Type": "Notification"} | {
        name.replace("Url", "URL"): value for name, value in sns.items() if name != "MessageAttributes"
    }
    return json.dumps(envelope)


@pytest.mark.parametrize("how", ["queue", "raw"])
@pytest.mark.parametrize("name", [name for name in NAMES if '"Sns"' in bodies(name)[0]])
def test_envelope_changes_nothing(name: str, how: str) -> None:
    [incoming] = unwrapped(wrapped(bodies(name)[0], how), "m-1")
    found = [chain for fact in facts_of(incoming) for chain in plan(fact, CONFIG)]
    usual = [chain for fact in facts(name) for chain in plan(fact, CONFIG)]
    if how == "raw":  # what only the envelope says is not there

        def kinds(chains: list[tuple[Action, ...]]) -> list[str]:
            return [type(action).__name__ for chain in chains for action in chain]

        assert kinds(found) == kinds(usual)
    else:
        assert found == usual
