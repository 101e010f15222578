"""All of the engine's parts, in the order in which a request meets them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from local.engine.patching import check

__all__ = ["install"]

Asgi = Callable[
    [dict[str, Any], Callable[..., Awaitable[Any]], Callable[..., Awaitable[None]]], Awaitable[None]
]

# Modules that only patch the emulator: importing one installs it.
_PATCHES: tuple[str, ...] = (
    "services.s3_access",
    "services.rest_api",
    "services.http_api",
    "services.firehose",
    "services.athena",
    "services.lambda_worker",
    "services.lambda_logs",
    "services.event_sources",
    "services.cloudformation",
    "services.iam_policies",
    "services.iam_resources",
    "services.eventbridge",
    "services.async_invocation",
    "services.sns",
    "services.sns_filters",
    "services.sqs",
    "services.kms",
    "services.dynamodb",
    "services.cloudwatch",
    "services.scheduler",
    "services.step_functions",
    "services.ecs",
    "services.cognito",
    "services.secrets_manager",
    "services.autoscaling",
    "services.systems_manager",
    "services.codebuild",
    "services.cloudfront",
    "services.rds",
    "services.efs",
    "services.glue",
    "services.elasticache",
    "services.glacier",
    "services.snowball",
    "services.dms",
    "services.redshift",
    "services.usage_plans",
)
# Modules with `wrap(app) -> app`, outermost first: they meet HTTP requests before the emulator does.
_MIDDLEWARE: tuple[str, ...] = (
    "start_page",
    "debugging",
    "iam_record",
    "services.s3_website",
    "services.rest_api",
    "services.sns_signatures",
    "faults",
    "aws_events",
    "states",
    "services.marketplace",
)
# Modules with `start() -> None`: their threads begin once every patch is in place.
_THREADS: tuple[str, ...] = ("services.cloudwatch",)


def install(app: Asgi) -> Asgi:
    """Patch the emulator and return its application wrapped in the engine's own.

    Raises:
        PatchedPlaceChanged: The emulator is not the release that the patches were written for.
    """
    for name in _PATCHES:
        import_module(f"local.engine.{name}")
    for name in reversed(_MIDDLEWARE):
        app = import_module(f"local.engine.{name}").wrap(app)
    check()
    for name in _THREADS:
        import_module(f"local.engine.{name}").start()
    return app
