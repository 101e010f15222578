"""The state machine that imports files of several companies: what its definition must not lose."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from cfnlint.api import lint_all
from jsonata import Jsonata

from auth.imports import files
from auth.storage import _dry_runs, _import_lines
from ops.paths import ROOT
from tests.support.template import source

DEFINITION = ROOT / "statemachines/auth_imports.asl.json"
HISTORY = 25_000
"""Events of an execution: https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""

type State = dict[str, Any]


def definition() -> State:
    found: State = json.loads(DEFINITION.read_text())
    return found


def states(machine: State) -> Iterator[tuple[str, State]]:
    """All states, those of maps too."""
    for name, state in machine["States"].items():
        yield name, state
        if "ItemProcessor" in state:
            yield from states(state["ItemProcessor"])


def strings(node: Any) -> list[str]:
    if isinstance(node, dict | list):
        return [
            text for value in (node.values() if isinstance(node, dict) else node) for text in strings(value)
        ]
    return [node] if isinstance(node, str) else []


TASKS = [(name, state) for name, state in states(definition()) if state["Type"] == "Task"]
MAPS = [state for _, state in states(definition()) if state["Type"] == "Map"]


def test_definition_is_what_the_states_language_asks_for() -> None:
    text = DEFINITION.read_text().replace("${Partition}", "aws").replace("${ImportFilesFunction}", "files")
    properties = {"Definition": json.loads(text), "RoleArn": "arn:aws:iam::123456789012:role/any"}
    template = {"Resources": {"M": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}}}
    assert [found.message for found in lint_all(json.dumps(template)) if found.rule.id.startswith("E")] == []


def test_every_expression_is_jsonata() -> None:
    expressions = [text for text in strings(definition()) if text.startswith("{%")]
    assert len(expressions) > 20
    for text in expressions:
        assert text.endswith("%}")
        Jsonata.jsonata(text[2:-2])


def test_every_task_is_tried_again_caught_and_outlasts_its_function() -> None:
    timeout = source()["Resources"]["AuthImportFilesFunction"]["Properties"]["Timeout"]
    assert len(TASKS) == 5
    for name, task in TASKS:
        assert task["TimeoutSeconds"] > timeout, f"{name}: two attempts would take one part side by side"
        never, always = task["Retry"]
        assert (never["ErrorEquals"], never["MaxAttempts"]) == (["ForeignEventError", "BadFilesError"], 0)
        assert (always["ErrorEquals"], always["JitterStrategy"]) == (["States.ALL"], "FULL")
        assert task["Catch"][-1]["ErrorEquals"] == ["States.ALL"]


def test_files_are_taken_one_after_the_other() -> None:
    """ "A MaxConcurrency value of 1 invokes the Iterator once for each array element in the order of their
    appearance in the input, and will not start a new iteration until the previous has completed":
    https://docs.aws.amazon.com/step-functions/latest/dg/state-map-inline.html
    """
    assert [each["MaxConcurrency"] for each in MAPS] == [1, 1]
    assert {each["ItemProcessor"]["ProcessorConfig"]["Mode"] for each in MAPS} == {"INLINE"}


def test_the_run_is_taken_as_the_dry_run_was() -> None:
    dry, run = (copy.deepcopy(each) for each in MAPS)
    assert (dry["ItemSelector"].pop("stage"), run["ItemSelector"].pop("stage")) == files.STAGES
    assert (dry.pop("Next"), run.pop("Next")) == ("Report the dry run", "Report the run")
    assert dry == run


def test_the_largest_import_fits_into_an_executions_history() -> None:
    """A part is a task that is entered, scheduled, started, done and left, and a choice that is, too."""
    assert len(files.STAGES) * (7 * files.MAX_PARTS + 8 * files.MAX_FILES) < HISTORY - 5000, "and for retries"


def test_notes_outlive_the_execution() -> None:
    assert definition()["TimeoutSeconds"] <= min(_dry_runs._KEPT_S, _import_lines._KEPT_S)
