"""Every rule on every set of switches, in every region; two stacks and two regions side by side."""

from __future__ import annotations

import tomllib
from itertools import combinations

import boto3
import pytest

from ops.names import LONGEST_REGION, longest_stack_name, problems_of_stack_name
from ops.paths import ROOT
from ops.template import Place, Stack, TemplateError, deployed, source
from shared.access_log import REALTIME_FIELDS
from tests.template.conftest import LOOKED_AT
from tests.template.mutations import MUTATIONS
from tests.template.rules import RULES, problems, sentence, verdicts
from tests.template.rules.data import costs_by_the_hour
from tests.template.rules.names import GLOBAL
from tests.template.switches import EVERYTHING, SETS, STANDARD

REGIONS = sorted(boto3.Session().get_available_regions("s3", "aws"))
ELSEWHERE = sorted(
    region
    for partition in ("aws-cn", "aws-us-gov")
    for region in boto3.Session().get_available_regions("s3", partition)
)


@pytest.mark.parametrize("name", SETS)
def test_set_of_switches_follows_every_rule(name: str) -> None:
    stack = deployed(SETS[name])
    found = list(verdicts(stack))
    LOOKED_AT[name] = (len(stack.resources), found)
    problems = [f"{each.resource} {each.problem} [{rule}]" for rule, each in found if each.problem]
    assert not problems, "\n".join(problems)


def test_every_rule_looks_at_something() -> None:
    """A rule without a verdict on the whole suite could never fail."""
    judged = {name for name, _ in verdicts(deployed(EVERYTHING))}
    assert set(RULES) - judged == set()
    assert all(len(sentence(name)) > 20 for name in RULES)


@pytest.mark.parametrize("region", REGIONS)
def test_defaults_can_be_deployed_in_region(region: str) -> None:
    assert problems(deployed({}, Place(region=region))) == []


@pytest.mark.parametrize("region", ELSEWHERE)
def test_partitions_without_cloudfront_are_refused_clearly(region: str) -> None:
    with pytest.raises(TemplateError, match="RegionHasCloudFront: The pages need CloudFront"):
        deployed({}, Place(region=region))


def _names(stack: Stack, *, everywhere: bool) -> set[tuple[str, str]]:
    within = {
        "AWS::ApiGateway::Stage",
        "AWS::Cognito::UserPoolGroup",
        "AWS::Glue::Table",
        "AWS::Logs::LogStream",
    }
    return {
        (each.kind, each.named)
        for each in stack.resources.values()
        if each.named
        and each.kind not in within | {"AWS::SES::EmailIdentity"}
        and (each.kind in GLOBAL or not everywhere)
    }


def test_two_stacks_in_one_region_share_no_name() -> None:
    first, second = (
        _names(deployed(EVERYTHING, Place(name)), everywhere=False) for name in ("suite-a", "suite-b")
    )
    assert first
    assert first & second == set()


def test_one_stack_in_two_regions_shares_no_global_name() -> None:
    places = [Place(region=region) for region in ("eu-west-1", "us-east-1", "ap-northeast-1")]
    for first, second in combinations(
        [_names(deployed(EVERYTHING, place), everywhere=True) for place in places], 2
    ):
        assert first
        assert first & second == set()


@pytest.mark.parametrize("name", STANDARD)
def test_what_costs_by_the_hour_is_off_by_default(name: str) -> None:
    """Rules see one set at a time; this is about which set is the default."""
    assert costs_by_the_hour(deployed(SETS[name])) == []
    assert costs_by_the_hour(deployed(EVERYTHING)), "the list of what costs by the hour finds nothing"


def test_prod_asks_before_it_changes() -> None:
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    assert config["prod"]["deploy"]["parameters"]["confirm_changeset"] is True


def test_longest_stack_name_is_documented() -> None:
    most = longest_stack_name(LONGEST_REGION, {})
    assert problems_of_stack_name("s" * most, LONGEST_REGION, {}) == []
    assert problems_of_stack_name("s" * (most + 1), LONGEST_REGION, {}) != []
    with_index = longest_stack_name(LONGEST_REGION, {"EnableOpenSearch": "true"})
    text = (ROOT / "docs/deploy.md").read_text()
    assert f"at most {most} characters ({with_index} with `EnableOpenSearch`)" in text


@pytest.mark.parametrize("name", ["Suite-Dev", "my-aws-suite", "amazon-suite", "1suite", "a_b", ""])
def test_stack_name_that_services_refuse_is_refused_early(name: str) -> None:
    assert problems_of_stack_name(name, "eu-west-1", {}) != []


def test_documentation_lists_every_rule_and_every_mutation() -> None:
    """If this fails, run `make mutate-template`."""
    text = (ROOT / "docs/template_rules.md").read_text()
    missing = [name for name in RULES if f"`{name}`" not in text]
    missing += [mutation.what for mutation in MUTATIONS if f"| {mutation.what} |" not in text]
    assert missing == []
    assert len(MUTATIONS) >= 40
    untried = set(RULES) - {rule for mutation in MUTATIONS for rule in mutation.rules}
    assert untried == set(), "a rule that no mutation tries may be blind"


DEFAULT_FIELDS: str = source()["Parameters"]["LogStreamFields"]["Default"]
FLINK = {"EnableFlink": "true", "EnableLogStreaming": "true"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"LogStreamFields": "timestamp,c-ip"}, "LogStreamFields needs"),
        ({"LogStreamFields": f"{DEFAULT_FIELDS},cs(User-Agent)"}, "not a field of a real-time log"),
        (
            FLINK | {"LogFlinkCodeBucket": "b", "LogStreamFields": f"{DEFAULT_FIELDS},asn"},
            "stays the default",
        ),
        (FLINK, "EnableFlink needs LogFlinkCodeBucket"),
        ({"ImageDomainName": "images.example.com"}, "go together"),
    ],
)
def test_template_refuses_what_could_not_work(given: dict[str, str], says: str) -> None:
    with pytest.raises(TemplateError, match=says):
        deployed(given)


@pytest.mark.parametrize(
    "given", [{"LogStreamFields": f"asn,{DEFAULT_FIELDS}"}, FLINK | {"LogFlinkCodeBucket": "b"}]
)
def test_template_takes_what_works(given: dict[str, str]) -> None:
    assert problems(deployed(given)) == []


def test_template_knows_every_field_of_a_real_time_log() -> None:
    [assertion] = source()["Rules"]["LogStreamFieldsExist"]["Assertions"]
    assert assertion["Assert"]["Fn::EachMemberIn"][1] == list(REALTIME_FIELDS)
