"""Who is a region's peer: what its stack says of itself, and when nothing is sent to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from auth.regions import Peer, Queues, Replication, _peers, connect, replicate_each
from local.memory_regions import Regions
from shared.clients import client_elsewhere
from shared.http import BusyError
from tests.support.memory_ssm import MemorySsm
from tests.unit.auth.regions.people import A, B, signed_up

NAME, OWN = "/suite/auth/region", "0123456789abcdef"
THERE = {"table": "users", "key": "arn:aws:kms:us-east-1:123456789012:key/1", "peer": A, "blind_index": OWN}


class Elsewhere:
    """The clients of the other region, of which only SSM answers, and a clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ssm, self.now = MemorySsm(B), 1_800_000_000.0
        self.made: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.say(**THERE)
        monkeypatch.setattr(_peers, "client_elsewhere", self._client)
        monkeypatch.setattr("auth.regions._peers.time.time", lambda: self.now)
        monkeypatch.setattr(_peers.logger, "warning", lambda _, reason: self.warnings.append(reason))
        self.find: Callable[[], Peer] = connect(B, NAME, A, OWN)

    def _client(self, service: str, **asked: Any) -> Any:
        self.made[service] = client_elsewhere(service, **asked)
        return self.ssm.client if service == "ssm" else self.made[service]

    def say(self, **told: str) -> None:
        self.ssm.values[NAME] = json.dumps(told)


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> Elsewhere:
    return Elsewhere(monkeypatch)


def test_calls_to_the_other_region_end_soon(there: Elsewhere) -> None:
    there.find()
    assert there.made.keys() == {"ssm", "dynamodb", "kms"}
    for service, made in there.made.items():
        config = made.meta.config
        assert (made.meta.region_name, config.connect_timeout, config.read_timeout) == (B, 1.0, 2.0), service
        assert config.retries == {"mode": "standard", "total_max_attempts": 1}


NO_PAIR = [
    ({"blind_index": "fedcba9876543210"}, "the blind-index keys differ"),
    ({"blind_index": ""}, "the blind-index keys differ"),
    ({"peer": ""}, f"the stack in {B} has another AuthPeerRegion than {A}: none"),
    ({"peer": "ap-south-1"}, f"the stack in {B} has another AuthPeerRegion than {A}: ap-south-1"),
]


@pytest.mark.parametrize(("told", "why"), NO_PAIR)
def test_regions_that_are_no_pair_find_no_peer(there: Elsewhere, told: dict[str, str], why: str) -> None:
    there.say(**THERE | told)
    for tries in (1, 2):
        with pytest.raises(BusyError, match=why) as raised:
            there.find()
        assert raised.value.code == "no_pair"
        assert len(there.warnings) == tries
        assert there.warnings[-1].startswith(why)
    there.say(**THERE)
    there.find()
    assert len(there.warnings) == 2


def test_stack_that_says_less_is_no_pair(there: Elsewhere) -> None:
    there.say(table="users", key="key")
    with pytest.raises(BusyError, match="another AuthPeerRegion"):
        there.find()


def test_peer_that_became_another_ones_is_left_within_five_minutes(there: Elsewhere) -> None:
    peer = there.find()
    there.say(**THERE | {"peer": ""})
    there.now += 300
    assert there.find() is peer
    there.now += 1
    for _ in range(2):
        with pytest.raises(BusyError):
            there.find()
    there.ssm.fault = ("InternalServerError", 500)
    with pytest.raises(BusyError) as raised:
        there.find()
    assert raised.value.code == "peer_unknown", "and it is not taken for what it was"


def test_peer_that_is_known_stays_while_its_stack_cannot_be_read(there: Elsewhere) -> None:
    peer = there.find()
    there.now += 301
    there.ssm.fault = ("InternalServerError", 500)
    assert there.find() is peer


def test_peer_whose_stack_was_deleted_is_forgotten(there: Elsewhere) -> None:
    """Its table is kept: what is sent there would be lost to the stack that is made anew."""
    there.find()
    there.now += 301
    del there.ssm.values[NAME]
    with pytest.raises(BusyError) as raised:
        there.find()
    assert raised.value.code == "peer_unknown"
    there.say(**THERE | {"table": "made-anew"})
    assert there.find()


@pytest.mark.parametrize(("told", "why"), NO_PAIR[:3:2])
def test_nothing_is_sent_to_who_is_no_pair(
    there: Elsewhere, regions: Regions, told: dict[str, str], why: str
) -> None:
    """From the first moment: two stacks that were deployed at once have each made a blind-index key."""
    user = signed_up(regions[A], "ada@one.example")
    before = dict(regions[B].world.table.tables["users"])
    there.say(**THERE | told)
    replication = Replication(regions[A].world.services, there.find)
    queues: Queues = regions[A].queues
    assert replicate_each(replication, queues, [f"U#{user}"]) == {f"U#{user}": "later"}
    [message] = regions[A].sqs.queues["tables"]
    assert json.loads(message["Body"])["key"] == f"U#{user}"
    assert there.warnings[0].startswith(why)
    assert regions[B].world.table.tables["users"] == before
