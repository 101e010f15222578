"""CloudFront access logs: from log files to enriched rows, and from live records to windows.

A file, to Firehose::

    agents = UserAgents()  # once in a process
    log = AccessLog(body, filename=key, distribution="E2EXAMPLE1ABCD", agents=agents, on_reject=bad.append)
    result = put_records(send, pack(log), deadline=time.monotonic() + seconds_left)
    log.rows, log.rejected, log.partial

Live records, in a tumbling window::

    window = Window.from_state(event["state"])
    window.add(read(record), sequence_number=number, arrival=arrival)
    return {"state": window.to_state()}

Errors::

    AccessLogError          all are permanent: the same input fails again
    ├── CorruptLogError     neither gzip nor Parquet, or damaged
    ├── NoHeaderError       rows of text without a header
    ├── UnknownFieldsError  a header that does not say when requests were made
    ├── AllRejectedError    rows, and none of them could be taken
    └── BadRecordError      a real-time record that cannot be read

What is only a row's fault is no error, but counted and handed to a callback (`Rejected`); a file that ends
too early is `partial`. Nothing here knows AWS: calls, clocks, sleep and randomness are arguments.
"""

from ._columns import COLUMNS, FIELDS, Layout
from ._errors import (
    AccessLogError,
    AllRejectedError,
    BadRecordError,
    CorruptLogError,
    NoHeaderError,
    UnknownFieldsError,
)
from ._firehose import MAX_BATCH, MAX_BATCH_BYTES, MAX_RECORD, PutResult, pack, put_records
from ._gunzip import Gunzip
from ._log import MAX_ROW, AccessLog, Rejected
from ._privacy import hash_addresses, truncate_addresses
from ._realtime import REALTIME_FIELDS, realtime_layout
from ._user_agents import UserAgent, UserAgents, decode_user_agent, without_device
from ._window import OTHERS, BotTraffic, Event, EventReader, HeavyHitters, Traffic, Window

__all__ = [
    "COLUMNS",
    "FIELDS",
    "MAX_BATCH",
    "MAX_BATCH_BYTES",
    "MAX_RECORD",
    "MAX_ROW",
    "OTHERS",
    "REALTIME_FIELDS",
    "AccessLog",
    "AccessLogError",
    "AllRejectedError",
    "BadRecordError",
    "BotTraffic",
    "CorruptLogError",
    "Event",
    "EventReader",
    "Gunzip",
    "HeavyHitters",
    "Layout",
    "NoHeaderError",
    "PutResult",
    "Rejected",
    "Traffic",
    "UnknownFieldsError",
    "UserAgent",
    "UserAgents",
    "Window",
    "decode_user_agent",
    "hash_addresses",
    "pack",
    "put_records",
    "realtime_layout",
    "truncate_addresses",
    "without_device",
]
