"""The local engine's numbers: `make bench BENCH=local_engine`.

Clones the current commit into an empty folder and runs `make demo` there twice and `make test` once, as a
newcomer would; weighs the engine's process and its workers after the demo; times a warm silent function
through a REST API. Takes some minutes.
"""

import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path

import psutil

from bench.harness import Suite
from local.clients.browse import session
from local.engine_process import EngineProcess, free_port
from ops.paths import ROOT

CALLS, WARM_UP = 400, 20  # the first calls start the worker
SILENT = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'ok'}\n"


def _make(clone: Path, *arguments: str) -> float:
    """Run make in the clone, in a newcomer's environment; wall-clock seconds."""
    passed = ("HOME", "PATH", "PIP_CERT", "SSL_CERT_FILE")
    environment = {name: os.environ[name] for name in passed if name in os.environ}
    start = time.perf_counter()
    subprocess.run(
        ["make", *arguments],
        cwd=clone,
        check=True,
        stdout=subprocess.DEVNULL,
        env=environment | {"LANG": "C.UTF-8"},
    )
    return time.perf_counter() - start


def _megabytes(processes: list[psutil.Process]) -> float:
    return sum(process.memory_info().rss for process in processes) / 1e6


def _silent_api(engine: EngineProcess) -> str:
    """Put a function that logs nothing behind a REST API; its address."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("app.py", SILENT)
    role = engine.client("iam").create_role(RoleName="silent", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    arn = engine.client("lambda").create_function(
        FunctionName="silent",
        Runtime="python3.13",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
    )["FunctionArn"]
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{arn}/invocations"
    gateway = engine.client("apigateway")
    api = gateway.create_rest_api(name="silent")["id"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]
    there = {"restApiId": api, "httpMethod": "GET"}
    there["resourceId"] = gateway.create_resource(restApiId=api, parentId=root, pathPart="silent")["id"]
    gateway.put_method(**there, authorizationType="NONE")
    gateway.put_integration(**there, type="AWS_PROXY", integrationHttpMethod="POST", uri=uri)
    gateway.create_deployment(restApiId=api, stageName="live")
    engine.client("lambda").add_permission(
        FunctionName="silent",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    return f"{engine.endpoint}/restapis/{api}/live/_user_request_/silent"


def _warm_invoke_ms(engine: EngineProcess) -> float:
    address = _silent_api(engine)
    http = session()
    times = []
    for number in range(CALLS + WARM_UP):
        start = time.perf_counter()
        http.get(address).raise_for_status()
        if number >= WARM_UP:
            times.append(1000 * (time.perf_counter() - start))
    return statistics.median(times)


def main() -> int:
    """Measure; the number of rows that miss their bar."""
    suite = Suite("local_engine", steps=5)
    with tempfile.TemporaryDirectory(prefix="suite-clone-") as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        port = f"PORT={free_port()}"
        try:
            suite.step("make demo, from a fresh clone")
            cold = _make(clone, "demo", port)
            suite.step("make demo, again")
            warm = _make(clone, "demo", port)
            engine = EngineProcess.find(clone / ".local")
            assert engine is not None, "the demo leaves the suite up"
            process = psutil.Process(engine.pid)
            alone = _megabytes([process])
            with_workers = _megabytes([process, *process.children(recursive=True)])
            suite.step("warm invoke")
            invoke = _warm_invoke_ms(engine)
        finally:
            _make(clone, "down")
        suite.step("make test")
        test = _make(clone, "test")
    suite.add("`make demo` from a fresh clone", cold, "s", 240)
    suite.add("`make demo`, warm", warm, "s", 60)
    suite.add("`make test` after it", test, "s", 600)
    suite.add("resident memory of the engine's process after the demo", alone, "MB", 400)
    suite.add("resident memory with its warm workers", with_workers, "MB", 1500)
    suite.add("warm invoke of a silent function through the REST API, p50", invoke, "ms", 10)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
