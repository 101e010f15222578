"""Lambda's runtime: errors, environment, search path, limits, logs."""

from __future__ import annotations

import base64
import concurrent.futures
import io
import os
import re
import time
import zipfile
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local.engine_process import EngineProcess
from tests.integration.engine.patience import awaited
from tests.support.cloud import Cloud


def test_an_error_keeps_its_class_message_and_stack_trace(cloud: Cloud) -> None:
    function = cloud.function("""
        class RateExceeded(Exception): pass
        def handler(event, context):
            raise RateExceeded("slow down")
    """)
    answer = cloud.invoke(function)
    assert answer["FunctionError"] == "Unhandled"
    assert answer["payload"]["errorType"] == "RateExceeded"
    assert answer["payload"]["errorMessage"] == "slow down"
    assert 'raise RateExceeded("slow down")' in answer["payload"]["stackTrace"][0]
    assert len(answer["payload"]["requestId"]) == 36


def test_an_error_leaves_the_environment_warm(cloud: Cloud) -> None:
    function = cloud.function("""
        import os
        def handler(event, context):
            if event.get("fail"):
                raise ValueError
            return os.getpid()
    """)
    before = cloud.invoke(function)["payload"]
    cloud.invoke(function, {"fail": True})
    assert cloud.invoke(function)["payload"] == before


def test_a_silent_function_answers_without_a_floor(cloud: Cloud) -> None:
    """The bare emulator waits 50 ms for output that does not come: the bar is far from both."""
    function = cloud.function("def handler(event, context): return 1")
    cloud.invoke(function)
    took = []
    for _ in range(15):
        start = time.perf_counter()
        cloud.invoke(function)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.035


def test_the_function_sees_lambdas_environment_and_nothing_of_the_engines(cloud: Cloud) -> None:
    function = cloud.function(
        """
        import os
        def handler(event, context): return dict(os.environ)
        """,
        Environment={"Variables": {"STAGE": "test"}},
        MemorySize=256,
    )
    environment = cloud.invoke(function)["payload"]
    expected = {
        "STAGE": "test",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.13",
        "_HANDLER": "app.handler",
        "AWS_LAMBDA_FUNCTION_NAME": function,
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{function}",
        "AWS_REGION": "us-east-1",
        "TZ": ":UTC",
    }
    assert expected.items() <= environment.items()
    assert environment["AWS_LAMBDA_LOG_STREAM_NAME"]
    own = (
        "ENGINE_",
        "BIND_HOST",
        "PYTHON",
        "AUTH",
        "MINISTACK_",
        "S3_DATA_DIR",
        "STATE_DIR",
        "DOCKER_HOST",
        "HOME",
    )
    assert [name for name in environment if name.startswith(own)] == []


def test_a_function_can_import_what_lambdas_runtime_has_and_no_more(cloud: Cloud) -> None:
    function = cloud.function("""
        from importlib.util import find_spec
        def handler(event, context): return [name for name in event if find_spec(name)]
    """)
    asked = ["boto3", "botocore", "ministack", "hypercorn", "duckdb", "local", "lambda_worker", "yaml"]
    assert cloud.invoke(function, asked)["payload"] == ["boto3", "botocore"]


def test_function_code_comes_before_layers_and_layers_before_the_runtime(cloud: Cloud) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("python/app.py", "def handler(event, context): return 'from the layer'")
        package.writestr("python/six.py", "source = 'layer'")
        package.writestr("python/lib/python3.13/site-packages/deep.py", "source = 'layer'")
    layer = cloud.client("lambda").publish_layer_version(
        LayerName=cloud.name("layer"), Content={"ZipFile": archive.getvalue()}
    )["LayerVersionArn"]
    function = cloud.function(
        """
        import deep, six, sys
        def handler(event, context): return [deep.source, six.source, sys.path[:3]]
        """,
        Layers=[layer],
    )
    payload = cloud.invoke(function)["payload"]
    assert payload[:2] == ["layer", "layer"]
    task, deep, shallow = payload[2]
    assert deep.endswith("/python/lib/python3.13/site-packages")
    assert shallow.endswith("/python")
    assert not task.endswith("/python")


