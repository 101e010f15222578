"""What commands take and refuse, and how they report it."""

from __future__ import annotations

import io
import re
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError
from rich.console import Console

from local import live, logs, watch
from local.commands import port_number, reported
from local.debug import attach_configuration, listen_port
from local.demo.__main__ import deployed
from local.engine_process import EngineProcess
from local.functions import Function, find
from local.live import SHARED, _zipped, syntax_error
from local.logs import seconds_of
from local.progress import Bars, doing
from local.suite import Suite
from local.watch import changes, folder_of, state_of
from ops.paths import ROOT
from ops.stacks import CommandError
from tests.support.interrupts import heed_interrupts

FUNCTIONS = [
    Function("AuthApiFunction", "suite-local-AuthApiFunction-1", "functions/auth/"),
    Function("ResizeFunction", "suite-local-resize", "functions/image_resizer/"),
]


@pytest.mark.parametrize("text", ["99999", "0", "65536", "abc", "-1", "", "4566 ", "٤٥٦٦", "1e3"])
def test_what_is_no_port_is_refused_by_its_name(text: str) -> None:
    with pytest.raises(CommandError, match=f"^PORT={re.escape(text)} is not a port"):
        port_number(text)


@pytest.mark.parametrize(("text", "port"), [("1", 1), ("4566", 4566), ("65535", 65535)])
def test_ports_are_read(text: str, port: int) -> None:
    assert port_number(text) == port


@pytest.mark.parametrize("text", ["99999", "-1", "0", "abc"])
def test_what_no_debugger_can_reach_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match=f"^LISTEN={re.escape(text)} is not a port"):
        listen_port(text)


def test_a_file_that_is_gone_again_is_left_out_of_the_code(tmp_path: Path) -> None:
    kept = tmp_path / "api.py"
    kept.write_text("x = 1\n")
    archive = _zipped({"4913": tmp_path / "4913", "api.py": kept})
    assert zipfile.ZipFile(io.BytesIO(archive)).namelist() == ["api.py"]


@pytest.mark.parametrize(
    "error", [EndpointConnectionError(endpoint_url="http://127.0.0.1"), CommandError("x"), OSError("x")]
)
def test_watching_goes_on_after_what_cannot_be_put(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def put(*_: Any) -> str:
        raise error

    monkeypatch.setattr(watch, "_put_folder", put)
    said = io.StringIO()
    assert watch._put(cast(Suite, None), {ROOT / "web/index.html"}, Console(file=said)) == set()
    assert str(error) in " ".join(said.getvalue().split())


@pytest.mark.parametrize(("text", "seconds"), [("30s", 30), ("10m", 600), ("2h", 7200), ("1d", 86_400)])
def test_times_are_read(text: str, seconds: int) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["10", "m", "10 m", "-1m", "1w", "1.5h", ""])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(CommandError, match=f"^SINCE={re.escape(text)} is not a time"):
        seconds_of(text)


@pytest.mark.parametrize("given", ["AuthApi", "authapi", "AuthApiFunction", "suite-local-AuthApiFunction-1"])
def test_functions_are_found_by_each_of_their_names(given: str) -> None:
    assert find(FUNCTIONS, given).logical_id == "AuthApiFunction"


def test_an_unknown_function_is_answered_with_those_that_there_are() -> None:
    with pytest.raises(
        CommandError, match=r"^there is no function 'Auth' on the engine; .* AuthApi, Resize$"
    ):
        find(FUNCTIONS, "Auth")


@pytest.mark.parametrize(
    ("path", "folder"),
    [
        ("functions/auth/auth/api.py", "functions/auth"),
        ("functions/auth/auth/sign_on/page.html", "functions/auth"),
        ("functions/auth/openapi.yaml", ""),
        ("layers/shared/shared/http/_answer.py", SHARED),
        ("layers/shared/requirements.txt", ""),
        ("web/images/images.js", "web"),
    ],
)
def test_a_file_says_what_has_to_be_put(path: str, folder: str) -> None:
    assert folder_of(ROOT / path) == folder


def test_new_changed_and_deleted_files_are_changes(tmp_path: Path) -> None:
    for name in ("kept.py", "changed.py", "deleted.py"):
        (tmp_path / name).write_text("x")
    (tmp_path / "__pycache__").mkdir()
    before = state_of([tmp_path])
    assert {path.name for path in before} == {"kept.py", "changed.py", "deleted.py"}
    (tmp_path / "changed.py").write_text("longer")
    (tmp_path / "deleted.py").unlink()
    (tmp_path / "new").mkdir()
    (tmp_path / "new/new.py").write_text("x")
    (tmp_path / "__pycache__/kept.pyc").write_text("x")
    assert {path.name for path in changes(before, state_of([tmp_path]))} == {
        "changed.py", "deleted.py", "new.py",
    }  # fmt: skip
    assert changes(before, before) == set()


