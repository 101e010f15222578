"""Amazon CloudFront: caller references, and the origin access controls of distributions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element, canonicalize, tostring

from ministack.services import cloudfront as service

from local.engine.patching import pin, replaces

__all__: list[str] = []


@replaces(service, "_create_distribution", digest="d17e66f3ce16")
def _create_distribution(original: Callable[..., Any], headers: dict[str, str], body: bytes) -> Any:
    """A caller reference with another configuration is refused, as are unknown origin access controls"""
    configuration, _ = service._unwrap_distribution_create_xml(service._parse_body(body))
    if configuration is None:
        return original(headers, body)
    reference, made = service._text(configuration, "CallerReference"), _canonical(configuration)
    # "If CallerReference is a value you already sent in a previous request to create a distribution but the
    # content of the DistributionConfig is different from the original request, CloudFront returns a
    # DistributionAlreadyExists error"; an identical one (ignoring white space) gets the same response:
    # https://pub.dev/documentation/aws_cloudfront_api/latest/cloudfront-2018-06-18/DistributionConfig/callerReference.html
    for distribution in service._distributions.values():
        if (
            distribution.get("CallerReference") == reference
            and distribution.get("created_from", made) != made
        ):
            message = (
                "The caller reference that you are using to create a distribution is associated with another."
            )
            return service._error("DistributionAlreadyExists", message, 409)
    refusal = _access_refusal(configuration)
    if refusal:
        return service._error(*refusal, 400)
    answer = original(headers, body)
    for distribution in service._distributions.values():
        if distribution.get("CallerReference") == reference:
            distribution.setdefault("created_from", made)
    return answer


def _canonical(configuration: Element) -> str:
    return canonicalize(tostring(configuration, encoding="unicode"), strip_text=True)


def _access_refusal(configuration: Element) -> tuple[str, str] | None:
    """Return why CloudFront does not take the way in which origins are signed for, if so.

    Codes: https://docs.aws.amazon.com/cloudfront/latest/APIReference/API_CreateDistribution.html
    """
    for origin in configuration.iter():
        control = service._text(origin, "OriginAccessControlId")
        if not control:
            continue
        if control not in service._oacs:
            return "InvalidOriginAccessControl", "The origin access control is not valid."
        identity = service._find(origin, "S3OriginConfig")
        if identity is not None and service._text(identity, "OriginAccessIdentity"):
            words = "An origin cannot contain both an origin access control and an origin access identity."
            return "IllegalOriginAccessConfiguration", words
    return None


pin(service, "_create_oac", "13f503243a49")
pin(service, "_unwrap_distribution_create_xml", "623ee95f6640")
