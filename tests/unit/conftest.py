"""Powertools reads its names from the environment when a handler's module is imported: before any fixture."""

import os

os.environ["POWERTOOLS_SERVICE_NAME"] = "unit-tests"
os.environ["POWERTOOLS_METRICS_NAMESPACE"] = "UnitTests"
