"""The console's list of applications is the template's."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from insights.overview import ACTIVITY, PREFIXES
from ops.applications import contents
from ops.paths import ROOT
from ops.template import source

NO_APPLICATIONS = {"Shared", "Insights"}
"""Titles of what the console is made of."""


@pytest.fixture(scope="module")
def listed() -> list[dict[str, Any]]:
    """What `web/shared/applications.js` exports, read by Node.js."""
    if not shutil.which("node"):
        pytest.skip("no Node.js: 'apt install nodejs' or 'brew install node'")
    module = (ROOT / "web/shared/applications.js").as_uri()
    script = f"import({json.dumps(module)}).then(m => console.log(JSON.stringify(m.APPLICATIONS)))"
    found = subprocess.run(["node", "-e", script], capture_output=True, text=True, check=True)
    applications: list[dict[str, Any]] = json.loads(found.stdout)
    return applications


def test_pages_list_every_application_in_order(listed: list[dict[str, Any]]) -> None:
    wanted = [each for each in contents() if each.title not in NO_APPLICATIONS]
    assert [each["name"] for each in listed] == [each.folder for each in wanted]


def test_each_application_names_its_switch_and_an_output_of_its_own(listed: list[dict[str, Any]]) -> None:
    template = source()
    for each in listed:
        [application] = [found for found in contents() if found.folder == each["name"]]
        assert each["parameter"] == application.switch
        assert each["parameter"] in template["Parameters"]
        output = template["Outputs"][each["output"]]
        assert output["Condition"].startswith(application.name), each["output"]


def test_overview_knows_every_applications_prefixes() -> None:
    wanted = {each.folder: each.prefixes for each in contents() if each.title not in NO_APPLICATIONS}
    assert wanted == PREFIXES


def test_what_the_overview_counts_is_what_functions_publish() -> None:
    for application, counts in ACTIVITY.items():
        for each in counts:
            if each.namespace:
                continue  # AWS's own, or what a schedule publishes
            source = "".join(
                path.read_text() for path in (ROOT / "functions" / _folder(application)).rglob("*.py")
            )
            assert f'"{each.metric}"' in source, each.metric
            assert each.dimensions == {"service": application}


def _folder(application: str) -> str:
    """Whose code it is: the log streaming has none of its own."""
    return "access_logs" if application == "log_streaming" else application
