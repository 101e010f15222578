"""Physical names: within their length, and no other stack's or region's."""

from __future__ import annotations

from collections.abc import Iterator

from ops.names import problem_of
from ops.return_values import NAMED_BY
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
        if resource.kind == "AWS::S3::Bucket" and stack.place.account not in resource.named:
            yield Verdict(resource.name, "may be somebody's bucket already: put the account into its name")
        needs_region = resource.kind in GLOBAL and stack.place.region not in resource.named
        problem = (
            f"is called {resource.named} in every region, where names are global: put the region into it"
        )
        yield Verdict(resource.name, problem if needs_region else "")


@rule
def nothing_else_is_named(stack: Stack) -> Iterator[Verdict]:
    """What is named is known to be, by `ops/template.py`, and no output is exported under a fixed name."""
    for resource in stack.resources.values():
        own = {"Name", f"{resource.kind.rpartition('::')[2]}Name"} & set(resource.properties)
        unknown = own and resource.kind not in NAMED_BY
        yield Verdict(
            resource.name, f"is named, and {resource.kind} is not in ops/template.py" if unknown else ""
        )
    for name in stack.exports:
        own_name = name.startswith(stack.place.stack)
        yield Verdict("An output", "" if own_name else f"is exported as {name} by every stack of the region")
