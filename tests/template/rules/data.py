"""Resources with data: encrypted, closed, and kept where it cannot be made again."""

from __future__ import annotations

from collections.abc import Iterator

from ops.template import Resource, Stack

from . import Verdict, rule
from ._iam import as_list, covers, statements

# What may go with the stack, and why. Everything else that holds data is kept.
DISPOSABLE = {
    "WebBucket": "holds copies of web/ and nothing else",
    "ImagesRefusalsTable": "forgets which originals cannot be resized; they are looked at once more",
    "ImagesSigningSecret": "a lost secret means new links, not lost data",
    "AccessLogsLedgerTable": "forgets which objects are done; the views de-duplicate",
    "AccessLogsPartitionsTable": "goes with the Glue table, whose partitions it knows",
    "AccessLogsAddressSecret": "hashes of two secrets cannot be compared, but no data is lost",
    "LogPartialsTable": "counts of the last two days",
    "LogResultsTable": "a view of the last days; the logs at rest have it all",
    "LogStreamFailuresBucket": "expires anyway",
    "AuthImportBucket": "uploads are deleted once they are imported",
    "Ec2SearchDomain": "costs by the hour; the record itself is in the calls bucket",
    "Ec2AlertsKey": "encrypts messages in flight, nothing at rest",
    "RidesFleetTable": "made anew when it is first needed; rides know their unicorns",
}
# Pools in which strangers make accounts for themselves, and the APIs that may take their tokens.
VISITORS = {"VisitorsUserPool": {"RidesApi", "PortalApi"}}
STATEFUL = {
    "AWS::Cognito::UserPool",
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::OpenSearchService::Domain",
    "AWS::S3::Bucket",
    "AWS::SecretsManager::Secret",
}
WEBSITES = {"ImagesBucket": "originals and variants are served to everybody"}
# Topics whose messages name people or their addresses.
PERSONAL_TOPICS = {"Ec2AlertsTopic": "who did what in the account, from which address"}
# Prices by the hour, whether used or not: the services' pages on pricing.
HOURLY = {
    "AWS::EC2::Instance",
    "AWS::EC2::NatGateway",
    "AWS::EC2::VPCEndpoint",
    "AWS::ECS::Service",
    "AWS::ElastiCache::CacheCluster",
    "AWS::Kinesis::Stream",
    "AWS::KinesisAnalyticsV2::Application",
    "AWS::OpenSearchService::Domain",
    "AWS::RDS::DBCluster",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::RDS::DBInstance",
    "AWS::Redshift::Cluster",
}


@rule
def data_is_kept_or_may_go(stack: Stack) -> Iterator[Verdict]:
    """A resource with data survives the stack's deletion, unless it is on the list of what may go.

    `RetainExceptOnCreate`, not `Retain`: a failed first creation must leave nothing that costs or stands in
    the way: https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-deletionpolicy.html
    """
    for resource in stack.of(*STATEFUL):
        kept = (resource.attributes.get("DeletionPolicy"), resource.attributes.get("UpdateReplacePolicy"))
        wanted = ("Delete", "Delete") if resource.name in DISPOSABLE else ("RetainExceptOnCreate", "Retain")
        problem = f"has DeletionPolicy and UpdateReplacePolicy {kept}; it should be {wanted}"
        yield Verdict(resource.name, "" if kept == wanted else problem)