def test_a_syntax_error_is_one_line_with_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("local.live.ROOT", tmp_path)
    good, bad = tmp_path / "good.py", tmp_path / "bad.py"
    good.write_text("def handler(event, context):\n    return 1\n")
    bad.write_text("x = 1\ndef handler(event:\n    return 1\n")
    assert syntax_error([good, tmp_path / "deleted.py"]) == ""
    assert re.fullmatch(r"bad\.py:[23]: .+", syntax_error([good, bad]))
    bad.write_bytes(b"x = '\xff'\n")
    assert re.fullmatch(r"bad\.py:1: .+", syntax_error([bad]))


def test_the_debugger_is_told_where_the_code_is() -> None:
    made = attach_configuration(FUNCTIONS[1], 5679, {"task_root": "/engine/code", "opt": "/engine/opt"})
    assert (made["type"], made["request"], made["connect"]["port"]) == ("debugpy", "attach", 5679)
    assert {each["remoteRoot"]: each["localRoot"] for each in made["pathMappings"]} == {
        "/engine/code": "${workspaceFolder}/functions/image_resizer",
        "/engine/opt/python/shared": "${workspaceFolder}/layers/shared/shared",
    }


@pytest.mark.parametrize(
    "error", [CommandError("it cannot"), FileNotFoundError(2, "No such file", "x.jsonl")]
)
def test_what_a_command_cannot_do_is_one_line(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    def command() -> int:
        raise error

    assert reported(command)() == 1
    assert capsys.readouterr().err == f"{error}\n"


def test_a_fault_of_the_programs_own_keeps_its_traceback() -> None:
    def command() -> int:
        raise KeyError("x")

    with pytest.raises(KeyError):
        reported(command)()


@pytest.mark.parametrize("module", ["local.commands", "ops.stacks"])
def test_an_interrupted_command_says_so_and_has_the_shells_status(module: str) -> None:
    program = (
        f"import sys, time; from {module} import reported\n"
        "def main():\n    print('begun', flush=True); time.sleep(60); return 0\n"
        "sys.exit(reported(main)())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=heed_interrupts,
    )  # fmt: skip
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (130, "interrupted\n")


class Application:
    """A drive of the demo."""

    NEEDS = ("ContainerMetricsClusterNames",)


@pytest.mark.parametrize(
    ("outputs", "driven"),
    [
        (["WebUrl", "SignInUrl"], []),
        (["AuthApiUrl"], ["auth"]),
        (["AuthApiUrl", "ContainerMetricsFunctionName"], ["auth"]),
        (["ContainerMetricsFunctionName", "ContainerMetricsClusterNames"], ["container_metrics"]),
    ],
)
def test_the_demo_drives_what_is_deployed(outputs: list[str], driven: list[str]) -> None:
    suite = Suite(EngineProcess(Path("nowhere"), 1, 1), dict.fromkeys(outputs, "x"))
    found: dict[str, Any] = {"auth": object(), "container_metrics": Application()}
    assert list(deployed(suite, found)) == driven


def piped() -> tuple[Console, io.StringIO]:
    held = io.StringIO()
    return Console(file=held, force_terminal=False), held


def test_piped_progress_is_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    console, held = piped()
    clock = iter(range(0, 1000, 3))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    with doing(console, "sam build"):
        pass
    with Bars(console) as bars:
        bar = bars.begin("auth", 3)
        bars.advance(bar, "first")
        bars.advance(bar, "second")
        bars.advance(bar, "third")
        bars.end(bar)
    lines = held.getvalue().splitlines()
    assert lines[:3] == ["sam build ...", "sam build: 3 s", "auth ..."]
    assert "auth: 2 of 3 second" in lines
    assert lines[-1].startswith("auth: 3 of 3, ")
    assert held.getvalue().replace("\n", "").isprintable()


def test_messages_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    line = logs.Line(0, "Resize", "name\x1b]0;title\x07 \x1b[2J\x9b31m\ttab\nnext")
    logs._show(Console(), [line], {})
    shown = capsys.readouterr().out
    assert not {character for character in shown if character < " " or "\x7f" <= character <= "\x9f"} - {
        "\t",
        "\n",
    }
    assert "tab\nnext" in shown


def test_a_source_that_does_not_compile_holds_back_its_own_folder_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(watch, "ROOT", tmp_path)
    monkeypatch.setattr(live, "ROOT", tmp_path)
    done: list[str] = []

    def put(_suite: object, folder: str) -> str:
        done.append(folder)
        return "put"

    monkeypatch.setattr(watch, "_put_folder", put)
    broken, page = tmp_path / "functions/auth/auth/api.py", tmp_path / "web/index.html"
    for path, text in ((broken, "def x(:"), (page, "<h1>")):
        path.parent.mkdir(parents=True)
        path.write_text(text)
    waiting = watch._put(None, {broken, page}, Console())  # type: ignore[arg-type]
    assert (waiting, done) == ({broken}, ["web"])
