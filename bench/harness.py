"""What the benchmarks share: rows with bars, CPU times of interleaved runs, fresh processes, table and file.

A benchmark adds rows to a `Suite`, and ends with `finish`, which prints a table and writes
`bench/results/<name>.json`: a list of `{"measure", "value", "unit", "bar", "better", "ok"}`. `bar` is null
for a row that only informs. CPU times are those of the whole process, so that a peer's worker threads count.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

__all__ = [
    "CACHE",
    "ROOT",
    "Row",
    "Sides",
    "Steps",
    "Suite",
    "compare",
    "fresh_process",
    "one_core",
    "peak_memory_mb",
]

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
CACHE = ROOT / ".local" / "bench"


@dataclass(frozen=True)
class Row:
    """One result beside its bar."""

    measure: str
    value: float
    unit: str
    bar: float | None = None
    better: Literal["lower", "higher"] = "lower"
    ok: bool = field(init=False)

    def __post_init__(self) -> None:
        reached = (
            self.bar is None or self.value <= self.bar
            if self.better == "lower"
            else self.bar is None or self.value >= self.bar
        )
        object.__setattr__(self, "ok", reached)


class Sides(NamedTuple):
    """Median CPU milliseconds of two sides, and the first as a multiple of the second."""

    ours: float
    theirs: float
    ratio: float


class Suite:
    """Collects the rows of one benchmark while a progress bar shows what is measured.

    Args:
        name: The benchmark's module name.
        steps: How many steps will be announced.
    """

    def __init__(self, name: str, steps: int) -> None:
        self.name = name
        self.rows: list[Row] = []
        self._console = Console()
        self._progress = Progress(
            TextColumn("{task.description:<48}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
        )
        self._task = self._progress.add_task("", total=steps)
        self._progress.start()

    def step(self, description: str) -> None:
        """Announce what is measured next."""
        done = self._progress.tasks[0].completed
        first = not self._progress.tasks[0].description
        self._progress.update(self._task, description=description, completed=done if first else done + 1)
        if not self._console.is_terminal:  # where the bar is not shown
            self.note(f"{self.name}: {description}")

    def note(self, text: str) -> None:
        """Print a line above the progress bar."""
        self._console.print(text, highlight=False)

    def add(
        self,
        measure: str,
        value: float,
        unit: str,
        bar: float | None = None,
        better: Literal["lower", "higher"] = "lower",
    ) -> None:
        """Add a row."""
        self.rows.append(Row(measure, round(value, 3), unit, bar, better))

    def finish(self) -> int:
        """Print the table and write the file; the number of rows that miss their bar."""
        self._progress.update(self._task, description="done", completed=self._progress.tasks[0].total)
        self._progress.stop()
        table = Table(title=self.name)
        for heading, justify in (("measure", "left"), ("value", "right"), ("bar", "right"), ("", "left")):
            table.add_column(heading, justify="right" if justify == "right" else "left")
        for row in self.rows:
            sign = "≤" if row.better == "lower" else "≥"
            bar = verdict = ""
            if row.bar is not None:
                bar = f"{sign} {row.bar:g} {row.unit}"
                verdict = "[green]ok[/]" if row.ok else "[red]missed[/]"
            table.add_row(row.measure, f"{row.value:g} {row.unit}", bar, verdict)
        self._console.print(table)
        RESULTS.mkdir(parents=True, exist_ok=True)
        rows = [asdict(row) for row in self.rows]
        (RESULTS / f"{self.name}.json").write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n")
        return sum(not row.ok for row in self.rows)


class Steps:
    """Splits the CPU time of some work by the functions that do it, each without the watched ones inside it.

    ::

        steps = Steps()
        steps.watch(store, "get", "the store")
        steps.run(work)  # {"the store": 1.5, "rest": 0.7}
        steps.restore()
    """

    def __init__(self) -> None:
        self._spent: dict[str, float] = {}
        self._inside = [0.0]
        self._watched: list[tuple[Any, str, bool, Any]] = []

    def watch(self, owner: Any, name: str, part: str) -> None:
        """Count a function of a module, or a method of an object, to a part."""
        function = getattr(owner, name)

        def timed(*arguments: Any, **named: Any) -> Any:
            self._inside.append(0.0)
            start = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                took = 1000 * (time.process_time() - start)
                self._spent[part] += took - self._inside.pop()
                self._inside[-1] += took

        self._spent[part] = 0.0
        self._watched.append((owner, name, name in vars(owner), function))
        setattr(owner, name, timed)

    def run(self, work: Callable[[], Any]) -> dict[str, float]:
        """CPU milliseconds of one run by part, and of what is in none: `rest`."""
        self._spent = dict.fromkeys(self._spent, 0.0)
        start = time.process_time()
        work()
        whole = 1000 * (time.process_time() - start)
        return self._spent | {"rest": whole - sum(self._spent.values())}

    def restore(self) -> None:
        """Put the functions back."""
        for owner, name, own, function in reversed(self._watched):
            if own:
                setattr(owner, name, function)
            else:
                delattr(owner, name)
        self._watched.clear()


def one_core() -> None:
    """Bind this process and its children to one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _cpu_ms(work: Callable[[], Any]) -> float:
    """CPU milliseconds of one run; work that measures itself in another process returns them as a float."""
    start = time.process_time()
    result = work()
    return result if isinstance(result, float) else 1000 * (time.process_time() - start)


def compare(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int) -> Sides:
    """Time two sides in turns, after one run of each that does not count.

    Args:
        ours: One run of our side.
        theirs: One run of the peer's side.
        rounds: How often each runs.
    """
    ours()
    theirs()
    pairs = [(_cpu_ms(ours), _cpu_ms(theirs)) for _ in range(rounds)]
    mine = statistics.median(pair[0] for pair in pairs)
    other = statistics.median(pair[1] for pair in pairs)
    return Sides(mine, other, mine / other)


def fresh_process(code: str, *arguments: str, paths: Sequence[Path]) -> Any:
    """Run Python code in a new process and return the JSON that it prints.

    Byte code is cached (under the benchmarks' own cache), as it is in a deployed layer.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment |= {
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONPYCACHEPREFIX": str(CACHE / "pycache"),
    }
    child = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment, check=True, capture_output=True, text=True
    )
    return json.loads(child.stdout)


def peak_memory_mb() -> float:
    """Peak resident memory of this process, in MB of 2^20 bytes.

    Linux counts a parent's memory into a child's `ru_maxrss`, so /proc is asked where there is one.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1024 * 1024 if sys.platform == "darwin" else 1024)
