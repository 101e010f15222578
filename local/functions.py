"""The functions of the suite that is up, by the names that people give them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from local.deploy import STACK
from local.suite import Suite
from ops.stacks import CommandError
from ops.template import source

__all__ = ["Function", "find", "functions_of"]


@dataclass(frozen=True)
class Function:
    """A deployed function.

    Attributes:
        logical_id: Its name in template.yaml.
        name: Its name in Lambda.
        code: Its folder in the repository, such as `functions/auth/`.
    """

    logical_id: str
    name: str
    code: str

    @property
    def short(self) -> str:
        """What people call it: the logical id without `Function`."""
        return self.logical_id.removesuffix("Function")


def functions_of(suite: Suite) -> list[Function]:
    """Return the stack's functions whose code is in the repository, in the order of their names."""
    resources: dict[str, Any] = source()["Resources"]
    pages = suite.client("cloudformation").get_paginator("list_stack_resources").paginate(StackName=STACK)
    found = []
    for page in pages:
        for each in page["StackResourceSummaries"]:
            code = resources.get(each["LogicalResourceId"], {}).get("Properties", {}).get("CodeUri")
            if each["ResourceType"] == "AWS::Lambda::Function" and isinstance(code, str):
                found.append(Function(each["LogicalResourceId"], each["PhysicalResourceId"], code))
    return sorted(found, key=lambda each: each.logical_id)


def find(functions: list[Function], given: str) -> Function:
    """Return the function that somebody means: by its short name, logical id or name in Lambda.

    Raises:
        CommandError: There is none; lists those that there are.
    """
    for function in functions:
        if given.lower() in (function.short.lower(), function.logical_id.lower(), function.name.lower()):
            return function
    known = ", ".join(function.short for function in functions)
    raise CommandError(f"there is no function {given!r} on the engine; there are {known}")
