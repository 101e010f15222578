"""What a deployed stack has, as CloudFormation lists it."""

from __future__ import annotations

from local.deploy import STACK
from local.suite import Suite

__all__ = ["resources"]


def resources(suite: Suite, kind: str | None = None) -> dict[str, str]:
    """Return the physical id of each resource of the suite's stack, by its logical id.

    Args:
        suite: The deployed suite.
        kind: A type, such as `AWS::S3::Bucket`; all by default. What was deleted is left out.
    """
    pages = suite.client("cloudformation").get_paginator("list_stack_resources")
    return {
        each["LogicalResourceId"]: each.get("PhysicalResourceId", "")
        for page in pages.paginate(StackName=STACK)
        for each in page["StackResourceSummaries"]
        if each["ResourceStatus"] != "DELETE_COMPLETE" and kind in (None, each["ResourceType"])
    }
