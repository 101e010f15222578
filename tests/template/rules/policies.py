"""IAM: policies that exist, fit, and allow no more than they have to."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from ops.template import Stack

from . import Verdict, rule
from ._iam import Policy, Statement, as_list, covers, formats, keys_of, policies, resource_fits, statements

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html: those in use
GLOBAL_KEYS = {
    "aws:PrincipalArn", "aws:RequestedRegion", "aws:ResourceAccount", "aws:SecureTransport",
    "aws:SourceAccount", "aws:SourceArn", "aws:SourceIp", "aws:SourceOwner",
}  # fmt: skip
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
OPERATORS = {
    f"{kind}{comparison}"
    for kind, comparisons in {
        "String": ("Equals", "NotEquals", "EqualsIgnoreCase", "NotEqualsIgnoreCase", "Like", "NotLike"),
        "Arn": ("Equals", "NotEquals", "Like", "NotLike"),
        "Numeric": ("Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"),
    }.items()
    for comparison in comparisons
} | {"Bool", "IpAddress", "NotIpAddress", "Null"}

# Keys that a service is documented to send when it assumes a role or calls with its own principal.
_SOURCE = {"aws:SourceAccount", "aws:SourceArn"}
SENT_BY = {
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/cross-service-confused-deputy-prevention.html
    "scheduler.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/eventbridge/latest/userguide/cross-service-confused-deputy-prevention.html
    "events.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/step-functions/latest/dg/procedure-create-iam-role.html
    "states.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/managed-flink/latest/java/iam-cross-service-confused-deputy-prevention.html
    "kinesisanalytics.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html
    "s3.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html
    "cloudwatch.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-s3.html
    "cloudfront.amazonaws.com": {"aws:SourceArn"},
    # https://docs.aws.amazon.com/opensearch-service/latest/developerguide/createdomain-configure-slow-logs.html
    "es.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html shows neither
    "firehose.amazonaws.com": {"sts:ExternalId"},
    # https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html
    "sns.amazonaws.com": _SOURCE,
    # https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/USER_Events.GrantingPermissions.html
    "events.rds.amazonaws.com": _SOURCE,
    "lambda.amazonaws.com": set[str](),
    "apigateway.amazonaws.com": set[str](),
}
# https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/real-time-logs.html shows no key in its
# trust policy
SENT_AT_ASSUMING = SENT_BY | {"cloudfront.amazonaws.com": set[str]()}

# What everybody may do, on which condition, and why.
PUBLIC: dict[str, tuple[set[str], set[str], str]] = {
    "ImagesBucketPolicy": ({"s3:GetObject"}, set(), "a website: everybody reads its objects"),
    "Ec2SearchDomain": (
        {"es:ESHttpGet", "es:ESHttpHead", "es:ESHttpPost"},
        {"aws:SourceIp"},
        "people of listed addresses read without signing",
    ),
    "HubTopicPolicy": (
        {"sns:Publish"},
        {"aws:SourceOwner"},
        "this account, in whose name ElastiCache and others publish",
    ),
}


@rule
def policies_have_statements(stack: Stack) -> Iterator[Verdict]:
    """Every policy has a statement: IAM refuses an empty one, and with it the whole stack.

    "Statement: this element is required" (IAM User Guide, "IAM JSON policy elements: Statement").
    """
    for policy in policies(stack):
        whole = isinstance(policy.document, dict) and bool(as_list(policy.document.get("Statement", [])))
        yield Verdict(
            policy.owner.name, "" if whole else f"has a policy {policy.name} without statements: leave it out"
        )


@rule
def statements_are_well_formed(stack: Stack) -> Iterator[Verdict]:
    """A statement has effect, actions, resources or a principal, and nothing else.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
    """
    for policy in policies(stack):
        if policy.document.get("Version") != "2012-10-17":
            yield Verdict(policy.owner.name, f"has a policy {policy.name} of another Version than 2012-10-17")
        sids = [body["Sid"] for body in as_list(policy.document.get("Statement", [])) if "Sid" in body]
        if len(sids) != len(set(sids)):
            yield Verdict(policy.owner.name, f"has two statements of one Sid in {policy.name}: rename one")
    for statement in statements(stack):
        yield Verdict(statement.where, _malformed(statement))


def _malformed(statement: Statement) -> str:
    body, kind = statement.body, statement.policy.kind
    wanted = {"Effect", "Action"} | ({"Resource"} if kind != "trust" else set())
    wanted |= {"Principal"} if kind != "identity" else set()
    if missing := wanted - set(body):
        return f"lacks {', '.join(sorted(missing))}"
    if unknown := set(body) - wanted - {"Sid", "Condition"}:
        return f"has {', '.join(sorted(unknown))}, which a {kind} policy here does not need"
    if body["Effect"] != "Allow" or not statement.actions:
        return "allows nothing: a Deny, or no action, is beyond what these rules can judge"
    if kind != "trust" and not statement.resources:
        return "names no resource"
    if not re.fullmatch(r"[A-Za-z0-9]*", body.get("Sid", "")):
        return "has a Sid with other characters than letters and digits"
    return ""


@rule
def actions_exist(stack: Stack) -> Iterator[Verdict]:
    """Every action is one of AWS's list, written out: no wildcard."""
    for statement in statements(stack):
        for action in statement.actions:
            problem = ""
            if "*" in action and not _administers_key(statement, stack):
                problem = f"allows {action}: name the actions"
            elif "*" not in action and not formats(action):
                problem = f"allows {action}, which the service authorization reference does not know"
            yield Verdict(statement.where, problem)


