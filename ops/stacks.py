"""Deployed stacks, on AWS or on an engine; how the commands reach them, and how they report what fails."""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

__all__ = [
    "Client",
    "CommandError",
    "MissingOutputError",
    "Outputs",
    "clients",
    "outputs_of",
    "parameters_of",
    "region_of",
    "reported",
]

type Client = Callable[[str], Any]


class CommandError(Exception):
    """A command cannot do what it is asked for; the text is one line for whoever asked."""


class MissingOutputError(CommandError):
    """A stack has no output of that name: it is not this suite's, or without that application."""

    def __init__(self, stack: str, output: str) -> None:
        super().__init__(f"{stack} has no output {output}: is it this suite's, with that application?")
        self.output = output


class Outputs(dict[str, str]):
    """The outputs of a deployed stack by name; one that is not there is a :class:`CommandError`."""

    def __init__(self, stack: str, outputs: dict[str, str]) -> None:
        super().__init__(outputs)
        self._stack = stack

    def __missing__(self, name: str) -> str:
        raise MissingOutputError(self._stack, name)


def region_of(named: str | None = None) -> str:
    """Return the region: the one that is named, or AWS_REGION's, AWS_DEFAULT_REGION's or the profile's.

    boto3 itself reads AWS_DEFAULT_REGION alone
    (https://docs.aws.amazon.com/boto3/latest/guide/configuration.html), other SDKs and people AWS_REGION.

    Raises:
        CommandError: There is none.
        BotoCoreError: AWS_PROFILE names no profile.
    """
    region = named or os.environ.get("AWS_REGION") or boto3.Session().region_name
    if not region:
        raise CommandError("no AWS region: set AWS_REGION, or a region in your profile")
    return str(region)


def clients(region: str | None = None) -> Client:
    """Return what gives the boto3 client of a service with the caller's credentials.

    Args:
        region: As for :func:`region_of`.
    """
    client: Any = boto3.Session(region_name=region_of(region)).client
    return client  # type: ignore[no-any-return]


def outputs_of(stack: str, client: Client) -> Outputs:
    """Return the outputs of a deployed stack by name.

    Raises:
        CommandError: There is no such stack, or the caller may not look at it.
    """
    outputs = _described(stack, client).get("Outputs", [])
    return Outputs(stack, {output["OutputKey"]: output["OutputValue"] for output in outputs})


def parameters_of(stack: str, client: Client) -> dict[str, str]:
    """Return the parameters of a deployed stack by name.

    Raises:
        CommandError: There is no such stack, or the caller may not look at it.
    """
    parameters = _described(stack, client).get("Parameters", [])
    return {each["ParameterKey"]: each["ParameterValue"] for each in parameters}


def _described(stack: str, client: Client) -> dict[str, Any]:
    try:
        found: dict[str, Any] = client("cloudformation").describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        raise CommandError(f"{stack}: {error}") from error
    return found


def reported(main: Callable[[], int]) -> Callable[[], int]:
    """Have a command report what it cannot do, and what AWS refuses, as one line and the status 1.

    Who interrupts it gets the status that shells have for that, 130, and no traceback.
    """

    @functools.wraps(main)
    def command() -> int:
        try:
            return main()
        except KeyboardInterrupt:
            print("interrupted", file=sys.stderr)
            return 130
        except (CommandError, BotoCoreError, ClientError) as error:
            print(" ".join(str(error).split()), file=sys.stderr)
            return 1

    return command
