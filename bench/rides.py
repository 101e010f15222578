"""Rides on the engine, beside the workshop's own handler: `make bench BENCH=rides`.

The peer is the handler that the workshop of 2016 describes, written anew: it picks one of three unicorns at
random, stores the ride, and answers with it; it knows no fleet. Both run as functions of one engine, each
asked as its page asks it: ours by its API until the ride is assigned, the other by one invocation.
"""

import gzip
import io
import json
import statistics
import sys
import time
import uuid
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from bench.deployed import deployed_suite
from bench.harness import ROOT, Suite
from local.clients.visitor import Visitor
from local.suite import Suite as Deployed

TRIALS, CROWD, THREADS = 20, 100, 25
BAR_S = 1.0
BAR_PAGE_KB = 100.0
# us-east-1, on demand, November 2026: https://aws.amazon.com/lambda/pricing/, /step-functions/pricing/,
# /dynamodb/pricing/, /api-gateway/pricing/.
GB_SECOND, INVOCATION, TRANSITION = 0.0000133334, 0.0000002, 0.000025
WRITE_UNIT, READ_UNIT, REQUEST = 0.000000625, 0.000000125, 0.0000035
WORKSHOP = """
import json, os, random
from datetime import datetime, timezone
import boto3

FLEET = [{"Name": "One"}, {"Name": "Two"}, {"Name": "Three"}]
table = boto3.resource("dynamodb").Table(os.environ["TABLE"])

def handler(event, context):
    json.loads(event["body"])
    unicorn = random.choice(FLEET)
    ride = context.aws_request_id
    table.put_item(Item={"RideId": ride, "Unicorn": unicorn["Name"], "User": event["user"],
                         "RequestTime": datetime.now(timezone.utc).isoformat()})
    return {"statusCode": 201, "body": json.dumps({"RideId": ride, "Unicorn": unicorn})}
"""


def _workshop(deployed: Deployed) -> Callable[[], str]:
    """Deploy the workshop's handler; a request to it, which answers with the unicorn's name."""
    name = f"workshop-{uuid.uuid4().hex[:8]}"
    deployed.client("dynamodb").create_table(
        TableName=name, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "RideId", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "RideId", "KeyType": "HASH"}],
    )  # fmt: skip
    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as package:
        package.writestr("index.py", WORKSHOP)
    people, functions = deployed.client("iam"), deployed.client("lambda")
    trusted = {
        "Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    allowed = {"Effect": "Allow", "Action": ["dynamodb:PutItem", "logs:*"], "Resource": "*"}
    people.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trusted))
    people.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=_policy(allowed))
    functions.create_function(
        FunctionName=name, Runtime="python3.13", Handler="index.handler", Code={"ZipFile": code.getvalue()},
        Role=f"arn:aws:iam::000000000000:role/{name}", Timeout=20, MemorySize=512,
        Environment={"Variables": {"TABLE": name}},
    )  # fmt: skip
    event = {"user": "ada", "body": json.dumps({"PickupLocation": {"Latitude": 47.6, "Longitude": -122.6}})}

    def request() -> str:
        answer = functions.invoke(FunctionName=name, Payload=json.dumps(event))
        return str(json.loads(json.loads(answer["Payload"].read())["body"])["Unicorn"]["Name"])

    return request


def _policy(statement: Mapping[str, object]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _latency(suite: Suite, deployed: Deployed, workshop: Callable[[], str]) -> None:
    visitor = Visitor(deployed)

    def ours() -> float:
        """Seconds from the request to the moment that the ride was assigned, by this machine's clock."""
        began = time.time()
        ride = visitor.request().json()["id"]
        while "assigned" not in (found := visitor.ride(ride))["moments"]:
            time.sleep(0.01)
        visitor.ask("POST", f"/v1/rides/{ride}/cancel")
        return float(found["moments"]["assigned"]) - began

    def theirs() -> float:
        began = time.time()
        workshop()
        return time.time() - began

    for each in (ours, theirs):
        each()  # warm
    pairs = [(ours(), theirs()) for _ in range(TRIALS)]
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    suite.add(f"request to assigned, median of {TRIALS}", mine, "s", BAR_S)
    suite.add("the workshop's handler, which assigns nothing", other, "s")
    suite.add("request to assigned / the workshop's handler", mine / other, "x")


def _crowd(suite: Suite, deployed: Deployed, workshop: Callable[[], str]) -> None:
    visitors = [Visitor(deployed) for _ in range(10)]
    rides = [(visitors[number % 10], str(uuid.uuid4())) for number in range(CROWD)]
    with ThreadPoolExecutor(THREADS) as pool:
        list(pool.map(lambda each: each[0].request(ride=each[1]), rides))
        found = list(pool.map(lambda each: each[0].until(each[1], "assigned", 120), rides))
        named = list(pool.map(lambda _: workshop(), range(CROWD)))
    spans: dict[str, list[tuple[float, float]]] = {}
    for ride in found:
        if "unicorn" in ride:
            spans.setdefault(ride["unicorn"]["name"], []).append((ride["moments"]["assigned"], ride["ends"]))
    together = max(_at_once(each) for each in spans.values())
    told = sum("unicorn" in ride or ride.get("retry_after", 0) >= 5 for ride in found)
    suite.add(
        f"{CROWD} requests at once for ten unicorns: rides of one unicorn at once", together, "rides", 1
    )
    suite.add("of them, neither assigned nor told when to try again", CROWD - told, "rides", 0)
    suite.add("unicorns that were assigned", len(spans), "unicorns", 10, "higher")
    suite.add("the workshop's handler: riders of its busiest unicorn", max(Counter(named).values()), "riders")


def _at_once(spans: list[tuple[float, float]]) -> int:
    """The most rides at one moment, by brute force over all their beginnings."""
    return max(sum(begin <= moment < end for begin, end in spans) for moment, _ in spans)


def _page(suite: Suite) -> None:
    pages = [*(ROOT / "web/rides").rglob("*"), *(ROOT / "web/shared").glob("*")]
    size = sum(len(gzip.compress(path.read_bytes(), 6)) for path in pages if path.is_file())
    suite.add("page, its map and the shell, compressed", size / 1000, "kB", BAR_PAGE_KB)


def _cost(suite: Suite) -> None:
    """A ride that is followed for half a minute: what AWS charges for it."""
    polls = 30
    requests = polls + 2
    invocations = requests + 4
    transitions = 11  # states of an execution from Assign to Ended
    ride = (
        requests * REQUEST
        + invocations * (INVOCATION + 0.5 * 0.02 * GB_SECOND)
        + transitions * TRANSITION
        + (1 + 4 * 2 + 2 * 2) * WRITE_UNIT  # a transaction's writes count twice
        + (polls + 4 + 10) * READ_UNIT
    )
    suite.add("a ride that is followed for half a minute, on AWS", 100 * ride, "cent")
    suite.add(
        "rides for the $0.25 that the workshop was to cost at most", 0.25 / ride, "rides", 100, "higher"
    )


def main() -> int:
    """Measure; the number of rows that miss their bar."""
    suite = Suite("rides", steps=4)
    suite.step("on the engine: sam build, sam deploy")
    with deployed_suite() as deployed:
        workshop = _workshop(deployed)
        suite.step("request to assigned")
        _latency(suite, deployed, workshop)
        suite.step("a hundred at once")
        _crowd(suite, deployed, workshop)
    suite.step("page and cost")
    _page(suite)
    _cost(suite)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