@rule
def kept_tables_and_pools_are_protected(stack: Stack) -> Iterator[Verdict]:
    """Tables and pools that are kept can be restored to a point in time, and nobody deletes them by mistake.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Point-in-time-recovery.html and
    https://docs.aws.amazon.com/cognito/latest/developerguide/user-pool-settings-deletion-protection.html
    """
    for table in stack.of("AWS::DynamoDB::Table"):
        if table.name not in DISPOSABLE:
            recovery = table.properties.get("PointInTimeRecoverySpecification", {})
            if not recovery.get("PointInTimeRecoveryEnabled"):
                yield Verdict(table.name, "is kept, but cannot be restored: enable point-in-time recovery")
            protected = table.properties.get("DeletionProtectionEnabled") is True
            yield Verdict(
                table.name, "" if protected else "is kept, but can be deleted: set DeletionProtectionEnabled"
            )
    for pool in stack.of("AWS::Cognito::UserPool"):
        protected = pool.properties.get("DeletionProtection") == "ACTIVE"
        yield Verdict(
            pool.name, "" if protected else "is kept, but can be deleted: set DeletionProtection: ACTIVE"
        )


@rule
def data_at_rest_is_encrypted(stack: Stack) -> Iterator[Verdict]:
    """Queues, buckets, streams, domains and topics about people are encrypted (tables always are)."""
    for queue in stack.of("AWS::SQS::Queue"):
        yield Verdict(
            queue.name,
            _unless(queue.properties.get("SqsManagedSseEnabled") is True, "set SqsManagedSseEnabled"),
        )
    for bucket in stack.of("AWS::S3::Bucket"):
        rules = bucket.properties.get("BucketEncryption", {}).get("ServerSideEncryptionConfiguration", [])
        algorithms = [each.get("ServerSideEncryptionByDefault", {}).get("SSEAlgorithm") for each in rules]
        encrypted = bool(algorithms) and set(algorithms) <= {"AES256", "aws:kms", "aws:kms:dsse"}
        yield Verdict(bucket.name, _unless(encrypted, "set BucketEncryption"))
    for stream in stack.of("AWS::Kinesis::Stream"):
        kind = stream.properties.get("StreamEncryption", {}).get("EncryptionType")
        yield Verdict(stream.name, _unless(kind == "KMS", "set StreamEncryption"))
    for topic in stack.of("AWS::SNS::Topic"):
        personal = topic.name in PERSONAL_TOPICS
        keyed = stack.at(topic.properties.get("KmsMasterKeyId"), "AWS::KMS::Key") is not None
        yield Verdict(topic.name, _unless(keyed or not personal, "set KmsMasterKeyId"))
    for domain in stack.of("AWS::OpenSearchService::Domain"):
        at_rest = domain.properties.get("EncryptionAtRestOptions", {}).get("Enabled")
        between = domain.properties.get("NodeToNodeEncryptionOptions", {}).get("Enabled")
        yield Verdict(
            domain.name, _unless(at_rest and between, "set EncryptionAtRest and NodeToNodeEncryption")
        )


def _unless(encrypted: object, remedy: str) -> str:
    return "" if encrypted else f"is not encrypted: {remedy}"


@rule
def keys_of_topics_let_publishers_in(stack: Stack) -> Iterator[Verdict]:
    """A topic's key lets the services use it that publish to the topic: else their messages are lost.

    https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services
    """
    for topic in stack.of("AWS::SNS::Topic"):
        key = stack.at(topic.properties.get("KmsMasterKeyId"), "AWS::KMS::Key")
        if not key:
            continue
        publishers = {
            service
            for statement in statements(stack, "resource")
            if topic.identifier in as_list(statement.policy.owner.properties.get("Topics", []))
            for service in statement.services
        }
        let_in = {
            service
            for statement in statements(stack, "resource")
            if statement.policy.owner is key
            and {"kms:Decrypt", "kms:GenerateDataKey"} <= set(statement.actions)
            for service in statement.services
        }
        missing = ", ".join(sorted(publishers - let_in))
        yield Verdict(key.name, f"refuses {missing}, which publishes to {topic.name}" if missing else "")


