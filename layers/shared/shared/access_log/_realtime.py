"""Real-time log records: which fields there are, and in which order CloudFront sends them."""

from __future__ import annotations

from collections.abc import Iterable

from ._columns import Layout

__all__ = ["REALTIME_FIELDS", "realtime_layout"]

REALTIME_FIELDS = (
    "timestamp", "c-ip", "s-ip", "time-to-first-byte", "sc-status", "sc-bytes", "cs-method", "cs-protocol",
    "cs-host", "cs-uri-stem", "cs-bytes", "x-edge-location", "x-edge-request-id", "x-host-header",
    "time-taken", "cs-protocol-version", "c-ip-version", "cs-user-agent", "cs-referer", "cs-cookie",
    "cs-uri-query", "x-edge-response-result-type", "x-forwarded-for", "ssl-protocol", "ssl-cipher",
    "x-edge-result-type", "fle-encrypted-fields", "fle-status", "sc-content-type", "sc-content-len",
    "sc-range-start", "sc-range-end", "c-port", "x-edge-detailed-result-type", "c-country",
    "cs-accept-encoding", "cs-accept", "cache-behavior-path-pattern", "cs-headers", "cs-header-names",
    "cs-headers-count", "primary-distribution-id", "primary-distribution-dns-name", "origin-fbl",
    "origin-lbl", "asn", "cmcd-encoded-bitrate", "cmcd-buffer-length", "cmcd-buffer-starvation",
    "cmcd-content-id", "cmcd-object-duration", "cmcd-deadline", "cmcd-measured-throughput",
    "cmcd-next-object-request", "cmcd-next-range-request", "cmcd-object-type", "cmcd-playback-rate",
    "cmcd-requested-maximum-throughput", "cmcd-streaming-format", "cmcd-session-id", "cmcd-stream-type",
    "cmcd-startup", "cmcd-top-bitrate", "cmcd-version", "r-host", "sr-reason", "x-edge-mqcs",
    "distribution-tenant-id", "connection-id",
)  # fmt: skip
"""Every field, "in the order in which they appear in the log record":
https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/real-time-logs.html#understand-real-time-log-config-fields
"""


def realtime_layout(names: Iterable[str]) -> Layout:
    """The layout of the records of a configuration with some fields.

    CloudFront sends them in its own order, whatever the order in which the configuration names them.

    Raises:
        ValueError: A name is not a field of a real-time log, or is there twice.
    """
    chosen = list(names)
    if unknown := sorted(set(chosen) - set(REALTIME_FIELDS)):
        raise ValueError(f"no fields of a real-time log: {', '.join(unknown)}")
    if len(chosen) != len(set(chosen)):
        raise ValueError("a field is named twice")
    return Layout(tuple(sorted(chosen, key=REALTIME_FIELDS.index)))