def test_a_timeout_is_named_as_on_aws(cloud: Cloud) -> None:
    function = cloud.function(
        """
        import time
        def handler(event, context):
            print("working", flush=True)
            time.sleep(event["seconds"])
            return context.get_remaining_time_in_millis()
        """,
        Timeout=1,
    )
    answer = cloud.invoke(function, {"seconds": 3})
    assert answer["FunctionError"] == "Unhandled"
    assert answer["payload"]["errorType"] == "Sandbox.Timedout"
    assert answer["payload"]["errorMessage"].startswith("RequestId: ")
    assert answer["payload"]["errorMessage"].endswith("Error: Task timed out after 1.00 seconds")
    assert 0 < cloud.invoke(function, {"seconds": 0})["payload"] <= 1000


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        ("import sys\ndef handler(event, context): sys.exit(3)", "Runtime.ExitError", "exit status 3"),
        (
            "import absent",
            "Runtime.ImportModuleError",
            "Unable to import module 'app': No module named 'absent'",
        ),
        ("def other(): pass", "Runtime.HandlerNotFound", "Handler 'handler' missing on module 'app'"),
        (
            "def handler(event, context): return object()",
            "Runtime.MarshalError",
            "Unable to marshal response",
        ),
        ("1 / 0", "ZeroDivisionError", "division by zero"),
        (
            "def handler(event, context): return 'x' * 6_300_000",
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded",
        ),
    ],
)
def test_failures_of_the_runtime_have_aws_error_types(
    cloud: Cloud, body: str, kind: str, message: str
) -> None:
    answer = cloud.invoke(cloud.function(body))
    assert answer.get("FunctionError") == "Unhandled"
    payload = answer["payload"]
    assert payload["errorType"] == kind
    assert message in payload["errorMessage"]


@pytest.mark.ours_only
def test_invocations_of_one_function_run_at_the_same_time(cloud: Cloud) -> None:
    function = cloud.function("""
        import os, time
        def handler(event, context):
            time.sleep(0.4)
            return os.getpid()
    """)
    with concurrent.futures.ThreadPoolExecutor(3) as threads:
        pids = list(threads.map(lambda _: cloud.invoke(function)["payload"], range(3)))
    assert len(set(pids)) == 3


def test_an_update_lets_the_invocation_in_flight_finish(cloud: Cloud) -> None:
    function = cloud.function(
        """
        import os, time
        def handler(event, context):
            time.sleep(event["seconds"])
            return os.environ["VERSION"]
        """,
        Environment={"Variables": {"VERSION": "old"}},
    )
    cloud.invoke(function, {"seconds": 0})
    with concurrent.futures.ThreadPoolExecutor(1) as thread:
        slow = thread.submit(cloud.invoke, function, {"seconds": 1})
        time.sleep(0.3)
        cloud.client("lambda").update_function_configuration(
            FunctionName=function, Environment={"Variables": {"VERSION": "new"}}
        )
        assert cloud.invoke(function, {"seconds": 0})["payload"] == "new"
        assert slow.result()["payload"] == "old"


def test_streams_of_functions_that_share_a_log_group_name_them(cloud: Cloud) -> None:
    """`YYYY/MM/DD/<function_name>[<function_version>][<execution_environment_GUID>]`."""
    group, logs = cloud.name("group"), cloud.client("logs")
    logs.create_log_group(logGroupName=group)
    functions = [
        cloud.function(
            f"def handler(event, context): print('line of {name}')", LoggingConfig={"LogGroup": group}
        )
        for name in ("one", "two")
    ]
    for function in functions:
        cloud.invoke(function)

    def printed() -> list[dict[str, str]]:
        found = logs.filter_log_events(logGroupName=group)["events"]
        lines = [event for event in found if event["message"].startswith("line of")]
        return lines if len(lines) == 2 else []

    events = awaited(cloud, printed)
    for function, name, event in zip(functions, ("one", "two"), events, strict=True):
        assert event["message"] == f"line of {name}"
        pattern = rf"\d{{4}}/\d\d/\d\d/{function}\[\$LATEST\]\[[0-9a-f]{{32}}\]"
        assert re.fullmatch(pattern, event["logStreamName"])