def _administers_key(statement: Statement, stack: Stack) -> bool:
    """The statement of a key's default policy that lets the account's own IAM policies decide.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    """
    root = principals(statement) == [f"arn:{stack.place.partition}:iam::{stack.place.account}:root"]
    return statement.policy.owner.kind == "AWS::KMS::Key" and statement.actions == ["kms:*"] and root


@rule
def resources_fit_their_actions(stack: Stack) -> Iterator[Verdict]:
    """Each action gets a resource that it takes, and `*` only if it takes none."""
    for statement in statements(stack, "identity", "resource"):
        for action in statement.actions:
            yield Verdict(statement.where, _misfit(statement, action))
        for resource in statement.resources:
            if resource != "*" and not any(
                resource_fits(resource, form) for action in statement.actions for form in formats(action)
            ):
                yield Verdict(statement.where, f"names {resource}, of which none of its actions takes any")


def _misfit(statement: Statement, action: str) -> str:
    forms = formats(action) - {"*"}
    if "*" in statement.resources:
        # A resource's own policy may say `*`: it means that resource (KMS demands it).
        if statement.policy.kind == "resource" and statement.policy.owner.kind == "AWS::KMS::Key":
            return ""
        return f"allows {action} on *: name the resource, {' or '.join(sorted(forms))}" if forms else ""
    if not forms:
        return f"allows {action} on a resource, which it does not take: it needs a statement of its own on *"
    if not any(resource_fits(resource, form) for resource in statement.resources for form in forms):
        if not statement.resources:
            return f"allows {action} on nothing"
        return f"allows {action} on {statement.resources[0]}; it takes {' or '.join(sorted(forms))}"
    return ""


# Patterns that go beyond one resource of this stack, and why.
WIDE = {
    (
        "ContainerMetricsFunctionRole",
        "ReadClusters",
    ): "a list of names becomes ARNs without pseudo parameters",
    ("ContainerMetricsFunctionRole", "ReadQueues"): "a list of names becomes ARNs without pseudo parameters",
    ("InsightsFunctionRole", "ListAlarms"): "a list by prefix is one of all alarms; reading alone",
    ("HubReactFunctionRole", "ActAsReactions"): "roles under a path of the stack, which trust this one",
    ("HubBuildRole", "ReadProject"): "a parameter names the project",
    ("HubFleetRole", "RunShellScript"): "a document of AWS's own, of no account",
    ("HubThroughputRole", "ReadFileSystems"): "an alarm names it; reading alone",
    ("HubGrowRole", "ReadDatabases"): "an event names it; reading alone",
    ("HubNodesRole", "ReadNodes"): "an event names it; reading alone",
    ("HubDivertRole", "ReadClusters"): "an event names it; reading alone",
    ("HubDivertRole", "HoldProducer"): "mappings have ids; a condition names their function",
    ("HubMigrateRole", "ReadTaskTags"): "an event names it; reading alone",
    ("HubStatusRole", "ReadAlarms"): "Route 53's alarms are in us-east-1; reading alone",
    ("HubConnectionRole", "ReadAlarms"): "a message names it; reading alone",
    ("HubRetryRunRole", "ReadJobTags"): "an event names it; reading alone",
    ("PortalFunctionRole", "TagNewKeys"): "API Gateway makes up ids of keys; with the stack's own tag alone",
}
# Resources of AWS or of the account that a policy may name, by the form of their ARN behind the account.
OF_THE_ACCOUNT = ("catalog", "database/default")
# Where keys of API Gateway are created; what is below it is every key of the account.
KEYS = "/apikeys"