@rule
def buckets_are_closed(stack: Stack) -> Iterator[Verdict]:
    """All public access to a bucket is blocked, unless it is a website on the list."""
    for bucket in stack.of("AWS::S3::Bucket"):
        block = bucket.properties.get("PublicAccessBlockConfiguration", {})
        wanted = {"BlockPublicAcls", "IgnorePublicAcls"}
        if bucket.name not in WEBSITES:
            wanted |= {"BlockPublicPolicy", "RestrictPublicBuckets"}
        if bucket.properties.get("AccessControl", "Private") != "Private":
            yield Verdict(bucket.name, "has a canned ACL: S3 refuses it, or strangers read")
        open_ended = sorted(name for name in wanted if str(block.get(name)).lower() != "true")
        yield Verdict(bucket.name, f"is open: set {', '.join(open_ended)}" if open_ended else "")


# Buckets where people put objects of their own beside what functions make.
SHARED_WITH_PEOPLE = {"ImagesBucket"}
# Kept buckets whose objects all expire by a parameter, and what they hold.
EXPIRING = {
    "AccessLogsBucket": "logs, AccessLogsRawDays",
    "LogFlinkResultsBucket": "results, LogResultDays",
    "SocialFailuresBucket": "records that failed, 14 days",
}
# What nobody needs on objects of people.
_DESTRUCTIVE = {
    "s3:BypassGovernanceRetention", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:DeleteObjectVersion",
    "s3:PutBucketAcl", "s3:PutBucketPolicy", "s3:PutLifecycleConfiguration", "s3:PutObjectAcl",
}  # fmt: skip


@rule
def kept_objects_do_not_expire(stack: Stack) -> Iterator[Verdict]:
    """In a kept bucket a rule that expires objects has a prefix or a tag, and people's are never meant.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/intro-lifecycle-filters.html
    """
    for bucket in stack.of("AWS::S3::Bucket"):
        if bucket.name in DISPOSABLE:
            continue
        for each in bucket.properties.get("LifecycleConfiguration", {}).get("Rules", []):
            if "ExpirationInDays" not in each and "ExpirationDate" not in each:
                continue
            tagged = {"Key": "variant", "Value": "true"} in each.get("TagFilters", [])
            fits = (
                tagged if bucket.name in SHARED_WITH_PEOPLE else each.get("Prefix") or bucket.name in EXPIRING
            )
            yield Verdict(bucket.name, "" if fits else f"expires what is kept, by the rule {each.get('Id')}")


@rule
def tables_cost_by_the_request(stack: Stack) -> Iterator[Verdict]:
    """Tables are billed by the request: capacity costs by the hour, used or not."""
    for table in stack.of("AWS::DynamoDB::Table"):
        on_demand = table.properties.get("BillingMode") == "PAY_PER_REQUEST"
        yield Verdict(
            table.name, "" if on_demand else "has capacity by the hour: set BillingMode PAY_PER_REQUEST"
        )


@rule
def cloudfront_may_deliver_its_logs(stack: Stack) -> Iterator[Verdict]:
    """The bucket of standard logs takes ACLs, by which CloudFront lets itself in.

    https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logging-legacy-s3.html
    """
    for bucket in stack.of("AWS::S3::Bucket"):
        if bucket.name == "AccessLogsBucket":
            controls = bucket.properties.get("OwnershipControls", {}).get("Rules", [])
            takes = [each["ObjectOwnership"] for each in controls] == ["BucketOwnerPreferred"]
            yield Verdict(
                bucket.name, "" if takes else "refuses CloudFront's ACL: ObjectOwnership BucketOwnerPreferred"
            )


_GUARDS = {"s3:DeleteObject": {"s3:if-match"}, "s3:PutObject": {"s3:if-match", "s3:if-none-match"}}


