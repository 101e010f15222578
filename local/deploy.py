"""Build the template with the real SAM CLI and deploy it to a local engine."""

from __future__ import annotations

import fcntl
import os
import platform
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from local.engine_process import REGION, EngineProcess, aws_environment, clean_environment
from ops.paths import ROOT
from ops.settings import overrides, setting
from ops.stacks import outputs_of

__all__ = [
    "PEER",
    "STACK",
    "SamError",
    "architecture",
    "build",
    "built",
    "deploy",
    "deploy_region",
    "deploy_stack",
]

STACK = setting("local", "stack_name")
PEER = "eu-west-1"  # the second region, where the authentication alone is deployed
_TIMEOUT_S = 900  # a first build, which installs the layers, takes a minute, or five on a busy machine
_ARTIFACTS = "suite-local-artifacts"  # as in samconfig.toml
_TOPICS = ("PortalImagesTopicArn", "PortalFleetTopicArn")


class SamError(RuntimeError):
    """``sam build`` or ``sam deploy`` failed; carries the end of its output."""


def build(log: Path, *, wheels: str = "host", into: Path | None = None) -> None:
    """Run ``sam build``.

    Args:
        log: File for the command's output.
        wheels: Whose wheels the layers get: ``host``'s, because the engine runs functions as processes of
            this host, or those of a Lambda architecture.
        into: Folder of the result when it is not samconfig's of the environment ``local``.

    Raises:
        SamError: It failed; ``log`` has all of its output.
    """
    # A cache for each kind of wheels: the SAM CLI does not see that the switch changed.
    options = [
        "--cache-dir",
        str(ROOT / f".aws-sam/cache-{wheels}"),
        *(["--build-dir", str(into)] if into else []),
    ]
    with built(exclusive=True):
        _sam(["build", "--config-env", "local", *options], log, {"WHEELS": wheels})


def deploy(engine: EngineProcess, log: Path, **parameters: str) -> dict[str, str]:
    """Deploy the suite as samconfig's environment ``local`` has it, with further template parameters."""
    given = overrides("local") | parameters
    for topic in filter(None, map(given.get, _TOPICS)):  # AWS Marketplace has it before the seller subscribes
        engine.client("sns").create_topic(Name=topic.rpartition(":")[2])
    return deploy_stack(engine, log, STACK, given)


def deploy_region(
    engine: EngineProcess, log: Path, region: str, peer: str, **parameters: str
) -> dict[str, str]:
    """Deploy the authentication alone in a region, under the suite's name, with another region as its peer.

    Args:
        engine: A running engine.
        log: File for the command's output.
        region: Where.
        peer: The other region; the one that is deployed first makes the key of the blind indexes.
        parameters: Further template parameters.

    Returns:
        The stack's outputs.

    Raises:
        EngineError: As :func:`deploy_stack` raises it.
        SamError: The same.
    """
    # `ops.template` would read it with the SAM translator, which benchmarks have not.
    switches = dict.fromkeys(
        re.findall(r"(?m)^  (Enable\w+):$", (ROOT / "template.yaml").read_text()), "false"
    )
    given = switches | {"EnableAuth": "true", "AuthPeerRegion": peer} | parameters
    return deploy_stack(engine, log, STACK, given, region=region)


def deploy_stack(
    engine: EngineProcess, log: Path, stack: str, parameters: dict[str, str], *, region: str = REGION
) -> dict[str, str]:
    """Run ``sam deploy`` against ``engine`` and return the stack's outputs.

    Args:
        engine: A running engine.
        log: File for the command's output.
        stack: The stack's name.
        parameters: Template parameters beyond those without which it is not a local stack.
        region: Where.

    Raises:
        EngineError: At the engine's address there is no engine any more, or another one.
        SamError: It failed; ``log`` has all of its output.
    """
    engine.require()
    address = engine.endpoint.removeprefix("http://")
    given = {"Target": "local", "LocalAddress": address, "Architecture": architecture()}
    pairs = [f"{name}={value}" for name, value in (given | parameters).items()]
    bucket = _ARTIFACTS if region == REGION else f"{_ARTIFACTS}-{region}"
    where = {} if region == REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3 = engine.client("s3", region)
    with suppress(s3.exceptions.BucketAlreadyOwnedByYou):  # which us-east-1 does not mind
        s3.create_bucket(Bucket=bucket, **where)
    try:
        with built():
            _sam(
                [
                    "deploy", "--config-env", "local", "--stack-name", stack, "--region", region,
                    "--s3-bucket", bucket, "--parameter-overrides", *pairs,
                ],
                log,
                # The engine is quick: ask it often whether it is ready (the SAM CLI's own setting, seconds).
                {**aws_environment(engine.endpoint, region), "SAM_CLI_POLL_DELAY": "0.1"},
            )  # fmt: skip
    except SamError as error:
        engine.require()
        raise SamError("\n".join([str(error), *_failures(engine, stack, region)])) from error
    return outputs_of(stack, partial(engine.client, region=region))


def _failures(engine: EngineProcess, stack: str, region: str) -> list[str]:
    """Return why resources of a stack failed: the SAM CLI prints it broken, far above its last line."""
    formation = engine.client("cloudformation", region)
    try:
        pages = list(formation.get_paginator("describe_stack_events").paginate(StackName=stack))
    except formation.exceptions.ClientError:  # not even begun
        return []
    return [
        f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        for page in reversed(pages)
        for event in reversed(page["StackEvents"])
        if event["ResourceStatus"].endswith("_FAILED") and event.get("ResourceStatusReason")
    ]


def architecture() -> str:
    """Return this host's processor by Lambda's name for it."""
    return "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"


@contextmanager
def built(*, exclusive: bool = False) -> Iterator[None]:
    """Hold what was built: a build deletes it first, which who deploys or reads it meanwhile must not see."""
    folder = ROOT / ".aws-sam"
    folder.mkdir(exist_ok=True)
    with (folder / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a process that leads a group of its own, and the group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _sam(arguments: list[str], log: Path, environment: dict[str, str]) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        clean = clean_environment()  # whatever the command
        path = (
            f"{ROOT / '.venv/tools/bin'}:{clean['PATH']}"  # the SAM CLI looks for python3.13 with pip there
        )
        sam = {"PATH": path, "AWS_DEFAULT_REGION": REGION, "SAM_CLI_TELEMETRY": "0"}  # `sam build` wants one
        process = subprocess.Popen(
            [str(ROOT / ".venv/tools/bin/sam"), *arguments],
            cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            env=clean | sam | environment, start_new_session=True,
        )  # fmt: skip
        status = None
        try:
            status = process.wait(_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            pass
        finally:
            if status is None:  # Ctrl-C, too: what it has started must not go on
                _end_group(process)
    if status != 0:
        how = f"was ended after {_TIMEOUT_S} s" if status is None else f"failed with status {status}"
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-25:])
        raise SamError(f"`sam {arguments[0]}` {how}; the end of {log}:\n{tail}")