@rule
def arns_are_of_this_stack(stack: Stack) -> Iterator[Verdict]:
    """An ARN in a policy has this partition, region and account, and names something of this stack.

    What somebody names by its ARN in a parameter may be anywhere, and what has a tag may be of any name, as
    may a key that has this stack's alias. A wildcard stands behind the whole name of a resource, never in it:
    `queue*` and `*` are others' queues too. In the authentication's other region is a stack of the same name.
    """
    given = given_arns(stack)
    for statement in statements(stack, "identity", "resource"):
        for resource in statement.resources:
            excused = (statement.policy.owner.name, statement.body.get("Sid")) in WIDE
            excused = excused or resource.removesuffix("/*") in given
            tagged = any(key.startswith("aws:ResourceTag/") for _, key, _ in statement.conditions)
            tagged = tagged or _has_alias(stack, statement)
            problem = "" if excused or resource == "*" else _foreign(stack, resource, tagged)
            yield Verdict(statement.where, problem)


def _has_alias(stack: Stack, statement: Statement) -> bool:
    """Whether a statement is about keys that have an alias of this stack."""
    aliases = {each.named for each in stack.of("AWS::KMS::Alias")}
    return any(
        (operator, key) == ("ForAnyValue:StringEquals", "kms:ResourceAliases") and set(values) <= aliases
        for operator, key, values in statement.conditions
    )


def _elsewhere(stack: Stack, service: str) -> Iterator[Statement]:
    """The statements of roles on a service's resources in another region."""
    for statement in statements(stack, "identity"):
        regions = {each.split(":")[3] for each in statement.resources if each.startswith("arn:")}
        of_service = any(action.startswith(f"{service}:") for action in statement.actions)
        if of_service and regions - {stack.place.region}:
            yield statement


