"""What a deployment of the API portal refuses: parameters with which nobody, or twice, would be billed."""

from __future__ import annotations

import pytest

from ops.template import Place, TemplateError, resolve, transformed


@pytest.mark.parametrize(
    ("given", "refusal"),
    [
        ({"PortalImagesDimension": "calls"}, "which is missing"),
        ({"PortalFleetDimension": "calls"}, "which is missing"),
        ({"PortalImagesProductCode": "one", "PortalFleetProductCode": "one"}, "are one product"),
    ],
)
def test_parameters_that_bill_wrongly_are_refused(given: dict[str, str], refusal: str) -> None:
    with pytest.raises(TemplateError, match=refusal):
        resolve(transformed(), given, Place("suite"))


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"PortalImagesProductCode": "one", "PortalImagesDimension": "calls"},
        {"PortalImagesProductCode": "one", "PortalFleetProductCode": "two"},
    ],
)
def test_parameters_of_one_product_each_are_taken(given: dict[str, str]) -> None:
    stack = resolve(transformed(), given, Place("suite"))
    assert {"PortalFreeUsagePlan", "PortalImagesUsagePlan"} <= {
        each.name for each in stack.of("AWS::ApiGateway::UsagePlan")
    }
