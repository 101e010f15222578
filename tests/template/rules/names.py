"""Physical names: within their length, and no other stack's or region's."""

from __future__ import annotations

from collections.abc import Iterator

from ops.names import problem_of
from ops.template import Stack

from . import Verdict, rule


@rule
def names_are_taken(stack: Stack) -> Iterator[Verdict]:
    """Every name that the template gives has a length and characters that the service takes."""
    for resource in stack.resources.values():
        if resource.named:
            yield Verdict(resource.name, problem_of(resource))


# Types whose names are global in an account, or in the world (buckets); the others are of a region.
# https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Dashboards.html: "Dashboards ...
# are global"
GLOBAL = {
    "AWS::CloudFront::CachePolicy",
    "AWS::CloudFront::Function",
    "AWS::CloudFront::OriginAccessControl",
    "AWS::CloudFront::RealtimeLogConfig",
    "AWS::CloudFront::ResponseHeadersPolicy",
    "AWS::CloudWatch::Dashboard",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Role",
    "AWS::S3::Bucket",
}
# Named by the resource that they belong to, which differs.
_WITHIN = {
    "AWS::ApiGateway::Stage",
    "AWS::Cognito::UserPoolGroup",
    "AWS::Glue::Table",
    "AWS::Logs::LogStream",
    "AWS::SES::EmailIdentity",
}


@rule
def names_say_whose_they_are(stack: Stack) -> Iterator[Verdict]:
    """A name has the stack's in it, and the region's where names are global: no two stacks collide."""
    forms = {stack.place.stack, stack.place.stack.replace("-", "_")}
    for resource in stack.resources.values():
        if not resource.named or resource.kind in _WITHIN:
            continue
        if not any(form in resource.named for form in forms):
            yield Verdict(
                resource.name, f"is called {resource.named} in every stack: put the stack's name into it"
            )
        needs_region = resource.kind in GLOBAL and stack.place.region not in resource.named
        problem = (
            f"is called {resource.named} in every region, where names are global: put the region into it"
        )
        yield Verdict(resource.name, problem if needs_region else "")