@rule
def tables_elsewhere_are_reached_in_part(stack: Stack) -> Iterator[Verdict]:
    """In another region's table a role reaches the partitions that it names, and no others.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    for statement in _elsewhere(stack, "dynamodb"):
        named = [
            values
            for operator, key, values in statement.conditions
            if (operator, key) == ("ForAllValues:StringLike", "dynamodb:LeadingKeys")
        ]
        partial = bool(named) and all(re.fullmatch(r"[A-Z]#\*", value) for value in named[0])
        problem = "reaches every item of another region's table: add dynamodb:LeadingKeys"
        yield Verdict(statement.where, "" if partial else problem)


@rule
def keys_elsewhere_are_used_in_part(stack: Stack) -> Iterator[Verdict]:
    """With another region's key a role wraps what an encryption context names, and nothing else.

    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html
    """
    for statement in _elsewhere(stack, "kms"):
        partial = any(key.startswith("kms:EncryptionContext:") for _, key, _ in statement.conditions)
        problem = "unwraps every secret of another region: add kms:EncryptionContext:..."
        yield Verdict(statement.where, "" if partial else problem)


def _foreign(stack: Stack, resource: str, tagged: bool) -> str:
    _, partition, service, region, account, rest = (resource.split(":", 5) + [""] * 6)[:6]
    place = stack.place
    regional = service not in ("s3", "iam", "cloudfront")
    elsewhere = region == stack.parameters.get("AuthPeerRegion") and service in ("dynamodb", "kms", "ssm")
    if (partition, region, account) != (
        place.partition,
        (region if elsewhere else place.region) if regional else "",
        # "arn:aws:apigateway:region::resource-path" has none:
        # https://docs.aws.amazon.com/apigateway/latest/developerguide/arn-format-reference.html
        place.account if service not in ("s3", "apigateway") else "",
    ):
        return f"names {resource}: partition, region and account have to be those of the stack"
    head, star, _ = rest.partition("*")
    names = {each.arn.split(":", 5)[5].rstrip("*") for each in stack.resources.values() if each.arn}
    names |= {f"table/{each.identifier}/" for each in stack.of("AWS::Glue::Database")}
    names |= {f"database/{each.identifier}" for each in stack.of("AWS::Glue::Database")}
    names |= {f"workgroup/{each.identifier}" for each in stack.of("AWS::Athena::WorkGroup")}
    names |= {f"identity/{each.identifier}" for each in stack.of("AWS::SES::EmailIdentity")}
    names |= {f"/usageplans/{each.identifier}" for each in stack.of("AWS::ApiGateway::UsagePlan")}
    names |= {f"/restapis/{each.identifier}" for each in stack.of("AWS::ApiGateway::RestApi")}
    names |= {f"parameter/{place.stack}/", *OF_THE_ACCOUNT}
    # "<stack>-<logical id>-<random>": how CloudFormation names what has no name of its own
    names |= {f"table/{place.stack}-{each.name}-" for each in stack.of("AWS::DynamoDB::Table") if elsewhere}
    names |= {f"{stack.parameters.get('LogFlinkCodeBucket', '')}/"} - {"/"}
    if tagged or rest == KEYS:
        return ""
    if star:
        whole = any(head.startswith(f"{name.rstrip('/:')}{end}") for name in names for end in "/:" if name)
        whole = whole or (head in names and head.endswith("-"))
        return "" if whole else f"names {resource}: put the wildcard behind the whole name of a resource"
    known = any(
        rest == name or rest.startswith(f"{name.rstrip('/:')}{end}") for name in names for end in "/:" if name
    )
    return "" if known else f"names {resource}, which is nothing of this stack"


@rule
def values_of_api_keys_cannot_be_read(stack: Stack) -> Iterator[Verdict]:
    """No role may read API keys: IAM does not see whether a request wants their values.

    GetApiKey(s) tell them with `includeValue(s)`, GetUsagePlanKey(s) always:
    https://docs.aws.amazon.com/apigateway/latest/api/API_UsagePlanKey.html
    """
    gateway = f"arn:{stack.place.partition}:apigateway:{stack.place.region}::"
    keys = [f"{gateway}/apikeys", f"{gateway}/apikeys/key"]
    for plan in stack.of("AWS::ApiGateway::UsagePlan"):
        members = f"{gateway}/usageplans/{plan.identifier}/keys"
        keys += [members, f"{members}/key"]
    for statement in statements(stack, "identity"):
        if "apigateway:GET" in statement.actions:
            reads = any(covers(resource, key) for resource in statement.resources for key in keys)
            yield Verdict(statement.where, "may read API keys, and with them their values" if reads else "")


@rule
def condition_keys_are_known(stack: Stack) -> Iterator[Verdict]:
    """Every condition has an operator that exists and a key that its actions know."""
    for statement in statements(stack):
        for operator, key, values in statement.conditions:
            yield Verdict(statement.where, _unknown_condition(stack, statement, operator, key, values))


def _unknown_condition(
    stack: Stack, statement: Statement, operator: str, key: str, values: list[object]
) -> str:
    plain = operator.removesuffix("IfExists").rpartition(":")[2]
    if plain not in OPERATORS:
        return f"has the operator {operator}, which IAM does not know"
    if not values:
        return f"has no value for {key}: it would never hold"
    wanted = {"aws:RequestedRegion": stack.place.region}
    wanted |= dict.fromkeys(("aws:SourceAccount", "aws:ResourceAccount"), stack.place.account)
    if key in wanted and values != [wanted[key]]:
        return f"holds for {key} {values[0]} alone, and not for {wanted[key]}"
    if key in GLOBAL_KEYS:
        return ""
    strangers = [
        action
        for action in statement.actions
        if not any(
            re.fullmatch(re.sub(r"\\\$\\\{\w+\\\}|<\w+>", ".+", re.escape(known)), key)
            for known in keys_of(action)
        )
    ]
    return f"has the key {key}, which {', '.join(strangers)} does not know" if strangers else ""


@rule
def trust_names_keys_that_are_sent(stack: Stack) -> Iterator[Verdict]:
    """A service is held only to keys that it is documented to send; others take the form IfExists.

    A key that is not sent never matches: the role could not be assumed, and nobody sees why.
    """
    for statement in statements(stack, "trust", "resource"):
        sent = SENT_AT_ASSUMING if statement.policy.kind == "trust" else SENT_BY
        for service in statement.services:
            if service not in sent:
                yield Verdict(
                    statement.where, f"trusts {service}: add what it sends to SENT_BY, with the source"
                )
                continue
            unsent = [
                key
                for operator, key, _ in statement.conditions
                if key not in sent[service] and not operator.endswith("IfExists")
            ]
            yield Verdict(
                statement.where,
                f"demands {', '.join(unsent)} of {service}, which may not send it: use ...IfExists"
                if unsent
                else "",
            )


# EventBridge meets no condition at a topic: "Amazon SNS permissions" in
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
# The key of a topic: "...the policy for EventBridge / CloudWatch alarms" at
# https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html#compatibility-with-aws-services has no
# condition either.
UNCONDITIONAL = {
    ("Ec2AlertsPolicy", "events.amazonaws.com"),
    ("Ec2AlertsKey", "events.amazonaws.com"),
    ("Ec2AlertsKey", "cloudwatch.amazonaws.com"),
}


# Services that send nothing to hold them to, and are trusted without: their own documentation shows no
# condition.
UNHELD = {"lambda.amazonaws.com", "apigateway.amazonaws.com"}


@rule
def services_act_for_this_account_alone(stack: Stack) -> Iterator[Verdict]:
    """A service acts for this account's resources alone, by equality (confused deputy)."""
    for statement in statements(stack, "trust", "resource"):
        for service in statement.services:
            sent = (SENT_AT_ASSUMING if statement.policy.kind == "trust" else SENT_BY).get(service, set())
            excused = (statement.policy.owner.name, service) in UNCONDITIONAL or service in UNHELD
            excused = excused or not sent
            held = any(_holds(stack, *condition) for condition in statement.conditions)
            problem = f"trusts {service} for every account: add aws:SourceAccount or aws:SourceArn"
            yield Verdict(statement.where, "" if held or excused else problem)


