"""Keys of the API portal on the engine: `make bench BENCH=api_portal`.

Each trial is a visitor of its own: from sign-up to the first 200 with the new key, and from the request to
revoke it to the first refusal. Then every log of the engine is searched for the values that there were.
Metering has a benchmark of its own: `bench/api_portal_metering.py`.
"""

import statistics
import sys
import time

from bench.deployed import deployed_suite
from bench.harness import Suite
from local.clients.visitor import PortalVisitor
from local.suite import Suite as Deployed

TRIALS = 10
BAR_SIGN_UP_S = 30.0
BAR_REVOKED_S = 60.0
UPGRADE_CALLS = 40
# us-east-1, on demand, November 2026: https://aws.amazon.com/lambda/pricing/, /dynamodb/pricing/,
# /api-gateway/pricing/.
GB_SECOND, INVOCATION, WRITE_UNIT, READ_UNIT, REQUEST = (
    0.0000133334,
    0.0000002,
    0.000000625,
    0.000000125,
    0.0000035,
)


def _first_answer(deployed: Deployed) -> tuple[float, float, str]:
    """Seconds from sign-up to a 200 with the new key, and from the revocation to the first 403; the value."""
    began = time.monotonic()
    visitor = PortalVisitor(deployed)
    made = visitor.create_key().json()
    _until(visitor, made["value"], 200)
    signed_up = time.monotonic() - began
    began = time.monotonic()
    visitor.revoke(made["id"])
    _until(visitor, made["value"], 403)
    return signed_up, time.monotonic() - began, str(made["value"])


def _until(visitor: PortalVisitor, value: str, status: int) -> None:
    while visitor.fleet(value).status_code != status:
        time.sleep(0.05)


def _keys(suite: Suite, deployed: Deployed) -> list[str]:
    _first_answer(deployed)  # warm
    signed_up, revoked, values = zip(*(_first_answer(deployed) for _ in range(TRIALS)), strict=True)
    suite.add(f"sign-up to a 200 with the new key, slowest of {TRIALS}", max(signed_up), "s", BAR_SIGN_UP_S)
    suite.add("of that, median", statistics.median(signed_up), "s")
    suite.add(f"a revoked key is refused, slowest of {TRIALS}", max(revoked), "s", BAR_REVOKED_S)
    return list(values)


def _rotation(suite: Suite, deployed: Deployed) -> str:
    """Refusals that a program sees while its key is rotated: it takes the new one when there is one."""
    visitor = PortalVisitor(deployed)
    made = visitor.create_key().json()
    value, refused = made["value"], 0
    for number in range(UPGRADE_CALLS):
        if number == UPGRADE_CALLS // 2:
            value = visitor.rotate(made["id"], hours=1).json()["value"]
        refused += visitor.fleet(value).status_code == 403
    suite.add(f"refusals while a key is rotated, of {UPGRADE_CALLS} calls", refused, "calls", 0)
    return str(value)


def _logs(suite: Suite, deployed: Deployed, values: list[str]) -> None:
    logs = deployed.client("logs")
    groups = logs.get_paginator("describe_log_groups").paginate()
    lines = [
        event["message"]
        for page in groups
        for group in page["logGroups"]
        for found in logs.get_paginator("filter_log_events").paginate(logGroupName=group["logGroupName"])
        for event in found["events"]
    ]
    suite.add("lines of logs that were searched", len(lines), "lines", 1, "higher")
    found = sum(any(value in line for value in values) or "x-api-key" in line.lower() for line in lines)
    suite.add("of them, with a key's value or its header", found, "lines", 0)


def _cost(suite: Suite) -> None:
    """A call with a key for the fleet: what AWS charges for it."""
    call = REQUEST + INVOCATION + 0.5 * 0.02 * GB_SECOND + WRITE_UNIT + 2 * READ_UNIT
    suite.add("1,000 calls with a key, on AWS", 100_000 * call, "cent")
    suite.add("of that, counting them", 100_000 * WRITE_UNIT, "cent")


def main() -> int:
    """Measure; the number of rows that miss their bar."""
    suite = Suite("api_portal", steps=4)
    suite.step("on the engine: sam build, sam deploy")
    with deployed_suite() as deployed:
        suite.step("sign-up to the first answer, and revocation")
        values = _keys(suite, deployed)
        suite.step("rotation")
        values.append(_rotation(suite, deployed))
        suite.step("logs")
        _logs(suite, deployed, values)
    _cost(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
