"""Ways to spoil the template; each has to be caught by a rule. Run by `python -m tests.template.mutate`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

__all__ = ["MUTATIONS", "Mutation"]

type Template = dict[str, Any]


@dataclass(frozen=True)
class Mutation:
    """One way to spoil the template.

    Attributes:
        what: What is spoiled, a phrase.
        rules: The rules of which one has to catch it.
        spoil: Changes a template in the form of `ops.template.included()`.
    """

    what: str
    rules: tuple[str, ...]
    spoil: Callable[[Template], None]


MUTATIONS: list[Mutation] = []


def _spoils(
    what: str, *rules: str
) -> Callable[[Callable[[dict[str, Any]], None]], Callable[[dict[str, Any]], None]]:
    """Register a function that changes the template's resources."""

    def register(function: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
        MUTATIONS.append(Mutation(what, rules, lambda template: function(template["Resources"])))
        return function

    return register


def _at(resources: dict[str, Any], path: str) -> Any:
    """The node at a path: a resource's name, then keys of its properties."""
    name, *keys = path.split(".")
    node = resources[name]["Properties"]
    for key in keys:
        node = node[int(key) if key.isdigit() else key]
    return node


def _without(path: str) -> Callable[[dict[str, Any]], None]:
    parent, _, key = path.rpartition(".")

    def spoil(resources: dict[str, Any]) -> None:
        del _at(resources, parent)[int(key) if key.isdigit() else key]

    return spoil


def _with(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    parent, _, key = path.rpartition(".")

    def spoil(resources: dict[str, Any]) -> None:
        _at(resources, parent)[int(key) if key.isdigit() else key] = value

    return spoil


def _attribute(name: str, key: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def spoil(resources: dict[str, Any]) -> None:
        resources[name][key] = value

    return spoil


def _default(parameter: str, value: str) -> Callable[[Template], None]:
    def spoil(template: Template) -> None:
        template["Parameters"][parameter]["Default"] = value

    return spoil


def _statement(role: str, sid: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Find a statement of a role by its Sid, also one behind a condition."""

    def find(resources: dict[str, Any]) -> dict[str, Any]:
        for policy in _at(resources, f"{role}.Policies"):
            policy = policy["Fn::If"][1] if "Fn::If" in policy else policy
            for each in policy["PolicyDocument"]["Statement"]:
                found: dict[str, Any] = each["Fn::If"][1] if "Fn::If" in each else each
                if found.get("Sid") == sid:
                    return found
        raise KeyError(f"{role} has no statement {sid}")

    return find


def _in_statement(role: str, sid: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    find = _statement(role, sid)

    def spoil(resources: dict[str, Any]) -> None:
        find(resources).update(changes)

    return spoil


def _add(what: str, rules: tuple[str, ...], spoil: Callable[[dict[str, Any]], None]) -> None:
    MUTATIONS.append(Mutation(what, rules, lambda template: spoil(template["Resources"])))


def _sams_own_role(resources: dict[str, Any]) -> None:
    del resources["PartitionFunctionRole"], resources["PartitionFunction"]["Properties"]["Role"]


_LEDGER = {"Fn::GetAtt": ["AccessLogsLedgerTable", "Arn"]}
_DELIVERY_ROLE = "AccessLogsStreamRole.Policies.0.PolicyDocument.Statement"

# ---- IAM
_add(
    "a policy without statements",
    ("policies_have_statements",),
    _with("Ec2ShapeFunctionRole.Policies.0.PolicyDocument.Statement", []),
)
_add("a policy whose only statement is conditional", ("policies_have_statements",), _with(
    "InsightsFunctionRole.Policies.0.PolicyDocument.Statement",
    [{"Fn::If": ["LogStreaming", {"Effect": "Allow"}, {"Ref": "AWS::NoValue"}]}],
))  # fmt: skip
_add(
    "a queue's policy without statements",
    ("policies_have_statements",),
    _with("AccessLogsQueuePolicy.PolicyDocument.Statement", []),
)
_add(
    "a statement without a resource",
    ("statements_are_well_formed",),
    lambda resources: _statement("PreprocessFunctionRole", "UpdateLedger")(resources).pop("Resource"),
)
_add(
    "two statements of one Sid",
    ("statements_are_well_formed",),
    _in_statement("PreprocessFunctionRole", "UpdateLedger", Sid="DeliverRows"),
)
_add(
    "a policy of the old Version",
    ("statements_are_well_formed",),
    _with("AccessLogsStreamRole.Policies.0.PolicyDocument.Version", "2008-10-17"),
)
_add(
    "an action that does not exist",
    ("actions_exist",),
    _in_statement("PreprocessFunctionRole", "DeliverRows", Action="firehose:PutRecords"),
)
_add(
    "a wildcard in a list of actions",
    ("actions_exist",),
    _in_statement("PreprocessFunctionRole", "UpdateLedger", Action=["dynamodb:PutItem", "dynamodb:*"]),
)
_add(
    "`*` in a list of resources",
    ("resources_fit_their_actions",),
    _in_statement("PreprocessFunctionRole", "UpdateLedger", Resource=[_LEDGER, "*"]),
)
_add(
    "a bucket's action on its objects",
    ("resources_fit_their_actions",),
    _in_statement(
        "AuthImportFunctionRole",
        "DetectMissingUploads",
        Resource={"Fn::Sub": "${AuthImportBucket.Arn}/*"},
    ),
)
_add(
    "a table's action on a queue",
    ("resources_fit_their_actions",),
    _in_statement(
        "PreprocessFunctionRole", "UpdateLedger", Resource={"Fn::GetAtt": ["AccessLogsQueue", "Arn"]}
    ),
)
_add(
    "an action that takes no resource, on one",
    ("resources_fit_their_actions",),
    _in_statement("ContainerMetricsFunctionRole", "PublishSamples", Resource=_LEDGER),
)
_add(
    "a condition key that the action does not know",
    ("condition_keys_are_known",),
    _in_statement(
        "ContainerMetricsFunctionRole",
        "PublishSamples",
        Condition={"StringEquals": {"cloudwatch:namespaces": ["ECS"]}},
    ),
)
_add(
    "a condition operator that does not exist",
    ("condition_keys_are_known",),
    _in_statement(
        "ContainerMetricsFunctionRole",
        "PublishSamples",
        Condition={"StringIs": {"cloudwatch:namespace": ["ECS"]}},
    ),
)
_add(
    "a condition without values",
    ("condition_keys_are_known",),
    _in_statement(
        "ContainerMetricsFunctionRole",
        "PublishSamples",
        Condition={"StringEquals": {"cloudwatch:namespace": []}},
    ),
)
_add(
    "a key demanded of Firehose that it may not send",
    ("trust_names_keys_that_are_sent",),
    _with(
        "Ec2DeliveryRole.AssumeRolePolicyDocument.Statement.0.Condition",
        {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}},
    ),
)
_add(
    "a trust policy of an unknown service",
    ("trust_names_keys_that_are_sent",),
    _with(
        "Ec2DeliverRole.AssumeRolePolicyDocument.Statement.0.Principal", {"Service": "event.amazonaws.com"}
    ),
)
_add(
    "a role that every account's schedules may assume",
    ("services_act_for_this_account_alone",),
    _without("ContainerMetricsScheduleRole.AssumeRolePolicyDocument.Statement.0.Condition"),
)
_add(
    "a queue that every account's buckets may fill",
    ("services_act_for_this_account_alone",),
    _without("AuthImportQueuePolicy.PolicyDocument.Statement.0.Condition"),
)
_add(
    "a queue open to everybody",
    ("nothing_is_open_to_everybody",),
    _with("AuthImportQueuePolicy.PolicyDocument.Statement.0.Principal", "*"),
)
_add(
    "a function without a role of its own",
    ("no_managed_policy_is_attached",),
    _sams_own_role,
)
_add(
    "a managed policy attached to a role",
    ("no_managed_policy_is_attached",),
    _with("Ec2ShapeFunctionRole.ManagedPolicyArns", ["arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]),
)
_add(
    "a policy longer than IAM takes",
    ("policies_are_within_their_size",),
    _with(
        "Ec2ShapeFunctionRole.Policies.0.PolicyDocument.Statement.0.Resource",
        [{"Fn::Sub": f"${{Ec2Logs.Arn}}{number:0>90}"} for number in range(80)],
    ),
)

# ---- roles of services
_add(
    "Firehose may not write under its prefix",
    ("services_may_do_what_they_do",),
    _with(f"{_DELIVERY_ROLE}.0.Resource", [{"Fn::Sub": "${AccessLogsProcessedBucket.Arn}/rows/*"}]),
)
_add(
    "Firehose may not invoke its transformation",
    ("services_may_do_what_they_do",),
    lambda resources: _at(resources, "Ec2DeliveryRole.Policies.0.PolicyDocument.Statement").pop(2),
)
_add(
    "Firehose may do more than it does",
    ("services_may_do_what_they_do",),
    _with(f"{_DELIVERY_ROLE}.0.Action", ["s3:PutObject", "s3:AbortMultipartUpload", "s3:DeleteObject"]),
)
_add(
    "the schedule may not start its state machine",
    ("services_may_do_what_they_do",),
    lambda resources: _at(resources, "ContainerMetricsScheduleRole.Policies.0.PolicyDocument.Statement").pop(
        0
    ),
)
_add(
    "the state machine may not invoke its function",
    ("services_may_do_what_they_do",),
    _in_statement(
        "ContainerMetricsStateMachineRole",
        "InvokeSample",
        Resource={"Fn::GetAtt": ["InsightsFunction", "Arn"]},
    ),
)
_add(
    "a rule's role may not put records",
    ("services_may_do_what_they_do",),
    _with("Ec2DeliverRole.Policies.0.PolicyDocument.Statement.0.Action", "firehose:PutRecord"),
)
_add(
    "CloudFront may not put real-time records",
    ("services_may_do_what_they_do",),
    _with("LogRealtimeRole.Policies.0.PolicyDocument.Statement.0.Action", ["kinesis:PutRecord"]),
)
_add(
    "Flink may not read its stream",
    ("services_may_do_what_they_do",),
    _in_statement("LogFlinkRole", "ReadStream", Action=["kinesis:GetRecords"]),
)
_add(
    "Lambda may not write a function's logs",
    ("lambda_may_do_what_it_does",),
    _in_statement("Ec2ShapeFunctionRole", "WriteLogs", Action="logs:PutLogEvents"),
)
_add(
    "Lambda may not read a function's queue",
    ("lambda_may_do_what_it_does",),
    _in_statement(
        "AuthDeliverFunctionRole", "ReadQueue", Resource={"Fn::GetAtt": ["AuthImportQueue", "Arn"]}
    ),
)
_add(
    "Lambda may not set a batch aside",
    ("lambda_may_do_what_it_does",),
    _in_statement(
        "WindowFunctionRole",
        "SendFailedBatches",
        Resource={"Fn::Sub": "${LogStreamFailuresBucket.Arn}/failed/*"},
    ),
)
_add(
    "a function may not send to its dead-letter queue",
    ("lambda_may_do_what_it_does",),
    _in_statement(
        "SocialWriteFunctionRole", "SendToDeadLetterQueue", Resource={"Fn::GetAtt": ["AuthMailQueue", "Arn"]}
    ),
)
_add(
    "a substitution that is not given",
    ("state_machines_are_well_formed",),
    _without("ContainerMetricsStateMachine.DefinitionSubstitutions.Put"),
)

# ---- delivery
_add(
    "a queue without redrive", ("queue_sources_come_back_and_end",), _without("AccessLogsQueue.RedrivePolicy")
)
_add(
    "a queue that redrives after one try",
    ("queue_sources_come_back_and_end",),
    _with("AuthMailQueue.RedrivePolicy.maxReceiveCount", 1),
)
_add(
    "a visibility time-out shorter than six times the function's",
    ("queue_sources_come_back_and_end",),
    _with("AuthMailQueue.VisibilityTimeout", 60),
)
_add(
    "a function that takes longer than its queue waits",
    ("queue_sources_come_back_and_end",),
    _with("AuthDeliverFunction.Timeout", 120),
)
_add(
    "no partial batch responses of a queue",
    ("queue_sources_come_back_and_end",),
    _without("AuthDeliverFunction.Events.Mails.Properties.FunctionResponseTypes"),
)
_add(
    "no partial batch responses of a stream",
    ("stream_sources_set_failures_aside",),
    _without("SocialIngestMapping.FunctionResponseTypes"),
)
_add(
    "a stream without a failure destination",
    ("stream_sources_set_failures_aside",),
    _without("SocialIngestMapping.DestinationConfig"),
)
_add(
    "a stream that does not bisect",
    ("stream_sources_set_failures_aside",),
    _without("WindowMapping.BisectBatchOnFunctionError"),
)
_add(
    "a stream that tries for ever",
    ("stream_sources_set_failures_aside",),
    _without("ReduceMapping.MaximumRetryAttempts"),
)
_add(
    "a stream that tries for longer than a day",
    ("stream_sources_set_failures_aside",),
    _without("AuthReplicateMapping.MaximumRecordAgeInSeconds"),
)
_add(
    "a rule's target without a dead-letter queue",
    ("rules_and_schedules_have_a_dead_letter_queue",),
    _without("Ec2RootRule.Targets.0.DeadLetterConfig"),
)
_add(
    "a schedule without a dead-letter queue",
    ("rules_and_schedules_have_a_dead_letter_queue",),
    _without("ContainerMetricsSchedule.Target.DeadLetterConfig"),
)
_add(
    "a function's event rule without a dead-letter queue",
    ("rules_and_schedules_have_a_dead_letter_queue",),
    _without("AuthKeysFunction.Events.Daily.Properties.DeadLetterConfig"),
)
_add(
    "an asynchronous function without a destination",
    ("asynchronous_functions_have_a_destination",),
    _without("AuthKeysFunction.EventInvokeConfig"),
)
_add(
    "a function invoked by another, without a dead-letter queue",
    ("asynchronous_functions_have_a_destination",),
    _without("SocialWriteFunction.DeadLetterQueue"),
)
_add(
    "a dead-letter queue without an alarm",
    ("dead_letters_are_seen",),
    lambda resources: resources.pop("AuthMailDeadLetterAlarm"),
)
_add(
    "a dead-letter queue that forgets within a minute",
    ("dead_letters_are_seen",),
    _with("AuthMailDeadLetterQueue.MessageRetentionPeriod", 60),
)
_add(
    "records set aside without an alarm",
    ("failure_buckets_are_seen",),
    lambda resources: resources.pop("LogStreamRecordsAlarm"),
)
_add(
    "records set aside that nobody counts",
    ("failure_buckets_are_seen",),
    _without("SocialActivityMapping.MetricsConfig"),
)
_add(
    "a dead-letter queue that refuses its rule",
    ("queues_take_what_services_send",),
    lambda resources: _at(
        resources, "Ec2DeadLetterPolicy.PolicyDocument.Statement.0.Condition.ArnEquals.aws:SourceArn"
    ).pop(),
)
_add(
    "a queue that refuses its bucket",
    ("queues_take_what_services_send",),
    _with("AuthImportQueuePolicy.PolicyDocument.Statement.0.Action", "sqs:ReceiveMessage"),
)
_add(
    "a function that refuses its API",
    ("functions_let_their_callers_in",),
    lambda resources: resources.pop("InsightsFunctionPermission"),
)

# ---- alarms
_add("an alarm without action", ("alarms_tell_somebody",), _without("AuthErrorsAlarm.AlarmActions"))
_add(
    "an alarm that is switched off", ("alarms_tell_somebody",), _with("AuthErrorsAlarm.ActionsEnabled", False)
)
_add(
    "a threshold that nothing reaches",
    ("alarms_can_fire",),
    _with("AccessLogsDeadLetterAlarm.Threshold", 1_000_000),
)
_add("a rate above one", ("alarms_can_fire",), _with("InsightsErrorsAlarm.Threshold", 5))
_add(
    "a wait that no message lives for",
    ("alarms_can_fire",),
    _with("AuthReplicationWaitsAlarm.Threshold", 1_209_600),
)
_add(
    "the sum of waits",
    ("alarms_look_at_what_is_there",),
    _with("AuthReplicationWaitsAlarm.Statistic", "Sum"),
)
_add("an age that records never reach", ("alarms_can_fire",), _with("SocialAgeAlarm.Threshold", 86_400_000))
_add(
    "an alarm in the wrong direction",
    ("alarms_can_fire",),
    _with("Ec2MalformedAlarm.ComparisonOperator", "LessThanThreshold"),
)
_add(
    "a period that CloudWatch does not take",
    ("alarms_have_periods_that_exist",),
    _with("Ec2ShapeAlarm.Period", 45),
)
_add(
    "a metric that no function emits",
    ("alarms_look_at_what_is_there",),
    _with("SocialQuarantineAlarm.MetricName", "RecordsQuarantinedd"),
)
_add(
    "an alarm on a queue that is not there",
    ("alarms_look_at_what_is_there", "dead_letters_are_seen"),
    _with("Ec2DeadLetterAlarm.Dimensions.0.Value", "queue"),
)
_add(
    "a dimension that the metric does not have",
    ("alarms_look_at_what_is_there",),
    _with("Ec2ShapeAlarm.Dimensions.0.Name", "Function"),
)

# ---- data
_add(
    "a kept table that goes with the stack",
    ("data_is_kept_or_may_go",),
    _attribute("AuthUsersTable", "DeletionPolicy", "Delete"),
)
_add(
    "a kept bucket that goes when it is replaced",
    ("data_is_kept_or_may_go",),
    _attribute("Ec2CallsBucket", "UpdateReplacePolicy", "Delete"),
)
_add(
    "a key that a failed creation leaves behind",
    ("data_is_kept_or_may_go",),
    _attribute("AuthKey", "DeletionPolicy", "Retain"),
)
_add(
    "a bucket without a deletion policy",
    ("data_is_kept_or_may_go",),
    lambda resources: resources["SocialLakeBucket"].pop("DeletionPolicy"),
)
_add(
    "a kept table without point-in-time recovery",
    ("kept_tables_and_pools_are_protected",),
    _without("AuthUsersTable.PointInTimeRecoverySpecification"),
)
_add(
    "a kept table that anybody can delete",
    ("kept_tables_and_pools_are_protected",),
    _without("SocialPostsTable.DeletionProtectionEnabled"),
)
_add(
    "a pool that anybody can delete",
    ("kept_tables_and_pools_are_protected",),
    _without("UserPool.DeletionProtection"),
)
_add("an unencrypted queue", ("data_at_rest_is_encrypted",), _without("AuthMailQueue.SqsManagedSseEnabled"))
_add("an unencrypted bucket", ("data_at_rest_is_encrypted",), _without("Ec2CallsBucket.BucketEncryption"))
_add("an unencrypted stream", ("data_at_rest_is_encrypted",), _without("LogStream.StreamEncryption"))
_add(
    "an unencrypted topic with people's addresses",
    ("data_at_rest_is_encrypted",),
    _without("Ec2AlertsTopic.KmsMasterKeyId"),
)
_add(
    "a topic's key that refuses a publisher",
    ("keys_of_topics_let_publishers_in",),
    _with("Ec2AlertsKey.KeyPolicy.Statement.1.Principal", {"Service": "events.amazonaws.com"}),
)
_add(
    "a bucket open to the public",
    ("buckets_are_closed",),
    _with("Ec2CallsBucket.PublicAccessBlockConfiguration.RestrictPublicBuckets", False),
)
_add("a log group that never expires", ("logs_expire",), _without("AuthLogs.RetentionInDays"))
_add(
    "a function whose logs Lambda keeps for ever",
    ("logs_expire", "lambda_may_do_what_it_does"),
    _without("Ec2ShapeFunction.LoggingConfig"),
)
_add(
    "strangers may sign up as operators",
    ("people_sign_up_only_where_they_may",),
    _without("UserPool.AdminCreateUserConfig"),
)


for _role, _sid in (
    ("ResizeFunctionRole", "DeleteVariants"),
    ("ResizeFunctionRole", "CreateVariants"),
    ("InvalidateFunctionRole", "DeleteVariants"),
):
    _add(
        f"{_role} may do {_sid} without a condition",
        ("what_people_own_is_not_overwritten",),
        _in_statement(_role, _sid, Condition={}),
    )
_add(
    "an unconditional delete beside the conditional one",
    ("what_people_own_is_not_overwritten",),
    _in_statement("ResizeFunctionRole", "TagVariants", Action=["s3:PutObjectTagging", "s3:DeleteObject"]),
)


# ---- routes
@_spoils("a route without an authorizer", "routes_have_an_authorizer")
def _unguarded_route(resources: dict[str, Any]) -> None:
    operation = _at(resources, "InsightsApi.DefinitionBody.paths")["/v1/insights/{panel}"]["get"]
    del operation["security"]


@_spoils("a new route without an authorizer", "routes_have_an_authorizer")
def _new_route(resources: dict[str, Any]) -> None:
    paths = _at(resources, "AuthApi.DefinitionBody.paths")
    paths["/v1/everybody"] = {"get": {**paths["/v1/users/{id}"]["get"], "security": []}}


@_spoils("an authorizer of a stranger's pool", "authorizers_are_the_operators_pool")
def _foreign_pool(resources: dict[str, Any]) -> None:
    schemes = _at(resources, "InsightsApi.DefinitionBody.components")["securitySchemes"]
    for scheme in schemes.values():
        scheme["x-amazon-apigateway-authorizer"]["providerARNs"] = [
            "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/x"
        ]


_add(
    "a function that outlasts its API",
    ("apis_answer_in_time_and_within_bounds",),
    _with("AuthApiFunction.Timeout", 60),
)
_add(
    "an API without throttling",
    ("apis_answer_in_time_and_within_bounds",),
    _without("InsightsApi.MethodSettings"),
)

# ---- names, references, limits, switches
_add(
    "a name longer than the service takes",
    ("names_are_taken",),
    _with(
        "AccessLogsStream.DeliveryStreamName",
        {"Fn::Sub": "${AWS::StackName}-${AWS::Region}-delivery-of-the-rows-of-the-access-logs-to-the-bucket"},
    ),
)
_add(
    "a word that Cognito reserves",
    ("names_are_taken",),
    _with("UserPoolDomain.Domain", {"Fn::Sub": "${AWS::StackName}-aws-${AWS::AccountId}"}),
)
_add("a name that two stacks share", ("names_say_whose_they_are",), _with("Ec2WorkGroup.Name", "ec2-monitor"))
_add(
    "a bucket's name that two regions share",
    ("names_say_whose_they_are",),
    _with("AuthImportBucket.BucketName", {"Fn::Sub": "${AWS::StackName}-auth-imports-${AWS::AccountId}"}),
)
_add(
    "a dashboard's name that two regions share",
    ("names_say_whose_they_are",),
    _with("ContainerMetricsDashboard.DashboardName", {"Fn::Sub": "${AWS::StackName}-containers"}),
)
_add(
    "a reference to what is switched off",
    ("references_lead_somewhere",),
    _with("InsightsFunction.Environment.Variables.RESULTS_TABLE", {"Ref": "LogResultsTable"}),
)
_add(
    "a cycle through a bucket's notification",
    ("resources_form_no_cycle",),
    _with(
        "AuthImportQueuePolicy.PolicyDocument.Statement.0.Condition.ArnEquals.aws:SourceArn",
        {"Fn::GetAtt": ["AuthImportBucket", "Arn"]},
    ),
)
_add(
    "an environment of more than 4 KB",
    ("functions_are_within_lambdas_limits",),
    _with("Ec2ShapeFunction.Environment.Variables.TEXT", "x" * 5_000),
)
_add(
    "a time-out that Lambda does not offer",
    ("functions_are_within_lambdas_limits",),
    _with("Ec2ShapeFunction.Timeout", 1_000),
)
_add(
    "a schedule's input that is not JSON",
    ("payloads_are_within_their_size",),
    _with("ContainerMetricsSchedule.Target.Input", "{"),
)


@_spoils("more resources than CloudFormation takes", "stack_is_within_cloudformations_limits")
def _many_resources(resources: dict[str, Any]) -> None:
    for number in range(MOST):
        resources[f"Topic{number}"] = {"Type": "AWS::SNS::Topic"}


# ---- found unseen by a reviewer of the rules
_add(
    "everybody may write to the images bucket",
    ("nothing_is_open_to_everybody",),
    _with("ImagesBucketPolicy.PolicyDocument.Statement.0.Action", ["s3:GetObject", "s3:PutObject"]),
)
_add(
    "the pages' bucket is public on AWS",
    ("nothing_is_open_to_everybody",),
    _with(
        "WebBucketPolicy.PolicyDocument.Statement.0",
        {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": {"Fn::Sub": "${WebBucket.Arn}/*"},
        },
    ),
)
_add(
    "another account may read a queue",
    ("principals_are_of_this_account",),
    _with("AuthImportQueuePolicy.PolicyDocument.Statement.0.Principal", {"AWS": "999999999999"}),
)
_add(
    "another account may assume a role",
    ("principals_are_of_this_account",),
    _with(
        "AuthApiFunctionRole.AssumeRolePolicyDocument.Statement.0.Principal",
        {"AWS": "arn:aws:iam::999999999999:root"},
    ),
)
_add(
    "a key that locks the account out",
    ("keys_can_be_administered",),
    lambda resources: _at(resources, "Ec2AlertsKey.KeyPolicy.Statement").pop(0),
)
_add("a key that is disabled", ("keys_can_be_administered",), _with("AuthKey.Enabled", False))
_add(
    "every queue of the account",
    ("arns_are_of_this_stack",),
    _in_statement(
        "PreprocessFunctionRole",
        "ReadQueue",
        Resource={"Fn::Sub": "arn:${AWS::Partition}:sqs:${AWS::Region}:${AWS::AccountId}:*"},
    ),
)
_add(
    "databases that the hub may grow without a tag",
    ("arns_are_of_this_stack",),
    _without("HubGrowRole.Policies.0.PolicyDocument.Statement.1.Condition"),
)
_add(
    "instances that get the hub's commands without a tag",
    ("arns_are_of_this_stack",),
    _without("HubFleetRole.Policies.0.PolicyDocument.Statement.3.Condition"),
)
_add(
    "a hub's topic into which every account publishes",
    ("nothing_is_open_to_everybody",),
    _without("HubTopicPolicy.PolicyDocument.Statement.1.Condition"),
)
_add(
    "a hub's queue that every topic fills",
    ("services_act_for_this_account_alone",),
    _without("HubQueuePolicy.PolicyDocument.Statement.0.Condition"),
)
_add(
    "queues in every region and account",
    ("arns_are_of_this_stack",),
    _in_statement("PreprocessFunctionRole", "ReadQueue", Resource="arn:aws:sqs:*:*:*"),
)
_add(
    "every table",
    ("arns_are_of_this_stack",),
    _in_statement(
        "PreprocessFunctionRole",
        "UpdateLedger",
        Resource={"Fn::Sub": "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/*"},
    ),
)
_add(
    "every object of every bucket",
    ("arns_are_of_this_stack",),
    _in_statement("PreprocessFunctionRole", "ReadLogs", Resource="arn:aws:s3:::*/*"),
)
_add(
    "buckets whose names begin alike",
    ("arns_are_of_this_stack",),
    _in_statement(
        "PreprocessFunctionRole",
        "ReadLogs",
        Resource={"Fn::Sub": "arn:aws:s3:::${AWS::StackName}-access*/*"},
    ),
)
_add(
    "a region that is written out",
    ("arns_are_of_this_stack",),
    _in_statement(
        "AuthApiFunctionRole",
        "ReadSecrets",
        Resource={"Fn::Sub": "arn:aws:ssm:us-east-1:${AWS::AccountId}:parameter/${AWS::StackName}/auth/*"},
    ),
)
_add(
    "a third region",
    ("arns_are_of_this_stack",),
    _in_statement(
        "AuthReplicateFunctionRole",
        "FindOtherRegion",
        Resource={
            "Fn::Sub": "arn:aws:ssm:ap-south-1:${AWS::AccountId}:parameter/${AWS::StackName}/auth/region"
        },
    ),
)
_add(
    "every table of the other region",
    ("arns_are_of_this_stack",),
    _in_statement(
        "AuthReplicateFunctionRole",
        "SendAccounts",
        Resource={"Fn::Sub": "arn:aws:dynamodb:${AuthPeerRegion}:${AWS::AccountId}:table/*"},
    ),
)
_add(
    "every item of the other region's accounts",
    ("tables_elsewhere_are_reached_in_part",),
    _in_statement("AuthDrainWritesFunctionRole", "SendAccounts", Condition={}),
)
_add(
    "every key of the other region",
    ("arns_are_of_this_stack",),
    _in_statement("AuthDrainKeysFunctionRole", "WrapForOtherRegion", Condition={}),
)
_add(
    "every secret of the other region",
    ("keys_elsewhere_are_used_in_part",),
    _in_statement(
        "AuthDrainKeysFunctionRole",
        "WrapForOtherRegion",
        Condition={
            "ForAnyValue:StringEquals": {"kms:ResourceAliases": {"Fn::Sub": "alias/${AWS::StackName}-auth"}}
        },
    ),
)
_add(
    "keys of the other region with a foreign alias",
    ("arns_are_of_this_stack",),
    _in_statement(
        "AuthReplicateFunctionRole",
        "WrapForOtherRegion",
        Condition={"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/other"}},
    ),
)
_add(
    "a partition that is written out",
    ("arns_are_of_this_stack",),
    _in_statement(
        "AuthApiFunctionRole",
        "ReadSecrets",
        Resource={
            "Fn::Sub": "arn:aws-cn:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${AWS::StackName}/auth/*"
        },
    ),
)
_add(
    "a Deny that the rules would not see",
    ("statements_are_well_formed",),
    _in_statement("PreprocessFunctionRole", "ReadQueue", Effect="Deny"),
)
_add(
    "a condition that holds in another region",
    ("condition_keys_are_known",),
    _in_statement(
        "PreprocessFunctionRole",
        "ReadQueue",
        Condition={"StringEquals": {"aws:RequestedRegion": "us-east-1"}},
    ),
)
_add(
    "originals that expire",
    ("kept_objects_do_not_expire",),
    _without("ImagesBucket.LifecycleConfiguration.Rules.0.TagFilters"),
)
_add(
    "calls that expire with everything else",
    ("kept_objects_do_not_expire",),
    _without("Ec2CallsBucket.LifecycleConfiguration.Rules.0.Prefix"),
)
_add(
    "deletion of every version of people's objects",
    ("what_people_own_is_not_overwritten",),
    _in_statement(
        "InvalidateFunctionRole", "DeleteVariants", Action=["s3:DeleteObject", "s3:DeleteObjectVersion"]
    ),
)
_add(
    "deletion by a pattern that covers people's bucket",
    ("what_people_own_is_not_overwritten", "arns_are_of_this_stack"),
    _in_statement(
        "PreprocessFunctionRole",
        "ReadLogs",
        Action="s3:DeleteObject",
        Resource={"Fn::Sub": "arn:aws:s3:::${AWS::StackName}-*/*"},
    ),
)
_add(
    "a function URL",
    ("functions_have_no_other_entry_points",),
    lambda resources: resources.update(
        Url={
            "Type": "AWS::Lambda::Url",
            "Properties": {
                "AuthType": "NONE",
                "TargetFunctionArn": {"Fn::GetAtt": ["AuthApiFunction", "Arn"]},
            },
        }
    ),
)
_add(
    "a permission for everybody",
    ("functions_have_no_other_entry_points",),
    _with("AuthApiFunctionPermission.Principal", "*"),
)
_add(
    "a permission without a source",
    ("functions_have_no_other_entry_points",),
    _without("AuthApiFunctionPermission.SourceArn"),
)
_add(
    "an alarm's topic with AWS's own key",
    ("topics_take_what_is_published",),
    _with("OperationsTopic.KmsMasterKeyId", "alias/aws/sns"),
)
_add(
    "a topic that refuses the rules",
    ("topics_take_what_is_published",),
    lambda resources: _at(resources, "Ec2AlertsPolicy.PolicyDocument.Statement").pop(0),
)
_add(
    "an alarm to a topic that refuses it",
    ("topics_take_what_is_published",),
    _with("Ec2DeadLetterAlarm.AlarmActions", [{"Ref": "Ec2AlertsTopic"}]),
)
_add("the least of errors", ("alarms_look_at_what_is_there",), _with("Ec2ShapeAlarm.Statistic", "Minimum"))
_add(
    "more data points than periods",
    ("alarms_have_periods_that_exist",),
    _with("Ec2ShapeAlarm.DatapointsToAlarm", 3),
)
_add(
    "a function's alarm on a bucket",
    ("alarms_look_at_what_is_there",),
    _with("Ec2ShapeAlarm.Dimensions.0.Value", {"Ref": "Ec2CallsBucket"}),
)
_add("a mapping that is switched off", ("nothing_is_switched_off",), _with("WindowMapping.Enabled", False))
_add("a rule that is disabled", ("nothing_is_switched_off",), _with("Ec2CallsRule.State", "DISABLED"))
_add(
    "a function that may never run",
    ("nothing_is_switched_off",),
    _with("AuthDeliverFunction.ReservedConcurrentExecutions", 0),
)
_add(
    "a schedule that is none",
    ("schedules_are_written_rightly",),
    _with("ContainerMetricsSchedule.ScheduleExpression", "rate(1 minutes)"),
)
_add(
    "a bucket that is made before it may send",
    ("notified_queues_are_ready",),
    lambda resources: resources["AuthImportBucket"].pop("DependsOn"),
)
_add(
    "batches of a hundred without a window",
    ("queue_sources_come_back_and_end",),
    _with("AuthDeliverFunction.Events.Mails.Properties.BatchSize", 100),
)
_add(
    "a stream without a starting position",
    ("stream_sources_set_failures_aside",),
    _without("WindowMapping.StartingPosition"),
)
_add(
    "a dead-letter queue that forgets before its source",
    ("dead_letters_are_seen",),
    _with("AuthImportDeadLetterQueue.MessageRetentionPeriod", 345_600),
)
_add(
    "a stream whose encryption is NONE",
    ("data_at_rest_is_encrypted",),
    _with("LogStream.StreamEncryption", {"EncryptionType": "NONE"}),
)
_add(
    "a bucket encrypted by no rule",
    ("data_at_rest_is_encrypted",),
    _with("Ec2CallsBucket.BucketEncryption", {"ServerSideEncryptionConfiguration": []}),
)
_add(
    "a bucket with a canned ACL", ("buckets_are_closed",), _with("Ec2CallsBucket.AccessControl", "PublicRead")
)
_add(
    "a log bucket that refuses CloudFront",
    ("cloudfront_may_deliver_its_logs",),
    _without("AccessLogsBucket.OwnershipControls"),
)
_add(
    "a table with capacity by the hour",
    ("tables_cost_by_the_request",),
    _with("AuthUsersTable.BillingMode", "PROVISIONED"),
)
_add(
    "an API with a cache cluster",
    ("apis_answer_in_time_and_within_bounds",),
    _with("AuthApi.CacheClusterEnabled", True),
)
_add(
    "a runtime that the layers are not built for",
    ("functions_are_within_lambdas_limits",),
    _with("Ec2ShapeFunction.Runtime", "python3.7"),
)
_add(
    "a variable that Lambda reserves",
    ("functions_are_within_lambdas_limits",),
    _with("Ec2ShapeFunction.Environment.Variables.AWS_REGION", "eu-west-1"),
)
_add(
    "no group of operators",
    ("people_sign_up_only_where_they_may",),
    lambda resources: resources.pop("UserPoolOperators"),
)


@_spoils("a route with an alternative that is open", "routes_have_an_authorizer")
def _open_alternative(resources: dict[str, Any]) -> None:
    _at(resources, "InsightsApi.DefinitionBody.paths")["/v1/insights/{panel}"]["get"]["security"].append({})


_add(
    "keys that no usage plan makes good",
    ("authorizers_are_the_operators_pool",),
    _attribute("AuthUsagePlan", "Type", "AWS::ApiGateway::UsagePlanKey"),
)


def _unquoted_switch(template: Template) -> None:
    """`true` for `"true"`: the application must stay in sight, and its faults with it."""
    template["Conditions"]["Auth"] = {"Fn::Equals": [{"Ref": "EnableAuth"}, True]}
    del template["Resources"]["AuthMailQueue"]["Properties"]["RedrivePolicy"]


_add(
    "a role that its service cannot assume",
    ("roles_are_assumed_by_who_uses_them",),
    _with(
        "AccessLogsStreamRole.AssumeRolePolicyDocument.Statement.0.Principal",
        {"Service": "events.amazonaws.com"},
    ),
)
_add(
    "a role that another service may assume too",
    ("roles_are_assumed_by_who_uses_them",),
    _with(
        "ContainerMetricsScheduleRole.AssumeRolePolicyDocument.Statement.0.Principal",
        {"Service": ["scheduler.amazonaws.com", "lambda.amazonaws.com"]},
    ),
)
_add(
    "a source that may be any account",
    ("services_act_for_this_account_alone",),
    _with(
        "ContainerMetricsScheduleRole.AssumeRolePolicyDocument.Statement.0.Condition",
        {"StringLike": {"aws:SourceAccount": "*"}},
    ),
)
_add(
    "a source by a pattern",
    ("services_act_for_this_account_alone",),
    _with(
        "AuthImportQueuePolicy.PolicyDocument.Statement.0.Condition",
        {"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}},
    ),
)
_add(
    "Firehose of every account",
    ("services_act_for_this_account_alone",),
    _without("Ec2DeliveryRole.AssumeRolePolicyDocument.Statement.0.Condition"),
)
_add(
    "a user with a policy",
    ("policies_are_where_rules_look",),
    lambda resources: resources.update(Admin={"Type": "AWS::IAM::User", "Properties": {}}),
)
_add(
    "a table with a policy of its own",
    ("policies_are_where_rules_look",),
    _with("AuthUsersTable.ResourcePolicy", {"PolicyDocument": {}}),
)
_add(
    "a name of a type that nobody knows",
    ("nothing_else_is_named",),
    lambda resources: resources.update(
        Bus={"Type": "AWS::Events::EventBus", "Properties": {"Name": "suite"}}
    ),
)
_add(
    "a policy of logs that two stacks share",
    ("names_say_whose_they_are",),
    _with("Ec2SearchLogsPolicy.PolicyName", "ec2-search"),
)
_add(
    "a bucket's name without the account",
    ("names_say_whose_they_are",),
    _with("WebBucket.BucketName", {"Fn::Sub": "${AWS::StackName}-web-${AWS::Region}"}),
)
_add(
    "an alarm that looks at a day's least",
    ("alarms_look_at_what_is_there",),
    _with("AuthMailDeadLetterAlarm.Statistic", "Minimum"),
)


@_spoils("Athena may not look at the default database", "lambda_may_do_what_it_does")
def _no_default_database(resources: dict[str, Any]) -> None:
    for sid in ("ReadAccessLogsCatalog", "ReadActivityCatalog", "ReadCallsCatalog"):
        _statement("InsightsFunctionRole", sid)(resources)["Resource"].pop(1)


_add(
    "a pool of strangers that tells capitals from small letters",
    ("people_sign_up_only_where_they_may",),
    _without("VisitorsUserPool.UsernameConfiguration"),
)


@_spoils(
    "an operators' API that takes visitors' tokens",
    "people_sign_up_only_where_they_may", "operators_routes_ask_for_the_group",
)  # fmt: skip
def _strangers_at_the_insights(resources: dict[str, Any]) -> None:
    schemes = _at(resources, "InsightsApi.DefinitionBody.components")["securitySchemes"]
    arns = schemes["people"]["x-amazon-apigateway-authorizer"]["providerARNs"]
    arns[0] = {"Fn::GetAtt": ["VisitorsUserPool", "Arn"]}


@_spoils("an operators' route to a function that asks for no group", "operators_routes_ask_for_the_group")
def _route_without_group(resources: dict[str, Any]) -> None:
    paths = _at(resources, "InsightsApi.DefinitionBody.paths")
    get = paths["/v1/insights/{panel}"]["get"]
    integration = {
        **get["x-amazon-apigateway-integration"],
        "uri": {"Fn::GetAtt": ["AuthOidcFunction", "Arn"]},
    }
    paths["/v1/other"] = {"get": {**get, "x-amazon-apigateway-integration": integration}}


def _exported(template: Template) -> None:
    template["Outputs"]["WebUrl"]["Export"] = {"Name": "WebUrl"}


MUTATIONS.append(Mutation("an output exported under a fixed name", ("nothing_else_is_named",), _exported))
MUTATIONS.append(
    Mutation("a fault behind an unquoted switch", ("queue_sources_come_back_and_end",), _unquoted_switch)
)


MOST = 500
MUTATIONS.append(
    Mutation(
        "a Kinesis stream on by default",
        ("costs_by_the_hour",),
        _default("EnableSocialStream", "true"),
    )
)
MUTATIONS.append(
    Mutation(
        "an OpenSearch domain on by default",
        ("costs_by_the_hour",),
        _default("EnableOpenSearch", "true"),
    )
)


# ---- API portal
_GATEWAY = "arn:${AWS::Partition}:apigateway:${AWS::Region}::"
for _path in (
    "/apikeys",
    "/apikeys/*",
    "/usageplans/${PortalFreeUsagePlan}/keys",
    "/usageplans/${PortalFreeUsagePlan}/*",
):
    _add(
        f"a role that may GET {_path.replace('${PortalFreeUsagePlan}', 'PLAN')}",
        ("values_of_api_keys_cannot_be_read",),
        _in_statement("PortalFunctionRole", "ReadPlansAndUsage", Resource={"Fn::Sub": _GATEWAY + _path}),
    )
_add(
    "a usage plan that is nobody's here",
    ("arns_are_of_this_stack",),
    _in_statement(
        "PortalFunctionRole", "PutKeysIntoPlans", Resource={"Fn::Sub": f"{_GATEWAY}/usageplans/x/keys"}
    ),
)
_add(
    "keys of others may be changed",
    ("arns_are_of_this_stack",),
    _in_statement("PortalFunctionRole", "ChangeOwnKeys", Condition={}),
)
_add(
    "a path that API Gateway does not have",
    ("resources_fit_their_actions",),
    _in_statement("PortalFunctionRole", "CreateKeys", Resource={"Fn::Sub": f"{_GATEWAY}/api-keys"}),
)
_add(
    "an account in an ARN of API Gateway",
    ("arns_are_of_this_stack",),
    _in_statement(
        "PortalFunctionRole", "CreateKeys",
        Resource={"Fn::Sub": "arn:${AWS::Partition}:apigateway:${AWS::Region}:${AWS::AccountId}:/apikeys"},
    ),
)  # fmt: skip


@_spoils("keyed routes of an API that is in no usage plan", "authorizers_are_the_operators_pool")
def _api_without_plan(resources: dict[str, Any]) -> None:
    _at(resources, "PortalFreeUsagePlan")["ApiStages"].pop()
    del resources["PortalFleetUsagePlan"]["Properties"]["ApiStages"]


@_spoils("a route of the portal without an authorizer", "routes_have_an_authorizer")
def _open_keys(resources: dict[str, Any]) -> None:
    del _at(resources, "PortalApi.DefinitionBody.paths")["/v1/keys"]["get"]["security"]