def _holds(stack: Stack, operator: str, key: str, values: list[object]) -> bool:
    """Whether a condition lets in this account, what a parameter names, or resources of this stack alone."""
    if operator.removesuffix("IfExists") not in ("StringEquals", "ArnEquals", "ArnLike"):
        return False
    if key == "aws:SourceAccount":
        return values == [stack.place.account]
    distribution = f"arn:{stack.place.partition}:cloudfront::{stack.place.account}:distribution/"
    given = given_arns(stack)
    return key == "aws:SourceArn" and all(
        "*" not in str(value) and (stack.at(value) or value in given or str(value).startswith(distribution))
        for value in values
    )


def given_arns(stack: Stack) -> set[str]:
    """ARNs that somebody names in a parameter."""
    found = {arn for value in stack.parameters.values() for arn in str(value).split(",")}
    return {arn for arn in found if arn.startswith("arn:") and "*" not in arn}


# Resources with a policy that is not looked at here.
UNSEEN = {
    "AWS::IAM::Group", "AWS::IAM::GroupPolicy", "AWS::IAM::Policy", "AWS::IAM::RolePolicy",
    "AWS::IAM::User", "AWS::IAM::UserPolicy", "AWS::KMS::ReplicaKey",
    "AWS::Lambda::LayerVersionPermission", "AWS::S3::AccessPoint", "AWS::SNS::TopicInlinePolicy",
    "AWS::SQS::QueueInlinePolicy", "AWS::SecretsManager::ResourcePolicy",
}  # fmt: skip