@pytest.mark.ours_only
def test_output_reaches_cloudwatch_logs_and_the_log_tail(cloud: Cloud) -> None:
    function = cloud.function("""
        import logging, sys
        def handler(event, context):
            print("printed")
            print("warned", file=sys.stderr)
            logging.getLogger().error("logged")
            raise ValueError("boom")
    """)
    answer = cloud.client("lambda").invoke(FunctionName=function, LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode()
    for text in ("printed", "warned", "[ERROR]\t", "\tlogged", "[ERROR] ValueError: boom", "Traceback"):
        assert text in tail
    events = awaited(
        cloud,
        lambda: cloud.client("logs").filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"],
    )
    messages = [event["message"] for event in events]
    assert "printed" in messages
    assert any(message.startswith("REPORT RequestId: ") for message in messages)


@pytest.mark.ours_only
def test_output_of_the_process_that_crashed_is_kept(cloud: Cloud) -> None:
    function = cloud.function("""
        import os
        def handler(event, context):
            print("final output")
            os._exit(1)
    """)
    answer = cloud.client("lambda").invoke(FunctionName=function, LogType="Tail")
    assert "final output" in base64.b64decode(answer["LogResult"]).decode()


@pytest.mark.ours_only
def test_large_events_and_answers_pass(cloud: Cloud) -> None:
    function = cloud.function("def handler(event, context): return event")
    event = {"text": "é" * 2_000_000}
    assert cloud.invoke(function, event)["payload"] == event


@pytest.mark.ours_only
def test_reserved_concurrency_throttles(cloud: Cloud) -> None:
    function = cloud.function("def handler(event, context): return 1")
    cloud.client("lambda").put_function_concurrency(FunctionName=function, ReservedConcurrentExecutions=0)
    with pytest.raises(ClientError, match="TooManyRequestsException"):
        cloud.invoke(function)


def test_idle_environments_end_when_they_take_too_much_memory(tmp_path: Path) -> None:
    import psutil

    engine = EngineProcess.start(tmp_path, iam=False, settings={"ENGINE_IDLE_WORKERS_MB": "40"})
    try:
        cloud = Cloud(engine)
        functions = [cloud.function("def handler(event, context): return 1") for _ in range(5)]
        for function in [*functions, *functions]:
            assert cloud.invoke(function)["payload"] == 1
        workers = psutil.Process(engine.pid).children()
        assert 1 <= len(workers) <= 4
        assert sum(worker.memory_info().rss for worker in workers) < 80 * 1024 * 1024
    finally:
        engine.stop()


@pytest.mark.ours_only
@pytest.mark.parametrize("warm", [0, 1], ids=["cold", "one is warm"])
def test_a_burst_starts_as_many_environments_at_once_as_there_are_cores(cloud: Cloud, warm: int) -> None:
    source = """
    import time
    began = time.monotonic()
    time.sleep(0.3)
    ready = time.monotonic()

    def handler(event, context):
        time.sleep(0.1)
        return [began, ready]
    """
    name = cloud.function(source, Timeout=60)
    for _ in range(warm):
        cloud.invoke(name)
    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda _: cloud.invoke(name)["payload"], range(40)))
    starts = {(began, ready) for began, ready in answers}
    at_once = [sum(began <= other < ready for began, ready in starts) for other, _ in starts]
    assert max(at_once) <= (os.cpu_count() or 1)
    assert len(starts) < 40, "who waits takes an environment that became free"


def test_answers_with_bytes_and_named_tuples_are_read_as_the_runtime_does(cloud: Cloud) -> None:
    """The runtime's simplejson takes bytes for text in UTF-8, and named tuples for objects."""
    function = cloud.function("""
        import collections, decimal
        Point = collections.namedtuple("Point", "x y")
        ANSWERS = {
            "bytes": b"hi", "text": "gr\u00fc\u00df".encode(), "inside": {"a": [b"x", (b"y",)]},
            "key": {b"k": b"v"}, "point": Point(1, b"z"), "points": [Point(1, 2)],
            "number": decimal.Decimal("1.5"), "not UTF-8": b"\\xff", "a set": {1}, "array": bytearray(b"x"),
        }
        circle = ANSWERS["circle"] = []
        circle.append(circle)
        def handler(event, context): return ANSWERS[event]
    """)
    found = {}
    for name in ("bytes", "text", "inside", "key", "point", "points", "number"):
        found[name] = cloud.invoke(function, name)["payload"]
    assert found == {
        "bytes": "hi",
        "text": "gr\u00fc\u00df",
        "inside": {"a": ["x", ["y"]]},
        "key": {"k": "v"},
        "point": {"x": 1, "y": "z"},
        "points": [{"x": 1, "y": 2}],
        "number": 1.5,
    }
    refused = {
        name: cloud.invoke(function, name)["payload"] for name in ("not UTF-8", "a set", "array", "circle")
    }
    assert {name: payload["errorType"] for name, payload in refused.items()} == dict.fromkeys(
        refused, "Runtime.MarshalError"
    )
    messages = {name: payload["errorMessage"] for name, payload in refused.items()}
    assert messages["a set"] == "Unable to marshal response: Object of type set is not JSON serializable"
    assert messages["circle"] == "Unable to marshal response: Circular reference detected"
    assert "'utf-8' codec can't decode byte 0xff" in messages["not UTF-8"]
