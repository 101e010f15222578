"""What every application has beside its code, found by its name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ops.applications import contents
from ops.paths import ROOT
from queries import PREFIXES, QUERIES
from tests.support.applications import missing
from tests.support.example import copy_with_example


def test_applications_have_all_that_belongs_to_one() -> None:
    found = list(missing())
    assert not found, "\n".join(found)


def test_saved_queries_are_an_applications_and_named_but_once() -> None:
    prefixes = {application.folder: application.prefixes for application in contents()}
    for folder, prefix in PREFIXES.items():
        assert prefix in prefixes.get(folder, ()), f"queries/{folder}: no logical id begins with {prefix}"
    paths = [path for path in (ROOT / "queries").glob("*/*.sql") if path.parent.name != "streaming"]
    assert len(QUERIES) == len(paths), "two applications have a saved query of the same name"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository with the application of docs/adding_an_application.md."""
    root = tmp_path_factory.mktemp("copy") / "suite"
    copy_with_example(root)
    return root


def test_the_documented_example_lacks_nothing(copy: Path) -> None:
    assert [sentence for sentence in missing(copy) if sentence.startswith("hello: ")] == []


# A file, what is taken out of it (nothing: it goes as a whole), and the sentence.
LACKING = [
    (
        "functions/hello/hello/__init__.py", "",
        "hello: there is no functions/hello/hello/__init__.py: nothing can import hello",
    ),
    (
        "template.yaml", r"#   Hello .*",
        "hello: the contents of template.yaml list no Hello: nothing deploys it",
    ),
    (
        "template.yaml", r"  EnableHello:\n.*\n.*",
        "hello: template.yaml has no parameter EnableHello under the title Hello: it cannot be switched off",
    ),
    (
        "template.yaml", r"  Hello: !Equals.*",
        "hello: template.yaml has no condition Hello under the title Hello",
    ),
    (
        "template.yaml", r"  HelloGreetFunction:\n(    .*\n)*",
        "hello: template.yaml has no function under the banner Hello: the contents promise one",
    ),
    (
        "template.yaml", r"  # Hello\n(?=  HelloQueueUrl)",
        "hello: template.yaml has no output under the title Hello: nobody learns where it is",
    ),
    (
        "samconfig.toml", r" EnableHello=true",
        "hello: samconfig.toml does not give EnableHello=true in [local.deploy.parameters]: `make demo` and "
        "the tests deploy the suite without it",
    ),
    (
        "events/hello/greet_people.json", "",
        "hello: there is no events/hello/greet_<case>.json: HelloGreetFunction has no recorded event",
    ),
    ("tests/unit/hello/test_greet.py", "", "hello: there are no tests in tests/unit/hello/"),
    (
        "tests/unit/hello/test_greet.py", r"from hello.*\nfrom hello.*",
        "hello: no test in tests/unit/hello/ imports hello",
    ),
    ("tests/integration/hello/test_flow.py", "", "hello: there are no tests in tests/integration/hello/"),
    (
        "local/demo/hello.py", "",
        "hello: there is no local/demo/hello.py: `make demo` does not drive it",
    ),
    (
        "local/demo/hello.py", r"STEPS = .*",
        "hello: local/demo/hello.py defines no STEPS: `make demo` needs it",
    ),
    ("docs/hello.md", "", "hello: there is no docs/hello.md"),
    (
        "docs/architecture.md", r"## Hello",
        "hello: docs/architecture.md has no diagram under the heading Hello",
    ),
    (
        "README.md", r".*docs/hello.md.*",
        "hello: the table of README.md has no row that names docs/hello.md and EnableHello",
    ),
    (
        "web/shared/applications.js", r"page: \"images/\"",
        "web/shared/applications.js does not list images/: the first page does not lead to it",
    ),
    (
        "tests/browser/auth", "",
        "there are no tests in tests/browser/auth/, of the page auth/",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("path", "taken", "sentence"), LACKING, ids=[sentence for *_, sentence in LACKING])
def test_what_is_lacking_is_said(copy: Path, path: str, taken: str, sentence: str) -> None:
    place, aside = copy / path, copy / "aside"
    if taken:
        before = place.read_text()
        place.write_text(re.sub(taken, "", before, count=1))
        found = set(missing(copy))
        assert place.read_text() != before
        place.write_text(before)
    else:
        place.rename(aside)
        found = set(missing(copy))
        aside.rename(place)
    assert sentence in found


STRAYS = {
    "local/demo/helo.py": "local/demo/helo.py is named like no application: `make demo` does not run it",
    "events/helo/x_y.json": "events/helo is named like no folder of functions/",
    "tests/unit/helo/test_x.py": "tests/unit/helo is named like no folder of functions/ and no package",
    "tests/unit/shared/helo/test_x.py": (
        "tests/unit/shared/helo is named like no part of layers/shared/shared"
    ),
}


@pytest.mark.parametrize("path", STRAYS)
def test_what_belongs_to_no_application_is_said(copy: Path, path: str) -> None:
    place = copy / path
    place.parent.mkdir(exist_ok=True)
    place.touch()
    found = set(missing(copy))
    place.unlink()
    assert STRAYS[path] in found