@rule
def policies_are_where_rules_look(stack: Stack) -> Iterator[Verdict]:
    """Permissions are in roles, and in policies of buckets, queues, topics, keys, logs and domains."""
    for resource in stack.resources.values():
        hidden = resource.kind in UNSEEN or bool({"ResourcePolicy", "Policy"} & set(resource.properties))
        yield Verdict(resource.name, f"holds a policy that no rule sees ({resource.kind})" if hidden else "")


@rule
def nothing_is_open_to_everybody(stack: Stack) -> Iterator[Verdict]:
    """What the principal `*` may do, and on which condition, is on a list with its reason."""
    for statement in statements(stack, "trust", "resource"):
        allowed, held, _ = PUBLIC.get(statement.policy.owner.name, (set[str](), set[str](), ""))
        known = set(statement.actions) <= allowed and held <= {key for _, key, _ in statement.conditions}
        everybody = "*" in principals(statement)
        yield Verdict(
            statement.where, "is open to everybody: name the principal" if everybody and not known else ""
        )


def principals(statement: Statement) -> list[str]:
    """The accounts, roles and users that a statement names, or `*`."""
    principal = statement.body.get("Principal", {})
    if isinstance(principal, str):
        return [principal]
    return [each for kind in sorted(set(principal) - {"Service"}) for each in as_list(principal[kind])]


@rule
def principals_are_of_this_account(stack: Stack) -> Iterator[Verdict]:
    """No other account is let in, and this one as a whole only where a key is administered."""
    for statement in statements(stack, "trust", "resource"):
        for principal in principals(statement):
            whole = principal in (
                stack.place.account,
                f"arn:{stack.place.partition}:iam::{stack.place.account}:root",
            )
            known = principal == "*" or (stack.at(principal, "AWS::IAM::Role") is not None)
            known = known or (whole and _administers_key(statement, stack))
            yield Verdict(statement.where, "" if known else f"lets {principal} in: name a role of this stack")


@rule
def keys_can_be_administered(stack: Stack) -> Iterator[Verdict]:
    """A key with a policy of its own lets the account administer it, or nobody could change or delete it.

    https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-default.html
    """
    for key in stack.of("AWS::KMS::Key"):
        own = [each for each in statements(stack, "resource") if each.policy.owner is key]
        locked_out = bool(own) and not any(_administers_key(each, stack) for each in own)
        enabled = str(key.properties.get("Enabled", "true")).lower() == "true"
        problem = "locks the account out: let its root administer the key" if locked_out else ""
        yield Verdict(key.name, problem or ("" if enabled else "is disabled"))


@rule
def no_managed_policy_is_attached(stack: Stack) -> Iterator[Verdict]:
    """Roles have policies of their own: the managed ones that SAM attaches are allowed on `*`.

    AWSLambdaSQSQueueExecutionRole reads every queue of the account, AWSLambdaBasicExecutionRole writes every
    log.
    """
    for role in stack.of("AWS::IAM::Role"):
        attached = ", ".join(
            str(arn).rpartition("/")[2] for arn in role.properties.get("ManagedPolicyArns", [])
        )
        yield Verdict(
            role.name, f"has {attached} attached: give the function a Role of its own" if attached else ""
        )


@rule
def policies_are_within_their_size(stack: Stack) -> Iterator[Verdict]:
    """A policy is no longer than IAM takes, white space aside.

    2,048 characters for a trust policy (the quota that every account has), 10,240 for all inline policies of
    a role, 6,144 for a managed policy:
    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html; 20 KB for a bucket's:
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html
    """
    for role in stack.of("AWS::IAM::Role"):
        own = [policy for policy in policies(stack) if policy.owner is role]
        for kind, most in (("trust", 2_048), ("identity", 10_240)):
            length = sum(_length(policy) for policy in own if policy.kind == kind)
            yield Verdict(
                role.name, f"has {length} characters of {kind} policy, of {most}" if length > most else ""
            )
    for policy in policies(stack, "resource"):
        too_long = _length(policy) > 20_480
        yield Verdict(policy.owner.name, "has a policy of more than 20 KB" if too_long else "")


def _length(policy: Policy) -> int:
    return len(re.sub(r"\s", "", json.dumps(policy.document)))