@rule
def what_people_own_is_not_overwritten(stack: Stack) -> Iterator[Verdict]:
    """Where people have objects, a role deletes and writes by conditional calls alone.

    A name does not tell whose an object is, and `s3:DeleteObject` knows no tag condition; with `Null: false`
    the request must carry the header:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html and
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-delete-enforce.html
    """
    arns = [bucket.arn for bucket in stack.of("AWS::S3::Bucket") if bucket.name in SHARED_WITH_PEOPLE]
    for statement in statements(stack, "identity"):
        touched = any(
            covers(str(each), f"{arn}/300x300/key") or str(each).startswith(arn)
            for each in statement.resources
            for arn in arns
        )
        for action in sorted(set(statement.actions) & _DESTRUCTIVE) if touched else ():
            yield Verdict(statement.where, f"allows {action} on what people own, which no function needs")
        for action in sorted(set(statement.actions) & set(_GUARDS)) if touched else ():
            demanded = {
                key
                for operator, key, values in statement.conditions
                if operator == "Null" and [str(value).lower() for value in values] == ["false"]
            }
            remedy = " or ".join(sorted(_GUARDS[action]))
            problem = f"allows {action} on what people own: demand {remedy} by a Null condition"
            yield Verdict(statement.where, "" if demanded & _GUARDS[action] else problem)


@rule
def logs_expire(stack: Stack) -> Iterator[Verdict]:
    """Every log group has a retention, and every function one of them."""
    for group in stack.of("AWS::Logs::LogGroup"):
        yield Verdict(
            group.name,
            "" if group.properties.get("RetentionInDays") else "keeps logs for ever: set RetentionInDays",
        )
    for function in stack.of("AWS::Lambda::Function"):
        group = function.properties.get("LoggingConfig", {}).get("LogGroup")
        known = stack.at(group, "AWS::Logs::LogGroup")
        yield Verdict(
            function.name,
            "" if known else "logs to a group that Lambda makes, and that never expires: set LoggingConfig",
        )


def costs_by_the_hour(stack: Stack) -> list[str]:
    """What costs by the hour, a sentence each; of the standard sets nothing may."""
    remedy = "costs by the hour and is on by default: give it a switch of its own that is off"
    return [f"{resource.name} {remedy} [costs_by_the_hour]" for resource in stack.of(*HOURLY)]


@rule
def people_sign_up_only_where_they_may(stack: Stack) -> Iterator[Verdict]:
    """The operators' pool makes accounts by an administrator alone; the visitors' pool opens APIs of theirs.

    `AllowAdminCreateUserOnly`: "The setting for allowing self-service sign-up":
    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_AdminCreateUserConfigType.html
    """
    groups = {each.properties.get("GroupName") for each in stack.of("AWS::Cognito::UserPoolGroup")}
    for pool in stack.of("AWS::Cognito::UserPool"):
        if pool.name in VISITORS:
            yield _knows_addresses_in_any_case(pool)
            yield from _opens_visitors_apis_alone(stack, pool)
            continue
        if "operators" not in groups:
            yield Verdict(pool.name, "has no group operators: nobody could read the operators' pages")
        closed = pool.properties.get("AdminCreateUserConfig", {}).get("AllowAdminCreateUserOnly") is True
        yield Verdict(
            pool.name,
            "" if closed else "lets strangers sign up: set AdminCreateUserConfig.AllowAdminCreateUserOnly",
        )


def _knows_addresses_in_any_case(pool: Resource) -> Verdict:
    """Case-sensitive "is the default value", and stays so for ever:
    https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UsernameConfigurationType.html
    """
    sensitive = pool.properties.get("UsernameConfiguration", {}).get("CaseSensitive", True)
    problem = (
        "takes Ada@example.org for another than ada@example.org: set UsernameConfiguration.CaseSensitive"
    )
    return Verdict(pool.name, problem if sensitive is not False else "")


def _opens_visitors_apis_alone(stack: Stack, pool: Resource) -> Iterator[Verdict]:
    for api in stack.of("AWS::ApiGateway::RestApi"):
        takes = pool.arn in str(api.properties["Body"])
        problem = f"takes tokens of {pool.name}, in which strangers make accounts for themselves"
        yield Verdict(api.name, problem if takes and api.name not in VISITORS[pool.name] else "")
