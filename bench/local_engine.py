"""The local engine's numbers: `make bench BENCH=local_engine`.

Runs the demo twice on an engine of its own (built before; then warm), weighs the engine's process and its workers,
and times a warm silent function through a REST API. The times of `make demo` and `make test` from a fresh clone
are those of the newest run of each, if there was one (`--cold SECONDS`, `--test SECONDS`).
"""

import argparse
import io
import os
import statistics
import subprocess
import sys
import time
import zipfile

import psutil

from bench.harness import CACHE, Suite
from local.deploy import STACK
from local.process import ROOT, EngineProcess
from local.publish import outputs_of
from local.suite import Suite as Deployed

CALLS = 400
SILENT = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'ok'}\n"


def _demo(port: int) -> float:
    start = time.perf_counter()
    command = [str(ROOT / ".venv/tools/bin/python"), "-m", "local.demo", "--port", str(port)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
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


def main() -> int:
    """Measure; the number of rows that miss their bar."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cold", type=float, help="seconds of `make demo` from a fresh clone")
    parser.add_argument("--test", type=float, help="seconds of `make test` from a fresh clone")
    arguments = parser.parse_args()
    if EngineProcess.find(ROOT / ".local"):
        print("the engine is up: `make down` first, the demo is to be measured alone", file=sys.stderr)
        return 1
    suite = Suite("local_engine", steps=4)
    suite.step("make demo")
    _demo(4566)
    suite.step("make demo, again")
    warm = _demo(4566)
    engine = EngineProcess.find(ROOT / ".local")
    assert engine is not None
    try:
        process = psutil.Process(engine.pid)
        suite.step("resident memory")
        Deployed(engine, outputs_of(STACK, engine.client))
        alone, all_of_it = _megabytes([process]), _megabytes([process, *process.children(recursive=True)])
        suite.step("warm invoke")
        address = _silent_api(engine)
        session = Deployed(engine, {}).http
        times = []
        for number in range(CALLS + 20):
            start = time.perf_counter()
            session.get(address).raise_for_status()
            if number >= 20:  # the first calls start the worker
                times.append(1000 * (time.perf_counter() - start))
    finally:
        engine.stop()
    if arguments.cold:
        suite.add("`make demo` from a fresh clone", arguments.cold, "s", 240)
    suite.add("`make demo`, warm", warm, "s", 60)
    if arguments.test:
        suite.add("`make test` from a fresh clone", arguments.test, "s", 600)
    suite.add("resident memory of the engine's process after the demo", alone, "MB", 400)
    suite.add("resident memory with its warm workers", all_of_it, "MB", 1500)
    suite.add(
        "warm invoke of a silent function through the REST API, p50", statistics.median(times), "ms", 10
    )
    return suite.finish()


if __name__ == "__main__":
    CACHE.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("TERM", "dumb")
    sys.exit(main())
