"""What replication between regions loses: `make bench BENCH=auth_replication`.

The model of accounts that two regions write at once (`local/regions_model.py`) plays histories that seeds
draw, over the real code of accounts, imports and replication, with outages, disabled keys, skewed clocks,
deaths, records out of order and twice. Once all faults have ended everything is sent, and what does not hold
is counted. On the same harness two other ways carry the same: newest-wins by timestamp, as DynamoDB's global
tables do it, and blind copies of what is written.

`AUTH_REPLICATION_SEEDS` is how many histories are played, 10,000 unless it says otherwise.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import sys
from collections import Counter
from pathlib import Path

PATHS = tuple(Path(__file__).parents[1] / part for part in ("functions/auth", "layers/shared"))
sys.path[:0] = map(str, PATHS)
# Powertools reads them when the code is imported.
os.environ |= {"POWERTOOLS_SERVICE_NAME": "auth", "POWERTOOLS_METRICS_NAMESPACE": "bench"}

# ruff: noqa: E402  # the lines above come first
from bench.harness import Suite
from local.regions_model import play
from local.regions_peers import BlindCopies, NewestWins

SEEDS = int(os.environ.get("AUTH_REPLICATION_SEEDS", "10000"))
PEER_SEEDS = max(1, SEEDS // 10)
STEPS = 30
AT_ONCE = 2

CARRIERS = {"": None, "newest-wins": NewestWins, "blind copies": BlindCopies}
LOST = {"lost write", "unexpected value"}
KINDS = {
    "identifier": "identifiers without or with a wrong owner",
    "duplicate": "people with two accounts of one address",
    "locked out": "owners of a mailbox without an account",
    "old password good": "replaced passwords that log in",
    "erased came back": "erased people who came back",
}
OUTSIDE = "regions differ"


def _played(given: tuple[str, int]) -> tuple[int, Counter[str]]:
    """A seed, and what is wrong at the end of its history: each fact once, though both regions have it."""
    logging.disable(logging.CRITICAL)
    carrier, seed = given
    found = Counter(kind for kind, _ in set(play(seed, STEPS, CARRIERS[carrier])))
    if any(kind in LOST for kind in found):
        found["histories that lost a write"] = 1
    if found:
        found["histories"] = 1
    return seed, found


def measure(suite: Suite) -> None:
    """Play the histories, and add their rows."""
    with multiprocessing.get_context("fork").Pool(AT_ONCE) as pool:
        for carrier in CARRIERS:
            seeds = PEER_SEEDS if carrier else SEEDS
            suite.step(f"{carrier or 'the replication'}: {seeds:,} histories")
            total = Counter[str]()
            for seed, found in pool.imap_unordered(_played, [(carrier, each) for each in range(seeds)], 20):
                total += found
                if found and not carrier:
                    suite.note(f"seed {seed}: {dict(found)}")
            _rows(suite, carrier, seeds, total)


def _rows(suite: Suite, carrier: str, seeds: int, total: Counter[str]) -> None:
    lost = sum(total[kind] for kind in LOST)
    if not carrier:
        suite.add("histories played", seeds, "", 10_000, "higher")
        suite.add("acknowledged writes lost", lost, "", 0)
        suite.add("histories in which the regions differ at the end", total[OUTSIDE], "", 0)
        suite.add("histories in which anything is wrong at the end", total["histories"], "", 0)
        return
    whose = f"{carrier}, of {seeds:,} histories"
    suite.add(f"{whose}: those that lost an acknowledged write", total["histories that lost a write"], "")
    suite.add(f"{whose}: acknowledged writes lost", lost, "")
    for kind, words in KINDS.items():
        suite.add(f"{whose}: {words}", total[kind], "")


def main() -> int:
    """Measure; the number of rows that miss their bar."""
    suite = Suite("auth_replication", steps=len(CARRIERS))
    measure(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
