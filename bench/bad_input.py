"""An application's table of bad input, measured: `python -m bench.bad_input image_resizer`.

Runs `tests/integration/<application>/test_bad_input.py` against a suite of its own and writes a row for each
kind of bad input: how many inputs of that kind got the answer that the contract asks for.
"""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

from bench.harness import ROOT, Suite

__all__ = ["tally"]


def tally(report: str) -> dict[str, tuple[int, int]]:
    """Count a JUnit report: a test's name as a sentence to (inputs as the contract asks, inputs)."""
    right: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    for case in ET.fromstring(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        sentence = case.attrib["name"].partition("[")[0].removeprefix("test_").replace("_", " ")
        sent[sentence] += 1
        right[sentence] += not [part for part in case if part.tag in ("failure", "error", "skipped")]
    return {sentence: (right[sentence], number) for sentence, number in sent.items()}


def main(application: str) -> int:
    """Measure; the number of kinds of which not every input got its answer."""
    tests = ROOT / "tests/integration" / application / "test_bad_input.py"
    if not tests.exists():
        return 0
    suite = Suite(f"{application}_bad_input", steps=1)
    suite.step(f"{tests.relative_to(ROOT)}")
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [str(ROOT / ".venv/tools/bin/python"), "-m", "pytest", str(tests), f"--junit-xml={report}"]
        subprocess.run(command, cwd=ROOT, check=False, stdout=subprocess.DEVNULL)
        counted = tally(report.read_text())
    for sentence, (right, sent) in counted.items():
        suite.add(sentence, right, f"of {sent}", sent, "higher")
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
