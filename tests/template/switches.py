"""The sets of switches on which every rule runs, with `Target=aws`."""

from __future__ import annotations

from ops.applications import sections
from ops.settings import overrides
from ops.template import source

__all__ = ["EVERYTHING", "OFF", "SETS", "STANDARD"]

# An option that is on by default belongs to its application, and is off only where a set says so.
_ON_WITH_ITS_APPLICATION = {"EnableImageDistribution"}
OFF = {
    name: "false"
    for name in source()["Parameters"]
    if name.startswith("Enable") and name not in _ON_WITH_ITS_APPLICATION
}

# An application's parameters begin with its switch; Shared has none.
_APPLICATIONS = [names[0].removeprefix("Enable") for names in sections("Parameters").values()][1:]

# What an application can be given beside its switch.
_OPTIONS: dict[str, dict[str, dict[str, str]]] = {
    "ImageResizer": {
        "signed": {"ImageSigning": "true"},
        "website alone": {"EnableImageDistribution": "false"},
        "own address": {
            "ImageDomainName": "images.example.com",
            "ImageCertificateArn": "arn:aws:acm:us-east-1:123456789012:certificate/1",
        },
    },
    "AccessLogs": {
        "hashing": {"AccessLogsViewerAddress": "hash"},
        "by date": {"AccessLogsPartitionType": "Date"},
    },
    "LogStreaming": {
        "hashing": {"AccessLogsViewerAddress": "hash"},
        "Flink": {"EnableFlink": "true", "LogFlinkCodeBucket": "code-bucket"},
    },
    "Auth": {
        "mails": {"AuthSender": "no-reply@example.com"},
        "two regions": {
            "AuthPeerRegion": "us-west-2",
            "AuthIssuer": "https://accounts.example.com",
        },
    },
    "SocialStream": {
        "encryption": {"EnableSocialEncryption": "true"},
        "QuickSight": {"EnableQuickSight": "true"},
    },
    "Ec2Monitor": {
        "mail, failed sign-ins": {"OperationsEmail": "ops@example.com", "Ec2SignInAlerts": "failed"},
        "index": {"EnableOpenSearch": "true"},
        "index, read by people": {
            "EnableOpenSearch": "true",
            "Ec2SearchPeople": "203.0.113.0/24,198.51.100.0/24",
        },
    },
    "ContainerMetrics": {
        "clusters": {"ContainerMetricsClusters": "a,b"},
        "elsewhere": {
            "ContainerMetricsClusterArns": "arn:aws:ecs:eu-west-1:111122223333:cluster/a",
            "ContainerMetricsQueueArns": "arn:aws:sqs:eu-west-1:111122223333:q",
            "ContainerMetricsReaderRoles": "arn:aws:iam::111122223333:role/reader",
        },
        "queues, express, by the minute": {
            "ContainerMetricsQueues": "q1,q2.fifo",
            "ContainerMetricsWorkflow": "EXPRESS",
            "ContainerMetricsPut": "minute",
        },
    },
    "EventHub": {
        "every reaction": {
            "HubBuildProject": "ci",
            "HubProfileTask": "profile:7",
            "HubProfileCluster": "shop",
            "HubProfileRoles": "arn:aws:iam::123456789012:role/task,arn:aws:iam::123456789012:role/execution",
            "HubProfileSubnets": "subnet-1,subnet-2",
            "HubProfileSecurityGroups": "sg-1",
            "HubProfileAlarms": "shop-composite",
            "HubProducerFunction": "clicks",
            "HubRestoreBuckets": "arn:aws:s3:::archive-a,arn:aws:s3:::archive-b",
            "HubVaults": "arn:aws:glacier:eu-west-1:123456789012:vaults/a",
            "HubImageryBuckets": "imagery-a,imagery-b",
            "HubTopics": "arn:aws:sns:us-east-1:123456789012:health,arn:aws:sns:eu-west-1:123456789012:eb",
        },
        "task without roles, dry run": {"HubProfileTask": "profile:7", "HubDryRun": "true"},
        "documents by image": {
            "HubDocumentsImageUri": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/documents:1"
        },
    },
    "ApiPortal": {
        "sold, of both eras": {
            "PortalImagesProductCode": "images0product",
            "PortalImagesDimension": "calls",
            "PortalFleetProductCode": "fleet0product",
            "PortalFleetTopicArn": (
                "arn:aws:sns:us-east-1:287250355862:aws-mp-subscription-notification-fleet0product"
            ),
        },
    },
}
_ALL_OPTIONS = {
    name: value
    for options in _OPTIONS.values()
    for given in options.values()
    for name, value in given.items()
}
EVERYTHING = dict.fromkeys(OFF, "true") | _ALL_OPTIONS | {"Ec2SignInAlerts": "failed"}

SETS: dict[str, dict[str, str]] = {
    "defaults": {},
    "staging": overrides("staging"),
    "prod": overrides("prod"),
    "nothing": OFF,
    **{f"{application} alone": OFF | {f"Enable{application}": "true"} for application in _APPLICATIONS},
    **{
        f"{application}, {option}": OFF | {f"Enable{application}": "true"} | given
        for application, options in _OPTIONS.items()
        for option, given in options.items()
    },
    "everything": EVERYTHING,
    "everything, all sign-ins alert": EVERYTHING | {"Ec2SignInAlerts": "all"},
}
# What somebody gets who chooses nothing.
STANDARD = ("defaults", "staging", "prod")
