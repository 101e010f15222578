"""`sam local` in Docker against an engine that also listens on Docker's bridge; run by `make sam-local`."""

from __future__ import annotations

import ipaddress
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.deploy import PEER, STACK, architecture, build, deploy, deploy_region
from local.engine_process import REGION, EngineProcess, aws_environment, free_port
from local.suite import Suite
from ops.paths import ROOT
from ops.publish import publish

SAM = (sys.executable, "-m", "samcli")
IMAGE = "public.ecr.aws/lambda/python:3.13"


@dataclass(frozen=True)
class SamLocal:
    """The SAM CLI with everything it needs to run functions of the suite in containers.

    Attributes:
        suite: The deployed suite that the containers use.
        directory: Folder for logs.
        options: Options common to `invoke` and `start-api`.
        environment: Environment of the command.
    """

    suite: Suite
    directory: Path
    options: list[str]
    environment: dict[str, str]

    def invoke(self, function: str, event: Path) -> dict[str, object]:
        """Run ``sam local invoke`` and return the function's answer."""
        done = subprocess.run(
            [*SAM, "local", "invoke", function, "--event", str(event), *self.options],
            cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        answer: dict[str, object] = json.loads(done.stdout.strip().splitlines()[-1])
        assert answer is None or "errorType" not in answer, done.stderr[-3000:]
        return answer

    def start_api(self, port: int) -> subprocess.Popen[bytes]:
        """Start ``sam local start-api`` on a port of the loopback interface."""
        with (self.directory / "start-api.log").open("wb") as log:
            return subprocess.Popen(
                [*SAM, "local", "start-api", "--port", str(port), *self.options],
                cwd=ROOT, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip


def _docker(*arguments: str) -> str | None:
    if shutil.which("docker") is None:
        return None
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


@pytest.fixture(scope="session")
def sam_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SamLocal]:
    """A deployed suite, layers built for Lambda's platform, and an engine that containers reach."""
    if _docker("info") is None:
        pytest.skip(
            "no Docker engine answers: start Docker, then `make sam-local` runs the functions in containers"
        )
    directory = tmp_path_factory.mktemp("sam-local")
    if platform.system() == "Darwin":
        bridge, reach = "", "host.docker.internal"
    else:
        subnet = _docker("network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Subnet}}")
        assert subnet, "Docker has no bridge network"
        bridge = reach = str(ipaddress.ip_network(subnet)[1])  # the host's own address on it
    build(directory / "build.log")
    # Nobody listens on the discard port: the OpenSearch domain is none, and its function says so at once.
    settings = {"ENGINE_TIME_SCALE": "0.02", "MINISTACK_OPENSEARCH_ENDPOINT": f"{reach}:9"}
    engine = EngineProcess.start(directory, also_bind=bridge, settings=settings)
    try:
        outputs = deploy(  # with every function
            engine, directory / "deploy.log", EnableOpenSearch="true", AuthPeerRegion=PEER
        )
        deploy_region(engine, directory / f"deploy-{PEER}.log", PEER, REGION)
        publish(outputs, engine.client)
        _request_ride(engine, outputs)
        built = directory / "built"
        build(directory / "build-lambda.log", wheels=architecture(), into=built)
        # What CloudFormation filled in at the deployment: `sam local` knows no stack.
        variables = directory / "variables.json"
        variables.write_text(json.dumps(_deployed_variables(engine, f"http://{reach}:{engine.port}")))
        options = [
            "--template",
            str(built / "template.yaml"),
            "--env-vars",
            str(variables),
            "--parameter-overrides",
        ]
        options += ["Target=local", f"Architecture={architecture()}"]
        if _docker("image", "inspect", f"{IMAGE}-{architecture()}") is not None:
            options += ["--skip-pull-image"]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        credentials = {**aws_environment(engine.endpoint), "SAM_CLI_TELEMETRY": "0"}
        del credentials["AWS_ENDPOINT_URL"]  # not the address that containers reach
        yield SamLocal(Suite(engine, outputs), directory, options, {**clean, **credentials})
    finally:
        engine.stop()


def _request_ride(engine: EngineProcess, outputs: dict[str, str]) -> None:
    """Store the ride that a recorded event of the progress function takes further."""
    event = json.loads((ROOT / "events/rides/progress_assign.json").read_text())
    now = {"N": f"{time.time():.3f}"}
    place = {"M": {"latitude": {"N": "60.1695"}, "longitude": {"N": "24.9526"}}}
    item = {
        "visitor": {"S": event["visitor"]}, "ride": {"S": event["ride"]}, "state": {"S": "requested"},
        "pickup": place, "requested": now, "moments": {"M": {"requested": now}},
    }  # fmt: skip
    engine.client("dynamodb").put_item(TableName=outputs["RidesTableName"], Item=item)


def _deployed_variables(engine: EngineProcess, endpoint: str) -> dict[str, dict[str, str]]:
    """Return the functions' environments by logical id, with the address that containers use."""
    resources = engine.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
    variables = {}
    for resource in resources:
        if resource["ResourceType"] == "AWS::Lambda::Function":
            name = resource["PhysicalResourceId"]
            function = engine.client("lambda").get_function_configuration(FunctionName=name)
            given = function.get("Environment", {}).get("Variables", {})
            variables[resource["LogicalResourceId"]] = given | {"AWS_ENDPOINT_URL": endpoint}
    return variables


@pytest.fixture
def local_api(sam_local: SamLocal) -> Iterator[str]:
    """`sam local start-api`, started and ended; its address."""
    port = free_port()
    process = sam_local.start_api(port)
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(30)
