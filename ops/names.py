"""Physical names: what services take, and the longest name that a stack may have.

`python -m ops.names staging`, with which `make deploy` begins, refuses a name that cannot be deployed.
"""

from __future__ import annotations

import argparse
import re
import sys
from bisect import bisect
from collections.abc import Mapping

from ops.settings import overrides, setting
from ops.stacks import CommandError, reported
from ops.template import Place, Resource, TemplateError, deployed

__all__ = ["longest_stack_name", "problem_of", "problems_of_stack_name", "refusal"]

# Longest name and its characters, by type. Buckets:
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html; Cognito's domains: "can't use
# the text aws, amazon, or cognito",
# https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-assign-domain-prefix.html;
# parameters of SSM: "A parameter name can't be prefixed with "aws" or "ssm" (case-insensitive)",
# https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html, which does not say
# whether a leading slash makes it another name; the others: the API reference of each service's Create call.
LIMITS: dict[str, tuple[int, str]] = {
    "AWS::ApiGateway::Stage": (128, r"\w+"),
    "AWS::Athena::WorkGroup": (128, r"[a-zA-Z0-9._-]+"),
    "AWS::CloudFront::CachePolicy": (128, r"[\w-]+"),
    "AWS::CloudFront::Function": (64, r"[a-zA-Z0-9_-]+"),
    "AWS::CloudFront::OriginAccessControl": (64, r"[\w-]+"),
    "AWS::CloudFront::RealtimeLogConfig": (64, r"[\w-]+"),
    "AWS::CloudFront::ResponseHeadersPolicy": (128, r"[\w-]+"),
    "AWS::CloudWatch::Dashboard": (255, r"[A-Za-z0-9_-]+"),
    "AWS::Cognito::UserPoolDomain": (63, r"(?!.*(aws|amazon|cognito))[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"),
    "AWS::Cognito::UserPoolGroup": (128, r"[\w.+=,@-]+"),
    "AWS::ECS::Cluster": (255, r"[A-Za-z0-9_-]+"),
    "AWS::Glue::Database": (255, r"[a-z0-9_]+"),
    "AWS::Glue::Table": (255, r"[a-z0-9_]+"),
    "AWS::KMS::Alias": (256, r"alias/(?!aws/)[a-zA-Z0-9/_-]+"),
    "AWS::KinesisAnalyticsV2::Application": (128, r"[a-zA-Z0-9_.-]+"),
    "AWS::KinesisFirehose::DeliveryStream": (64, r"[a-zA-Z0-9_.-]+"),
    "AWS::Lambda::LayerVersion": (140, r"[a-zA-Z0-9_-]+"),
    "AWS::Logs::LogGroup": (512, r"[.\-_/#A-Za-z0-9]+"),
    "AWS::Logs::LogStream": (512, r"[^:*]+"),
    "AWS::Logs::ResourcePolicy": (512, r"[\w.-]+"),
    "AWS::OpenSearchService::Domain": (28, r"[a-z][a-z0-9-]{2,}"),
    "AWS::QuickSight::Analysis": (512, r"[\w-]+"),
    "AWS::QuickSight::DataSet": (512, r"[\w-]+"),
    "AWS::QuickSight::DataSource": (512, r"[\w-]+"),
    "AWS::S3::Bucket": (63, r"(?!xn--|sthree-|amzn-s3-demo-)[a-z0-9](?:[a-z0-9-]*[a-z0-9])(?<!-s3alias)"),
    "AWS::SES::EmailIdentity": (320, r".+"),
    "AWS::SSM::Parameter": (1011, r"(?!/?(?i:aws|ssm))/?[a-zA-Z0-9_./-]+"),
}
LONGEST_REGION = "ap-northeast-1"  # and others of 14 characters


def problem_of(resource: Resource) -> str:
    """What is wrong with the physical name that the template gives a resource, or nothing."""
    if resource.kind not in LIMITS:
        return f"is called {resource.named}: say in ops/names.py what {resource.kind} takes"
    most, pattern = LIMITS[resource.kind]
    if len(resource.named) > most:
        return f"is called {resource.named}, {len(resource.named)} characters; {most} are the most"
    if not re.fullmatch(pattern, resource.named):
        return f"is called {resource.named}, which {resource.kind} does not take"
    return ""


def problems_of_stack_name(stack: str, region: str, parameters: Mapping[str, str]) -> list[str]:
    """What services would refuse of a stack of this name, a sentence each."""
    # "A stack name can contain only alphanumeric characters (case-sensitive) and hyphens. It must start with
    # an alphabetical character and can't be longer than 128 characters": the CloudFormation User Guide
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,127}", stack):
        return [f"{stack!r} is not a stack name: letters, digits and hyphens, a letter first"]
    made = deployed(parameters, Place(stack, region))
    found = ((each.name, problem_of(each)) for each in made.resources.values() if each.named)
    return [f"{name} {problem}" for name, problem in found if problem]


def longest_stack_name(region: str, parameters: Mapping[str, str]) -> int:
    """The most characters that a stack's name may have."""
    # Physical names grow with the stack's: what is too long stays too long.
    return bisect(
        range(1, 64), 0, key=lambda length: len(problems_of_stack_name("s" * length, region, parameters))
    )


# What is wrong with a stack's name, for people: the services' rules, by what they make of the name.
_REASONS = {
    r"(?!.*(aws|amazon|cognito)).*": "contains aws, amazon or cognito",
    r"(?!ssm|aws).*": "begins with ssm or aws, as names of SSM parameters must not",
    r"[a-z0-9-]*": "has a character that is neither a lower-case letter nor a digit nor a hyphen",
    r"[a-z].*": "does not begin with a letter",
}


def refusal(stack: str, region: str, parameters: Mapping[str, str]) -> str:
    """One sentence on why a stack of this name cannot be deployed, or nothing."""
    problems = problems_of_stack_name(stack, region, parameters)
    if not problems:
        return ""
    most = longest_stack_name(region, parameters)
    reasons = [reason for pattern, reason in _REASONS.items() if not re.fullmatch(pattern, stack)]
    if 0 < most < len(stack):
        reasons.append(f"has {len(stack)} characters")
    if not reasons:  # by logical ids: physical names have an account's number in them, which is invented here
        named = ", ".join(problem.split()[0] for problem in problems)
        return f"the stack name {stack!r} would give names that services do not take to {named}"
    return (
        f"the stack name {stack!r} {' and '.join(reasons)}: stack names are lower-case letters, digits and "
        f"hyphens, a letter first, at most {most} characters in {region}, must not contain aws, amazon or "
        "cognito, and must not begin with ssm"
    )


@reported
def main() -> int:
    """Check the stack's name of an environment of samconfig.toml; 1 if it cannot be deployed."""
    parser = argparse.ArgumentParser(prog="ops.names", description=__doc__)
    parser.add_argument("environment", help="of samconfig.toml, such as staging")
    parser.add_argument("--region", help="samconfig's, AWS_REGION or the profile's by default")
    arguments = parser.parse_args()
    environment = arguments.environment
    if setting(environment, "Target") != "aws":
        raise CommandError(
            f"[{environment}] is not for AWS (its Target is not aws): `make up` deploys locally"
        )
    region = arguments.region or setting(environment, "region")
    try:
        refused = refusal(setting(environment, "stack_name"), region, overrides(environment))
    except TemplateError as error:
        raise CommandError(f"[{environment}] in samconfig.toml: {error}") from error
    if refused:
        raise CommandError(f"{refused}; change stack_name of [{environment}] in samconfig.toml")
    return 0


if __name__ == "__main__":
    sys.exit(main())
