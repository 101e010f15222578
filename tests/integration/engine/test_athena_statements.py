# ruff: noqa: E501, S608 - a statement stands on a line; tables are the test's own
"""Statements of the kinds on Athena's pages about the logs of CloudFront, CloudTrail, VPC and load balancers.

Tables are declared as those pages do. Each statement's answer is known otherwise: counted in Python from the rows
below, or by Trino's documentation of the function.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from calendar import isleap
from collections import Counter
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import pytest

from tests.integration.engine.lake import Lake

type Answer = list[tuple[str | None, ...]]


class Hit(NamedTuple):
    """A line of CloudFront's standard log, without the fields that no statement asks for."""

    date: str
    time: str
    location: str
    size: int
    ip: str
    method: str
    uri: str
    status: int
    agent: str
    query: str
    result: str
    taken: float


HITS = [
    Hit("2026-01-01", "23:59:30", "FRA56-P1", 1000, "192.0.2.1", "GET", "/index.html", 200, "Mozilla/5.0%20(X11)", "a=1&b=two%20words", "Hit", 0.25),
    Hit("2026-01-01", "23:59:59", "FRA56-P1", 500, "192.0.2.1", "GET", "/a.css", 304, "Mozilla/5.0%20(X11)", "-", "RefreshHit", 0.125),
    Hit("2026-01-02", "00:00:10", "IAD12-C2", 2000, "192.0.2.2", "GET", "/index.html", 200, "Googlebot/2.1", "-", "Miss", 1.5),
    Hit("2026-01-02", "00:10:00", "IAD12-C2", 0, "192.0.2.3", "HEAD", "/index.html", 200, "curl/8.5.0", "-", "Hit", 0.5),
    Hit("2026-01-02", "01:00:00", "NRT57-C1", 750, "2001:db8::1", "GET", "/img/a%20b.png", 404, "curl/8.5.0", "w=10", "Error", 2.0),
    Hit("2026-01-02", "13:30:00", "NRT57-C1", 1250, "192.0.2.2", "POST", "/api/v1/items/42", 503, "Mozilla/5.0%20(X11)", "id=42", "Error", 3.25),
    Hit("2026-01-31", "12:00:00", "FRA56-P1", 3000, "192.0.2.1", "GET", "/index.html", 200, "Googlebot/2.1", "-", "Hit", 0.25),
    Hit("2026-02-01", "00:00:00", "GRU3-C1", 4000, "192.0.2.9", "GET", "/", 301, "-", "-", "Redirect", 0.0),
]  # fmt: skip


class Flow(NamedTuple):
    """A record of a VPC's flow log, version 2."""

    interface: str
    source: str
    target: str
    source_port: int
    target_port: int
    protocol: int
    packets: int
    size: int
    start: int
    end: int
    action: str


FLOWS = [
    Flow("eni-1", "10.0.0.5", "10.0.1.9", 443, 50100, 6, 10, 8400, 1767225600, 1767225660, "ACCEPT"),
    Flow("eni-1", "10.0.0.5", "203.0.113.7", 50200, 443, 6, 4, 400, 1767225610, 1767225670, "ACCEPT"),
    Flow("eni-2", "203.0.113.8", "10.0.0.5", 61000, 22, 6, 1, 40, 1767225700, 1767225760, "REJECT"),
    Flow("eni-2", "203.0.113.8", "10.0.0.6", 61001, 3389, 6, 2, 80, 1767229200, 1767229260, "REJECT"),
    Flow("eni-3", "10.0.1.9", "10.0.0.2", 5353, 53, 17, 1, 76, 1767232800, 1767232860, "ACCEPT"),
    Flow("eni-3", "10.0.0.2", "10.0.1.9", 53, 5353, 17, 1, 92, 1767232800, 1767232861, "ACCEPT"),
]


class Call(NamedTuple):
    """A record of CloudTrail."""

    time: str
    source: str
    name: str
    ip: str
    user: dict[str, Any]
    request: Any
    response: Any
    error: str | None
    resources: list[dict[str, str]]


def _role(issuer: str, mfa: str) -> dict[str, Any]:
    session = {"sessionIssuer": {"userName": issuer, "type": "Role"}, "attributes": {"mfaAuthenticated": mfa}}
    return {
        "type": "AssumedRole",
        "arn": f"arn:aws:sts::1:assumed-role/{issuer}/s",
        "sessionContext": session,
    }


CALLS = [
    Call("2026-01-01T23:30:00Z", "ec2.amazonaws.com", "RunInstances", "192.0.2.1", _role("deployer", "false"),
         {"instancesSet": {"items": [{"imageId": "ami-1", "minCount": 1}]}, "instanceType": "t3.micro"},
         {"instancesSet": {"items": [{"instanceId": "i-1"}, {"instanceId": "i-2"}]}}, None, []),
    Call("2026-01-02T00:15:00Z", "s3.amazonaws.com", "GetObject", "192.0.2.2", {"type": "IAMUser", "userName": "ada", "arn": "arn:aws:iam::1:user/ada"},
         {"bucketName": "logs", "key": "a/b.gz"}, None, None, [{"ARN": "arn:aws:s3:::logs/a/b.gz", "type": "AWS::S3::Object"}, {"ARN": "arn:aws:s3:::logs", "accountId": "1", "type": "AWS::S3::Bucket"}]),
    Call("2026-01-02T00:20:00Z", "s3.amazonaws.com", "GetObject", "192.0.2.2", {"type": "IAMUser", "userName": "ada", "arn": "arn:aws:iam::1:user/ada"},
         {"bucketName": "logs", "key": "c.gz"}, None, "AccessDenied", [{"ARN": "arn:aws:s3:::logs/c.gz", "type": "AWS::S3::Object"}]),
    Call("2026-01-02T09:00:00Z", "signin.amazonaws.com", "ConsoleLogin", "198.51.100.4", {"type": "Root", "arn": "arn:aws:iam::1:root"},
         None, {"ConsoleLogin": "Success"}, None, []),
    Call("2026-03-29T02:30:00Z", "ec2.amazonaws.com", "TerminateInstances", "192.0.2.1", _role("deployer", "true"),
         {"instancesSet": {"items": [{"instanceId": "i-1"}]}}, None, "UnauthorizedOperation", []),
]  # fmt: skip

BALANCED = [
    'https 2026-01-02T03:04:05.186641Z app/lb/50dc 192.0.2.1:2817 10.0.0.1:80 0.001 0.250 0.000 200 200 34 366 "GET https://shop.example:443/cart?id=7&x=a%20b HTTP/1.1" "curl/7.46.0" TLS13 TLSv1.3 "Root=1-58337262-36d2"',
    'http 2026-01-02T03:04:59.999999Z app/lb/50dc 192.0.2.1:2818 10.0.0.2:80 0.000 1.500 0.000 502 - 40 100 "POST http://shop.example:80/pay HTTP/1.1" "Mozilla/5.0 Safari/605" - - "Root=1-58337262-36d3"',
    'h2 2026-01-02T03:05:00.000000Z app/lb/50dc 198.51.100.7:40000 10.0.0.1:80 0.002 0.500 0.001 200 200 5 257 "GET https://www.example:443/ HTTP/2.0" "Mozilla/5.0 Safari/605" TLS13 TLSv1.3 "Root=1-58337262-36d4"',
    'https 2026-01-03T00:00:00.500000Z app/lb/50dc 192.0.2.9:2 - -1 -1 -1 503 - 12 0 "GET https://shop.example:443/cart/9 HTTP/1.1" "-" TLS13 TLSv1.2 "-"',
]  # fmt: skip


@pytest.fixture
def logs(lake: Lake) -> Lake:
    """Tables of four kinds of logs, declared as Athena's pages declare them."""
    lines = ["#Version: 1.0", "#Fields: date time ..."]
    lines += ["\t".join(map(str, hit)) for hit in HITS]
    lake.put("cf/E1.2026-01-01-23.gz", "\n".join(lines) + "\n")
    lake.rows(
        f"""
        CREATE EXTERNAL TABLE IF NOT EXISTS cloudfront_logs (
          `date` DATE, time STRING, location STRING, bytes BIGINT, request_ip STRING, method STRING, uri STRING,
          status INT, user_agent STRING, query_string STRING, result_type STRING, time_taken DOUBLE
        )
        ROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t'
        LOCATION 's3://{lake.bucket}/cf/'
        TBLPROPERTIES ( 'skip.header.line.count'='2' )
        """
    )
    fields = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action log-status"
    lines = [fields, *(" ".join(map(str, ("2", "123456789012", *flow, "OK"))) for flow in FLOWS)]
    lake.put("vpc/2026/01/01/x.log", "\n".join(lines) + "\n")
    lake.rows(
        f"""
        CREATE EXTERNAL TABLE vpc_flow_logs (
          version int, account_id string, interface_id string, srcaddr string, dstaddr string, srcport int,
          dstport int, protocol bigint, packets bigint, bytes bigint, start bigint, `end` bigint, action string,
          log_status string
        )
        PARTITIONED BY (`date` date)
        ROW FORMAT DELIMITED FIELDS TERMINATED BY ' '
        LOCATION 's3://{lake.bucket}/vpc/'
        TBLPROPERTIES ("skip.header.line.count"="1")
        """
    )
    lake.rows(
        f"ALTER TABLE vpc_flow_logs ADD PARTITION (`date`='2026-01-01') LOCATION 's3://{lake.bucket}/vpc/2026/01/01'"
    )
    records = [
        {
            "eventVersion": "1.08", "userIdentity": call.user, "eventTime": call.time, "eventSource": call.source,
            "eventName": call.name, "awsRegion": "eu-west-1", "sourceIPAddress": call.ip, "errorCode": call.error,
            "requestParameters": call.request, "responseElements": call.response, "resources": call.resources,
        }
        for call in CALLS
    ]  # fmt: skip
    lake.put("trail/1_CloudTrail.json.gz", json.dumps({"Records": records}))
    lake.rows(
        f"""
        CREATE EXTERNAL TABLE cloudtrail_logs (
          eventversion STRING,
          useridentity STRUCT<type:STRING, arn:STRING, username:STRING, sessioncontext:STRUCT<
            attributes:STRUCT<mfaauthenticated:STRING>, sessionissuer:STRUCT<type:STRING, username:STRING>>>,
          eventtime STRING, eventsource STRING, eventname STRING, awsregion STRING, sourceipaddress STRING,
          errorcode STRING, requestparameters STRING, responseelements STRING,
          resources ARRAY<STRUCT<arn:STRING, accountid:STRING, type:STRING>>
        )
        ROW FORMAT SERDE 'org.apache.hive.hcatalog.data.JsonSerDe'
        STORED AS INPUTFORMAT 'com.amazon.emr.cloudtrail.CloudTrailInputFormat'
        OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
        LOCATION 's3://{lake.bucket}/trail/'
        """
    )
    lake.put("alb/x.log.gz", "\n".join(BALANCED) + "\n")
    lake.rows(
        f"""
        CREATE EXTERNAL TABLE alb_access_logs (
          type string, time string, elb string, client_ip string, client_port int, target_ip string,
          target_port int, request_processing_time double, target_processing_time double,
          response_processing_time double, elb_status_code int, target_status_code string, received_bytes bigint,
          sent_bytes bigint, request_verb string, request_url string, request_proto string, user_agent string,
          ssl_cipher string, ssl_protocol string, trace_id string
        )
        ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
        WITH SERDEPROPERTIES (
          'serialization.format' = '1',
          'input.regex' = '(\\\\S+) (\\\\S+) (\\\\S+) ([^ ]*):(\\\\d+) (?:-|([^ ]*):(\\\\d+)) (\\\\S+) (\\\\S+) (\\\\S+) (\\\\d+) '
        )
        LOCATION 's3://{lake.bucket}/alb/'
        """.replace(
            "(\\\\d+) '",
            '(\\\\d+) (\\\\S+) (\\\\d+) (\\\\d+) \\"(\\\\S+) (\\\\S+) (\\\\S+)\\" \\"([^\\"]*)\\" (\\\\S+) (\\\\S+) \\"([^\\"]*)\\"\'',
        )
    )
    return lake


def _many(values: Any) -> Answer:
    return [tuple(None if each is None else _shown(each) for each in row) for row in values]


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)


def _one(*values: Any) -> Answer:
    return _many([values])


def _ranked(counter: Counter[Any]) -> list[Any]:
    return sorted(counter.items(), key=lambda each: (-each[1], each[0]))


def _moment(hit: Hit) -> dt.datetime:
    return dt.datetime.fromisoformat(f"{hit.date}T{hit.time}+00:00")


_PER_IP: Counter[str] = Counter(hit.ip for hit in HITS)
_BYTES_OF_DAY: Counter[str] = Counter()
for _hit in HITS:
    _BYTES_OF_DAY[_hit.date] += _hit.size
_TAKEN = sorted(hit.taken for hit in HITS)
_SECONDS = "date_parse(cast(\"date\" as varchar) || ' ' || time, '%Y-%m-%d %H:%i:%s')"
_FIRST = min(map(_moment, HITS))

# A statement, and its answer, whose order is that of an ORDER BY.
CLOUDFRONT: list[tuple[str, Answer]] = [
    ("SELECT SUM(bytes) AS total_bytes FROM cloudfront_logs WHERE \"date\" BETWEEN DATE '2026-01-01' AND DATE '2026-01-02'",
     _one(sum(hit.size for hit in HITS if hit.date <= "2026-01-02"))),
    ("SELECT COUNT(*) FROM cloudfront_logs WHERE status >= 400", _one(sum(hit.status >= 400 for hit in HITS))),
    ("SELECT request_ip, count(*) AS n FROM cloudfront_logs GROUP BY request_ip ORDER BY n DESC, request_ip LIMIT 3", _many(_ranked(_PER_IP)[:3])),
    ("SELECT DISTINCT status FROM cloudfront_logs ORDER BY status", _many([(each,) for each in sorted({hit.status for hit in HITS})])),
    ("SELECT \"date\", sum(bytes) FROM cloudfront_logs GROUP BY 1 ORDER BY 1", _many(sorted(_BYTES_OF_DAY.items()))),
    ("SELECT date_trunc('month', \"date\") AS m, count(*) FROM cloudfront_logs GROUP BY 1 ORDER BY m",
     _many(sorted(Counter(hit.date[:7] + "-01" for hit in HITS).items()))),
    ("SELECT date_trunc('week', \"date\"), count(*) FROM cloudfront_logs GROUP BY 1 ORDER BY 1",
     _many(sorted(Counter(dt.date.fromisoformat(hit.date) - dt.timedelta(dt.date.fromisoformat(hit.date).weekday()) for hit in HITS).items()))),
    (f"SELECT date_trunc('hour', {_SECONDS}) AS h, count(*) FROM cloudfront_logs GROUP BY 1 ORDER BY h",
     _many((f"{hour:%Y-%m-%d %H:%M:%S}.000", n) for hour, n in sorted(Counter(_moment(hit).replace(minute=0, second=0) for hit in HITS).items()))),
    ("SELECT max(\"date\") - interval '30' day FROM cloudfront_logs", _one(dt.date(2026, 2, 1) - dt.timedelta(30))),
    ("SELECT count(*) FROM cloudfront_logs WHERE \"date\" > date_add('day', -2, DATE '2026-01-03')", _one(sum(hit.date > "2026-01-01" for hit in HITS))),
    ("SELECT \"date\", date_diff('day', min(\"date\") OVER (), \"date\") FROM cloudfront_logs ORDER BY 1, time LIMIT 3",
     _many([("2026-01-01", 0), ("2026-01-01", 0), ("2026-01-02", 1)])),
    (f"SELECT date_diff('day', min({_SECONDS}), max({_SECONDS})), date_diff('hour', min({_SECONDS}), max({_SECONDS})) FROM cloudfront_logs",
     _one((_moment(HITS[-1]) - _FIRST).days, (_moment(HITS[-1]) - _FIRST) // dt.timedelta(hours=1))),
    (f"SELECT time, date_diff('minute', TIMESTAMP '2026-01-01 23:59:30', {_SECONDS}) FROM cloudfront_logs WHERE \"date\" = DATE '2026-01-02' ORDER BY time",
     _many((hit.time, (_moment(hit) - _FIRST) // dt.timedelta(minutes=1)) for hit in HITS if hit.date == "2026-01-02")),
    (f"SELECT date_diff('month', {_SECONDS}, TIMESTAMP '2026-02-28 12:00:00') FROM cloudfront_logs WHERE \"date\" >= DATE '2026-01-31' ORDER BY 1",
     _one(0) + _one(1)),
    ("SELECT url_decode(user_agent) AS agent, count(*) FROM cloudfront_logs GROUP BY 1 ORDER BY 2 DESC, 1",
     _many(_ranked(Counter(hit.agent.replace("%20", " ") for hit in HITS)))),
    ("SELECT url_extract_parameter('http://x/?' || query_string, 'b') FROM cloudfront_logs WHERE query_string LIKE '%&%'", _one("two words")),
    ("SELECT split(query_string, '&')[1] FROM cloudfront_logs WHERE query_string <> '-' ORDER BY 1", _many([("a=1",), ("id=42",), ("w=10",)])),
    ("SELECT element_at(split(query_string, '&'), 2) FROM cloudfront_logs WHERE query_string <> '-' ORDER BY 1", _many([("b=two%20words",), (None,), (None,)])),
    ("SELECT split_to_map(query_string, '&', '=')['id'] FROM cloudfront_logs WHERE query_string LIKE 'id=%'", _one("42")),
    ("SELECT cardinality(split(uri, '/')) - 1 AS depth, count(*) FROM cloudfront_logs GROUP BY 1 ORDER BY 1",
     _many(sorted(Counter(hit.uri.count("/") for hit in HITS).items()))),
    ("SELECT regexp_extract(uri, '/items/(\\d+)', 1) FROM cloudfront_logs WHERE status = 503", _one("42")),
    ("SELECT regexp_replace(uri, '\\d+', '#') AS u FROM cloudfront_logs WHERE method = 'POST'", _one("/api/v#/items/#")),
    ("SELECT split_part(uri, '.', 2) AS suffix, count(*) FROM cloudfront_logs GROUP BY 1 ORDER BY 2 DESC, 1",
     _many(sorted(Counter(hit.uri.split(".")[1] if "." in hit.uri else None for hit in HITS).items(), key=lambda each: (-each[1], each[0] is None, each[0])))),
    ("SELECT substr(location, 1, 3) AS airport, sum(bytes) FROM cloudfront_logs GROUP BY 1 ORDER BY 1",
     _many(sorted((place, sum(hit.size for hit in HITS if hit.location[:3] == place)) for place in {hit.location[:3] for hit in HITS}))),
    ("SELECT result_type, format('%.1f%%', 100.0 * count(*) / sum(count(*)) OVER ()) FROM cloudfront_logs GROUP BY 1 ORDER BY 1",
     _many(sorted((kind, f"{100 * n / len(HITS):.1f}%") for kind, n in Counter(hit.result for hit in HITS).items()))),
    ("SELECT format('%s %,d', method, sum(bytes)) FROM cloudfront_logs GROUP BY method ORDER BY 1",
     _many(sorted((f"{method} {sum(hit.size for hit in HITS if hit.method == method):,}",) for method in {hit.method for hit in HITS}))),
    ("SELECT count_if(result_type IN ('Hit', 'RefreshHit')) * 100 / count(*) FROM cloudfront_logs",
     _one(sum(hit.result in ("Hit", "RefreshHit") for hit in HITS) * 100 // len(HITS))),
    ("SELECT array_distinct(array_agg(result_type ORDER BY \"date\", time)) FROM cloudfront_logs",
     _one("[" + ", ".join(dict.fromkeys(hit.result for hit in HITS)) + "]")),
    ("SELECT slice(array_agg(status ORDER BY \"date\", time), 2, 3) FROM cloudfront_logs", _one(str([hit.status for hit in HITS][1:4]))),
    ("SELECT slice(array_agg(status ORDER BY \"date\", time), -2, 2) FROM cloudfront_logs", _one(str([hit.status for hit in HITS][-2:]))),
    ("SELECT array_agg(status ORDER BY \"date\", time)[8], cardinality(array_agg(status)) FROM cloudfront_logs", _one(HITS[7].status, 8)),
    ("SELECT approx_percentile(bytes, 0.5) IN (1000, 1125, 1250), max_by(uri, bytes), min_by(uri, time_taken) FROM cloudfront_logs", _one(True, "/", "/")),
    ("SELECT max(time_taken), min(time_taken), avg(time_taken) FROM cloudfront_logs", _one(_TAKEN[-1], _TAKEN[0], sum(_TAKEN) / len(_TAKEN))),
    ("SELECT day, coalesce(n, 0) FROM UNNEST(sequence(DATE '2026-01-30', DATE '2026-02-02')) AS t(day) LEFT JOIN (SELECT \"date\" AS d, count(*) AS n FROM cloudfront_logs GROUP BY 1) ON d = day ORDER BY day",
     _many([("2026-01-30", 0), ("2026-01-31", 1), ("2026-02-01", 1), ("2026-02-02", 0)])),
    ("SELECT m FROM UNNEST(sequence(DATE '2026-01-01', DATE '2026-03-01', INTERVAL '1' MONTH)) AS t(m) WHERE m NOT IN (SELECT date_trunc('month', \"date\") FROM cloudfront_logs)",
     _one("2026-03-01")),
    (f"SELECT hour({_SECONDS} AT TIME ZONE 'America/New_York') AS h, count(*) FROM cloudfront_logs GROUP BY 1 ORDER BY 1",
     _many(sorted(Counter(_moment(hit).astimezone(ZoneInfo("America/New_York")).hour for hit in HITS).items()))),
    (f"SELECT cast({_SECONDS} AT TIME ZONE 'Asia/Tokyo' AS date) AS d, count(*) FROM cloudfront_logs GROUP BY 1 ORDER BY 1",
     _many(sorted(Counter(_moment(hit).astimezone(ZoneInfo("Asia/Tokyo")).date() for hit in HITS).items()))),
    (f"SELECT {_SECONDS} AT TIME ZONE 'Asia/Tokyo' FROM cloudfront_logs WHERE status = 503", _one("2026-01-02 22:30:00.000 Asia/Tokyo")),
    ("SELECT lower(method), upper(result_type), length(uri), strpos(uri, '.') FROM cloudfront_logs WHERE status = 304", _one("get", "REFRESHHIT", 6, 3)),
    ("SELECT CASE WHEN regexp_like(user_agent, '(?i)bot') THEN 'bot' ELSE 'other' END AS kind, count(*) FROM cloudfront_logs GROUP BY 1 ORDER BY 1",
     _many(sorted(Counter("bot" if re.search("bot", hit.agent, re.IGNORECASE) else "other" for hit in HITS).items()))),
    ("SELECT uri FROM cloudfront_logs WHERE request_ip = '192.0.2.1' EXCEPT SELECT uri FROM cloudfront_logs WHERE request_ip = '192.0.2.2' ORDER BY 1", _one("/a.css")),
    ("SELECT uri, row_number() OVER (PARTITION BY request_ip ORDER BY bytes DESC) AS r FROM cloudfront_logs WHERE request_ip = '192.0.2.1' ORDER BY r",
     _many((hit.uri, n) for n, hit in enumerate(sorted((hit for hit in HITS if hit.ip == "192.0.2.1"), key=lambda hit: -hit.size), 1))),
]  # fmt: skip

_SSH = [flow for flow in FLOWS if flow.target_port == 22]


def _utc(seconds: int) -> str:
    return f"{dt.datetime.fromtimestamp(seconds, dt.UTC):%Y-%m-%d %H:%M:%S}.000 UTC"


VPC: list[tuple[str, Answer]] = [
    ("SELECT * FROM vpc_flow_logs WHERE \"date\" = DATE('2026-01-01') AND dstport = 22",
     _many([("2", "123456789012", *_SSH[0], "OK", "2026-01-01")])),
    ("SELECT day_of_week(\"date\") AS day, \"date\", interface_id, srcaddr, action, protocol FROM vpc_flow_logs WHERE action = 'REJECT' AND protocol = 6 ORDER BY dstport LIMIT 100",
     _many([(4, "2026-01-01", "eni-2", "203.0.113.8", "REJECT", 6)] * 2)),
    ("SELECT SUM(packets) AS packetcount, dstaddr FROM vpc_flow_logs WHERE dstport = 443 AND \"date\" > DATE '2025-12-31' GROUP BY dstaddr ORDER BY packetcount DESC LIMIT 10", _one(4, "203.0.113.7")),
    ("SELECT interface_id, sum(bytes) FROM vpc_flow_logs GROUP BY interface_id ORDER BY 2 DESC",
     _many(sorted(((name, sum(flow.size for flow in FLOWS if flow.interface == name)) for name in {flow.interface for flow in FLOWS}), key=lambda each: -each[1]))),
    ("SELECT from_unixtime(min(start)), from_unixtime(max(\"end\")) FROM vpc_flow_logs", _one(_utc(1767225600), _utc(1767232861))),
    ("SELECT date_trunc('hour', from_unixtime(start)) AS h, count(*) FROM vpc_flow_logs GROUP BY 1 ORDER BY h",
     _many((_utc(hour * 3600), n) for hour, n in sorted(Counter(flow.start // 3600 for flow in FLOWS).items()))),
    ("SELECT \"end\" - start, count(*) FROM vpc_flow_logs GROUP BY 1 ORDER BY 1", _many(sorted(Counter(flow.end - flow.start for flow in FLOWS).items()))),
    ("SELECT date_diff('minute', from_unixtime(start), from_unixtime(\"end\")) AS m, count(*) FROM vpc_flow_logs GROUP BY 1 ORDER BY 1",
     _many(sorted(Counter((flow.end - flow.start) // 60 for flow in FLOWS).items()))),
    ("SELECT date_diff('hour', from_unixtime(1767225600), from_unixtime(start)) AS h FROM vpc_flow_logs WHERE action = 'REJECT' ORDER BY 1",
     _many(sorted(((flow.start - 1767225600) // 3600,) for flow in FLOWS if flow.action == "REJECT"))),
    ("SELECT srcaddr, array_agg(DISTINCT dstport ORDER BY dstport) FROM vpc_flow_logs WHERE action = 'REJECT' GROUP BY srcaddr", _one("203.0.113.8", "[22, 3389]")),
    ("SELECT split_part(srcaddr, '.', 1) AS net, count(*) FROM vpc_flow_logs GROUP BY 1 ORDER BY 1", _many(sorted(Counter(flow.source.split(".")[0] for flow in FLOWS).items()))),
    ("SELECT CASE protocol WHEN 6 THEN 'tcp' WHEN 17 THEN 'udp' END AS p, sum(packets) FROM vpc_flow_logs GROUP BY 1 ORDER BY 1",
     _many([("tcp", sum(flow.packets for flow in FLOWS if flow.protocol == 6)), ("udp", sum(flow.packets for flow in FLOWS if flow.protocol == 17))])),
    ("SELECT p.name, count(*) FROM vpc_flow_logs f JOIN (VALUES (6, 'tcp'), (17, 'udp')) AS p(number, name) ON f.protocol = p.number GROUP BY p.name ORDER BY 1",
     _many([("tcp", 4), ("udp", 2)])),
    ("SELECT count(*) FROM vpc_flow_logs WHERE srcaddr LIKE '10.%' AND NOT dstaddr LIKE '10.%'", _one(1)),
    ("SELECT to_iso8601(from_unixtime(max(start))) FROM vpc_flow_logs", _one("2026-01-01T02:00:00.000Z")),
    ("SELECT round(sum(bytes) / 1024.0e0, 2), sum(bytes) / 1024 FROM vpc_flow_logs", _one(round(sum(flow.size for flow in FLOWS) / 1024, 2), sum(flow.size for flow in FLOWS) // 1024)),
    ("SELECT approx_distinct(srcaddr), count(DISTINCT srcaddr) FROM vpc_flow_logs", _one(4, 4)),
    ("SELECT format_datetime(from_unixtime(start), 'yyyy-MM-dd HH:mm') FROM vpc_flow_logs WHERE dstport = 22", _one("2026-01-01 00:01")),
    ("SELECT format('%s:%05d', dstaddr, dstport) FROM vpc_flow_logs WHERE dstport < 100 ORDER BY 1", _many([("10.0.0.2:00053",), ("10.0.0.5:00022",)])),
    ("SELECT vpc_flow_logs.action, count(*) FROM vpc_flow_logs GROUP BY ROLLUP (action) ORDER BY 1", _many([("ACCEPT", 4), ("REJECT", 2), (None, 6)])),
]  # fmt: skip

CLOUDTRAIL: list[tuple[str, Answer]] = [
    ("SELECT useridentity.arn, eventname, sourceipaddress, eventtime FROM cloudtrail_logs WHERE errorcode = 'AccessDenied'",
     _one("arn:aws:iam::1:user/ada", "GetObject", "192.0.2.2", "2026-01-02T00:20:00Z")),
    ("SELECT useridentity.sessioncontext.sessionissuer.username, count(*) FROM cloudtrail_logs WHERE useridentity.type = 'AssumedRole' GROUP BY 1", _one("deployer", 2)),
    ("SELECT t.useridentity.sessioncontext.attributes.mfaauthenticated FROM cloudtrail_logs t WHERE t.useridentity.sessioncontext.sessionissuer.type = 'Role' ORDER BY t.eventtime", _many([("false",), ("true",)])),
    ("SELECT eventname FROM cloudtrail_logs WHERE useridentity.sessioncontext.attributes.mfaauthenticated IS NULL ORDER BY eventtime", _many([("GetObject",), ("GetObject",), ("ConsoleLogin",)])),
    ("SELECT json_extract_scalar(requestparameters, '$.bucketName') AS b, count(*) FROM cloudtrail_logs WHERE eventsource = 's3.amazonaws.com' GROUP BY 1", _one("logs", 2)),
    ("SELECT json_extract(requestparameters, '$.instancesSet.items') FROM cloudtrail_logs WHERE eventname = 'TerminateInstances'", _one('[{"instanceId":"i-1"}]')),
    ("SELECT json_extract_scalar(responseelements, '$.instancesSet.items[1].instanceId') FROM cloudtrail_logs WHERE eventname = 'RunInstances'", _one("i-2")),
    ("SELECT json_array_length(json_extract(responseelements, '$.instancesSet.items')) FROM cloudtrail_logs WHERE eventname = 'RunInstances'", _one(2)),
    ("SELECT json_extract_scalar(i, '$.instanceId') FROM cloudtrail_logs CROSS JOIN UNNEST(CAST(json_extract(responseelements, '$.instancesSet.items') AS array(json))) AS t(i) WHERE eventname = 'RunInstances' ORDER BY 1", _many([("i-1",), ("i-2",)])),
    ("SELECT eventname, from_iso8601_timestamp(eventtime) FROM cloudtrail_logs WHERE from_iso8601_timestamp(eventtime) > TIMESTAMP '2026-01-02 08:00:00 UTC' ORDER BY 2",
     _many([("ConsoleLogin", "2026-01-02 09:00:00.000 UTC"), ("TerminateInstances", "2026-03-29 02:30:00.000 UTC")])),
    ("SELECT eventname, from_iso8601_timestamp(eventtime) AT TIME ZONE 'Europe/Berlin' FROM cloudtrail_logs WHERE eventsource = 'ec2.amazonaws.com' ORDER BY 2",
     _many([("RunInstances", "2026-01-02 00:30:00.000 Europe/Berlin"), ("TerminateInstances", "2026-03-29 04:30:00.000 Europe/Berlin")])),
    ("SELECT date_trunc('day', from_iso8601_timestamp(eventtime) AT TIME ZONE 'Europe/Berlin') AS d, count(*) FROM cloudtrail_logs GROUP BY 1 ORDER BY d",
     _many([("2026-01-02 00:00:00.000 Europe/Berlin", 4), ("2026-03-29 00:00:00.000 Europe/Berlin", 1)])),
    ("SELECT d, count(*) FROM (SELECT date(at_timezone(from_iso8601_timestamp(eventtime), 'America/Los_Angeles')) AS d FROM cloudtrail_logs) GROUP BY d ORDER BY d",
     _many(sorted(Counter(dt.datetime.fromisoformat(call.time).astimezone(ZoneInfo("America/Los_Angeles")).date() for call in CALLS).items()))),
    ("SELECT date_diff('day', min(from_iso8601_timestamp(eventtime)), max(from_iso8601_timestamp(eventtime))) FROM cloudtrail_logs",
     _one((dt.datetime.fromisoformat(CALLS[-1].time) - dt.datetime.fromisoformat(CALLS[0].time)).days)),
    ("SELECT resource.type, count(*) FROM cloudtrail_logs CROSS JOIN UNNEST(resources) AS t(resource) GROUP BY 1 ORDER BY 1", _many([("AWS::S3::Bucket", 1), ("AWS::S3::Object", 2)])),
    ("SELECT resources[1].arn FROM cloudtrail_logs WHERE cardinality(resources) > 0 ORDER BY 1", _many([("arn:aws:s3:::logs/a/b.gz",), ("arn:aws:s3:::logs/c.gz",)])),
    ("SELECT element_at(resources, 2).accountid FROM cloudtrail_logs WHERE eventname = 'GetObject' ORDER BY eventtime", _many([("1",), (None,)])),
    ("SELECT split(useridentity.arn, '/')[2] FROM cloudtrail_logs WHERE useridentity.type = 'IAMUser' LIMIT 1", _one("ada")),
    ("SELECT coalesce(useridentity.username, useridentity.sessioncontext.sessionissuer.username, useridentity.type) AS who, count(*) FROM cloudtrail_logs GROUP BY 1 ORDER BY 1",
     _many([("Root", 1), ("ada", 2), ("deployer", 2)])),
    ("SELECT transform(resources, r -> r.type) FROM cloudtrail_logs WHERE cardinality(resources) = 2", _one("[AWS::S3::Object, AWS::S3::Bucket]")),
    ("SELECT any_match(resources, r -> r.type = 'AWS::S3::Bucket') AS b, count(*) FROM cloudtrail_logs GROUP BY 1 ORDER BY 1", _many([(False, 4), (True, 1)])),
    ("SELECT typeof(requestparameters), typeof(from_iso8601_timestamp(eventtime)) FROM cloudtrail_logs LIMIT 1", _one("varchar", "timestamp(3) with time zone")),
    ("WITH failed AS (SELECT eventsource, count(*) AS n FROM cloudtrail_logs WHERE errorcode IS NOT NULL GROUP BY 1) SELECT * FROM failed ORDER BY eventsource", _many([("ec2.amazonaws.com", 1), ("s3.amazonaws.com", 1)])),
]  # fmt: skip

_TIME = "parse_datetime(time, 'yyyy-MM-dd''T''HH:mm:ss.SSSSSS''Z')"
ALB: list[tuple[str, Answer]] = [
    ("SELECT COUNT(request_verb) AS count, request_verb, client_ip FROM alb_access_logs GROUP BY request_verb, client_ip ORDER BY 3, 2 LIMIT 100",
     _many([(1, "GET", "192.0.2.1"), (1, "POST", "192.0.2.1"), (1, "GET", "192.0.2.9"), (1, "GET", "198.51.100.7")])),
    ("SELECT request_url FROM alb_access_logs WHERE user_agent LIKE '%Safari%' ORDER BY 1 LIMIT 10", _many([("http://shop.example:80/pay",), ("https://www.example:443/",)])),
    ("SELECT elb_status_code, target_status_code, target_ip, target_port FROM alb_access_logs WHERE elb_status_code >= 500 ORDER BY 1", _many([(502, "-", "10.0.0.2", 80), (503, "-", None, None)])),
    (f"SELECT client_ip, sum(received_bytes) FROM alb_access_logs WHERE {_TIME} BETWEEN parse_datetime('2026-01-02-03:04:00','yyyy-MM-dd-HH:mm:ss') AND parse_datetime('2026-01-02-03:05:00','yyyy-MM-dd-HH:mm:ss') GROUP BY client_ip ORDER BY 1",
     _many([("192.0.2.1", 74), ("198.51.100.7", 5)])),
    (f"SELECT date_trunc('minute', {_TIME}) AS m, count(*) FROM alb_access_logs GROUP BY 1 ORDER BY m",
     _many([("2026-01-02 03:04:00.000 UTC", 2), ("2026-01-02 03:05:00.000 UTC", 1), ("2026-01-03 00:00:00.000 UTC", 1)])),
    (f"SELECT date_diff('second', min({_TIME}), max({_TIME})), date_diff('day', min({_TIME}), max({_TIME})) FROM alb_access_logs", _one(75355, 0)),
    ("SELECT date_diff('millisecond', from_iso8601_timestamp('2026-01-02T03:04:05.186Z'), from_iso8601_timestamp('2026-01-02T03:04:05.999Z'))", _one(813)),
    ("SELECT url_extract_host(request_url) AS h, count(*) FROM alb_access_logs GROUP BY 1 ORDER BY 1", _many([("shop.example", 3), ("www.example", 1)])),
    ("SELECT url_extract_path(request_url), url_extract_parameter(request_url, 'x'), url_extract_query(request_url) FROM alb_access_logs WHERE elb_status_code = 200 ORDER BY 1",
     _many([("/", None, None), ("/cart", "a b", "id=7&x=a%20b")])),
    ("SELECT split(url_extract_path(request_url), '/')[2] AS first, count(*) FROM alb_access_logs GROUP BY 1 ORDER BY 1", _many([("", 1), ("cart", 2), ("pay", 1)])),
    ("SELECT sum(target_processing_time), max(target_processing_time) FROM alb_access_logs WHERE target_processing_time >= 0", _one(2.25, 1.5)),
    ("SELECT target_ip, count(*) AS n, avg(target_processing_time) FROM alb_access_logs WHERE target_ip IS NOT NULL GROUP BY 1 ORDER BY 1", _many([("10.0.0.1", 2, 0.375), ("10.0.0.2", 1, 1.5)])),
    ("SELECT elb_status_code / 100 AS class, count(*) FROM alb_access_logs GROUP BY 1 ORDER BY 1", _many([(2, 2), (5, 2)])),
    ("SELECT histogram(elb_status_code / 100)[5] FROM alb_access_logs", _one(2)),
    ("SELECT map_agg(ssl_protocol, type)['TLSv1.2'] FROM alb_access_logs", _one("https")),
    ("SELECT array_union(ARRAY['z'], array_agg(type ORDER BY time)) FROM alb_access_logs", _one("[z, https, http, h2]")),
    ("SELECT array_position(array_agg(type ORDER BY time), 'h2'), array_position(array_agg(type), 'ws') FROM alb_access_logs", _one(3, 0)),
    ("SELECT reduce(array_agg(received_bytes), 0, (s, x) -> s + x, s -> s * 10) FROM alb_access_logs", _one(910)),
    ("SELECT substr(trace_id, 6, 1), substr(trace_id, 0), substr(trace_id, -4) FROM alb_access_logs WHERE elb_status_code = 502", _one("1", "", "36d3")),
]  # fmt: skip

# An expression, and its value by Trino's documentation.
EXPRESSIONS: dict[str, str | None] = {
    "date_diff('day', TIMESTAMP '2026-01-01 23:00:00', TIMESTAMP '2026-01-02 22:59:59')": "0",
    "date_diff('day', TIMESTAMP '2026-01-02 22:59:59', TIMESTAMP '2026-01-01 23:00:00')": "0",
    "date_diff('second', TIMESTAMP '2020-03-01 00:00:00', TIMESTAMP '2020-03-02 00:00:00')": "86400",
    "date_diff('hour', TIMESTAMP '2020-03-01 00:00:00 UTC', TIMESTAMP '2020-03-02 00:00:00 UTC')": "24",
    "date_diff('day', DATE '2020-03-01', DATE '2020-03-02')": "1",
    "date_diff('month', DATE '2026-01-31', DATE '2026-02-27')": "0",
    "date_diff('year', DATE '2024-03-01', DATE '2026-02-28')": "1",
    "date_diff('week', DATE '2026-01-04', DATE '2026-01-10')": "0",
    "date_diff('quarter', DATE '2026-01-15', DATE '2026-07-14')": "1",
    "date_trunc('quarter', DATE '2026-05-04')": "2026-04-01",
    "date_trunc('year', TIMESTAMP '2001-08-22 03:04:05.321')": "2001-01-01 00:00:00.000",
    "date_add('second', 86, TIMESTAMP '2020-03-01 00:00:00')": "2020-03-01 00:01:26.000",
    "date_add('month', -1, TIMESTAMP '2020-03-01 00:00:00 UTC')": "2020-02-01 00:00:00.000 UTC",
    "DATE '2026-01-31' + INTERVAL '1' MONTH": "2026-02-28",
    "TIMESTAMP '2012-10-31 01:00 UTC' AT TIME ZONE 'America/Los_Angeles'": "2012-10-30 18:00:00.000 America/Los_Angeles",
    "at_timezone(TIMESTAMP '2012-10-31 01:00:00 UTC', '+05:30')": "2012-10-31 06:30:00.000 +05:30",
    "with_timezone(TIMESTAMP '2026-07-01 12:00:00', 'Europe/Paris') = TIMESTAMP '2026-07-01 10:00:00 UTC'": "true",
    "cast(TIMESTAMP '2012-10-31 01:00:00 UTC' AT TIME ZONE 'Asia/Tokyo' AS varchar)": "2012-10-31 10:00:00.000 Asia/Tokyo",
    "TIMESTAMP '2026-01-01 12:00:00 America/New_York' > TIMESTAMP '2026-01-01 16:59:59 UTC'": "true",
    "sequence(5, 1)": "[5, 4, 3, 2, 1]",
    "sequence(1, 10, 4)": "[1, 5, 9]",
    "sequence(DATE '2026-01-30', DATE '2026-02-01')": "[2026-01-30, 2026-01-31, 2026-02-01]",
    "sequence(DATE '2026-02-01', DATE '2026-01-30')": "[2026-02-01, 2026-01-31, 2026-01-30]",
    "sequence(TIMESTAMP '2026-01-01 00:00:00', TIMESTAMP '2026-01-01 01:00:00', INTERVAL '30' MINUTE)": "[2026-01-01 00:00:00.000, 2026-01-01 00:30:00.000, 2026-01-01 01:00:00.000]",
    "slice(ARRAY[1, 2, 3, 4], 2, 2)": "[2, 3]",
    "slice(ARRAY[1, 2, 3, 4], -3, 2)": "[2, 3]",
    "slice(ARRAY[1, 2], 3, 1)": "[]",
    "slice(ARRAY[1, 2, 3], 2, 0)": "[]",
    "array_distinct(ARRAY['b', 'a', NULL, 'b', NULL])": "[b, a, null]",
    "array_except(ARRAY[3, 1, 3, 2], ARRAY[1])": "[3, 2]",
    "array_intersect(ARRAY[3, 1], ARRAY[1, 3, 5])": "[3, 1]",
    "format('%s%%', 123)": "123%",
    "format('%.3f', 3.14159e0)": "3.142",
    "format('%03d', 8)": "008",
    "format('%,.2f', 1234567.89e0)": "1,234,567.89",
    "format('%-7s,%7s', 'hello', 'world')": "hello  ,  world",
    "format('%x %X %b %S', 255, 255, true, 'a')": "ff FF true A",
    "ARRAY[10, 20][2]": "20",
    "element_at(ARRAY[10, 20], 3)": None,
    "element_at(ARRAY[10, 20], -1)": "20",
    "element_at(MAP(ARRAY['a'], ARRAY[1]), 'b')": None,
    "MAP(ARRAY['a'], ARRAY[1])['a']": "1",
    "MAP(ARRAY[7], ARRAY['x'])[7]": "x",
    "cast(ROW(1, ROW(2.5e0)) AS ROW(a integer, b ROW(c double))).b.c": "2.5",
    "concat('a', NULL)": None,
    "substr('abc', 0)": "",
    "split('a,b,c', ',', 2)": "[a, b,c]",
    "last_day_of_month(DATE '2026-02-01')": "2026-02-28",
    "millisecond(TIMESTAMP '2026-01-01 00:00:05.678')": "678",
    "date_format(TIMESTAMP '2026-01-02 15:04:05', '%h:%i %p, %W %e %M %y')": "03:04 PM, Friday 2 January 26",
    "to_iso8601(TIMESTAMP '2026-01-02 03:04:05.678')": "2026-01-02T03:04:05.678",
    "json_array_get('[\"a\", 1]', 1)": "1",
    'json_size(\'{"x": {"a": 1, "b": 2}}\', \'$.x\')': "2",
    "regexp_position('a1b2', '\\d')": "2",
    "cardinality(MAP(ARRAY['a', 'b'], ARRAY[1, 2]))": "2",
    "1.0 / 3": "0.3",
    "100.0 * 2 / 3": "66.7",
    "7 / 2.00": "3.50",
    "-7 / 2": "-3",
    "1e0 / 4": "0.25",
    "cast(1e20 AS varchar)": "1.0E20",
    "cast(37.7e0 AS varchar)": "3.77E1",
    "cast(0.00015e0 AS varchar)": "1.5E-4",
    "cast(-12345678.9e0 AS varchar)": "-1.23456789E7",
    "cast(0e0 AS varchar)": "0E0",
    "cast(-1e0 / 0 AS varchar)": "-Infinity",
    "cast(0e0 / 0 AS varchar)": "NaN",
    "cast(cast(17.1 AS real) AS varchar)": "1.71E1",
    "cast(1.50 AS varchar)": "1.50",
    "cast(true AS varchar)": "true",
    "cast('abcdef' AS varchar(3))": "abc",
    "cast(12e2 AS varchar(5))": "1.2E3",
    "try_cast(12e2 AS varchar(4))": None,
    "cast(DATE '2026-01-02' AS varchar(10))": "2026-01-02",
    "cast(TIMESTAMP '2026-01-02 03:04:05.120' AS varchar(30))": "2026-01-02 03:04:05.120",
    "format('%s', 1.5e0)": "1.5",
    "DECIMAL '0.12345'": "0.12345",
    "DECIMAL '-.5' / DECIMAL '4'": "-0.1",
    "DECIMAL '10' / DECIMAL '4'": "3",
    "typeof(DECIMAL '0000012345.1234500000')": "decimal(20,10)",
    "cast(2.55 AS decimal)": "3",
    "extract(dow FROM DATE '2024-01-07')": "7",
    "extract(DAY_OF_WEEK FROM TIMESTAMP '2024-01-07 23:00:00 UTC' AT TIME ZONE 'Asia/Tokyo')": "1",
    "extract(YEAR_OF_WEEK FROM DATE '2024-12-30')": "2025",
    "yow(TIMESTAMP '2024-12-29 23:00:00 UTC' AT TIME ZONE 'Asia/Tokyo')": "2025",
    "extract(YOW FROM DATE '2024-12-30')": "2025",
    "extract(doy FROM DATE '2024-12-31')": "366",
    "extract(DAY_OF_MONTH FROM DATE '2024-12-31')": "31",
    "url_encode('a b~*é/')": "a+b%7E*%C3%A9%2F",
    "url_decode('a+b%2B')": "a b+",
    "url_decode(url_encode('%20 + é%2A*~'))": "%20 + é%2A*~",
    "url_extract_parameter('http://x/?q=a+b', 'q')": "a b",
    "regexp_extract('abc', '(x)?abc', 1)": None,
    "regexp_extract('abc', '(x*)abc', 1)": "",
    "regexp_extract('abc', 'z')": None,
    "contains(ARRAY[1, NULL], 2)": None,
    "contains(ARRAY[1, NULL], 1)": "true",
    "contains(ARRAY[1], 2)": "false",
    "array_max(ARRAY[1, NULL])": None,
    "array_min(ARRAY[1, NULL])": None,
    "array_max(ARRAY[1, 3, 2])": "3",
    "array_min(ARRAY['b', 'a'])": "a",
    "arrays_overlap(ARRAY[1, NULL], ARRAY[2])": None,
    "arrays_overlap(ARRAY[1, NULL], ARRAY[1])": "true",
    "arrays_overlap(ARRAY[1], ARRAY[2])": "false",
    "cast(1 AS double) / 0": "Infinity",
    "-1e0 / 0": "-Infinity",
    "0e0 / 0": "NaN",
    "cast(0.05 AS real) / cast(0.1 AS real)": "0.5",
    "1.0 / NULL": None,
    "try(1.0 / 0)": None,
    "cast(json_extract('{\"a\": \"x\"}', '$.a') AS varchar)": "x",
    "cast(json_extract('{\"a\": null}', '$.a') AS varchar)": None,
    "try_cast(json_extract('{\"a\": [1]}', '$.a') AS varchar)": None,
    "json_extract_scalar('{\"a\": [1]}', '$.a')": None,
    "try(ARRAY[1][2])": None,
    "coalesce(try(split('a,b', ',')[3]), 'none')": "none",
    "try(cast('x' AS integer))": None,
    "try(1 / 0)": None,
    "try(sequence(1, 20000))": None,
    "cast(TIMESTAMP '2026-01-02 03:04:05.120' AS varchar)": "2026-01-02 03:04:05.120",
    "cast(date_parse('2026', '%Y') AS varchar)": "2026-01-01 00:00:00.000",
    "TIMESTAMP '2026-01-02 03:00:00' - TIMESTAMP '2026-01-01 00:00:00'": "1 03:00:00.000",
    "regexp_extract('a1b2', '(?<letter>b)(?<number>\\d)', 2)": "2",
}

# A statement, and how its refusal begins.
REFUSED = {
    "SELECT ARRAY[1, 2][3]": "INVALID_FUNCTION_ARGUMENT: Array subscript must be less than or equal to array length: 3 > 2",
    "SELECT ARRAY[1, 2][0]": "INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1",
    "SELECT ARRAY[1, 2][-1]": "INVALID_FUNCTION_ARGUMENT: Array subscript is negative: -1",
    "SELECT element_at(ARRAY[1], 0)": "INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1",
    "SELECT MAP(ARRAY['a'], ARRAY[1])['b']": "INVALID_FUNCTION_ARGUMENT: Key not present in map: b",
    "SELECT split(uri, '/')[9] FROM cloudfront_logs": "INVALID_FUNCTION_ARGUMENT: Array subscript must be less than",
    "SELECT slice(ARRAY[1], 0, 1)": "INVALID_FUNCTION_ARGUMENT: SQL array indices start at 1",
    "SELECT slice(ARRAY[1], 1, -1)": "INVALID_FUNCTION_ARGUMENT: length must be greater than or equal to 0",
    "SELECT sequence(1, 10001)": "INVALID_FUNCTION_ARGUMENT: result of sequence function must not have more than 10000",
    "SELECT sequence(1, 5, -1)": "INVALID_FUNCTION_ARGUMENT: sequence stop value should be greater than or equal to",
    "SELECT sequence(1, 5, 0)": "INVALID_FUNCTION_ARGUMENT: step must not be zero",
    "SELECT date_trunc('decade', DATE '2026-01-01')": "INVALID_FUNCTION_ARGUMENT: 'decade' is not a valid",
    "SELECT date_trunc('day', '2026-01-01')": "FUNCTION_NOT_FOUND: line 1:8: Unexpected parameters",
    "SELECT now() AT TIME ZONE 'Mars/Base'": "INVALID_FUNCTION_ARGUMENT: 'Mars/Base' is not a valid time-zone ID",
    "SELECT extract(epoch FROM DATE '2026-01-01')": "SYNTAX_ERROR: Invalid EXTRACT field: epoch",
    "SELECT cast(12345 AS varchar(3))": "INVALID_CAST_ARGUMENT: Value 12345 cannot be represented as varchar(3)",
    "SELECT timezone_hour(now() AT TIME ZONE 'Asia/Tokyo')": "NOT_SUPPORTED: ",
    "SELECT extract(TIMEZONE_MINUTE FROM now())": "NOT_SUPPORTED: ",
    "SELECT 1 / 0": "DIVISION_BY_ZERO: Division by zero",
    "SELECT 1.0 / 0": "DIVISION_BY_ZERO: Division by zero",
    "SELECT cast('12345678901234567890123456789012345678' AS decimal(38, 0)) / 0.1": "NUMERIC_VALUE_OUT_OF_RANGE: ",
    "SELECT cast('123456789012345678901234567.5' AS decimal(38, 1)) / 0.000001": "NUMERIC_VALUE_OUT_OF_RANGE: ",
    "SELECT cast(json_parse('[1]') AS varchar)": "INVALID_CAST_ARGUMENT: Cannot cast to varchar. [1]",
    "SELECT array_sort(ARRAY[1, 2], (a, b) -> b - a)": "NOT_SUPPORTED: ",
    "SELECT uri FROM cloudfront_logs ORDER BY 1 FETCH FIRST 1 ROW WITH TIES": "NOT_SUPPORTED: ",
    "SELECT cast('x' AS integer)": "INVALID_CAST_ARGUMENT: Cannot cast 'x' to INT",
    "SELECT cast('x' AS date)": "INVALID_CAST_ARGUMENT: Value cannot be cast to date: x",
    "SELECT cast(300 AS tinyint)": "NUMERIC_VALUE_OUT_OF_RANGE: ",
    "SELECT 9223372036854775807 + 1": "NUMERIC_VALUE_OUT_OF_RANGE: ",
    "SELECT nope FROM cloudfront_logs": "COLUMN_NOT_FOUND: line 1:8: Column 'nope' cannot be resolved or requester is not",
    "SELECT uri\nFROM cloudfront_logs\nWHERE nope = 1": "COLUMN_NOT_FOUND: line 3:7: Column 'nope' cannot be resolved",
    "SELECT useridentity.nope FROM cloudtrail_logs": "COLUMN_NOT_FOUND: line 1:8: Column 'useridentity.nope' cannot be resolved",
    "SELECT c.nope FROM cloudtrail_logs c": "COLUMN_NOT_FOUND: line 1:8: Column 'c.nope' cannot be resolved",
    "SELECT 1, x.uri FROM cloudfront_logs": "COLUMN_NOT_FOUND: line 1:11: Column 'x.uri' cannot be resolved",
    'SELECT uri, "no pe" FROM cloudfront_logs': "COLUMN_NOT_FOUND: line 1:14: Column 'no pe' cannot be resolved",
    "SELECT uri, count(*) FROM cloudfront_logs": "EXPRESSION_NOT_AGGREGATE: line 1:8: 'uri' must be an aggregate",
    "SELECT uri FROM cloudfront_logs WHERE count(*) > 1": "EXPRESSION_NOT_SCALAR: ",
    "SELECT a.uri FROM cloudfront_logs a JOIN cloudfront_logs b ON uri = ''": "AMBIGUOUS_NAME: line 1:10: Column 'uri'",
    "SELECT nope(uri) FROM cloudfront_logs": "FUNCTION_NOT_FOUND: line 1:8: Function 'nope' not registered",
    "SELECT lower(status) FROM cloudfront_logs": "FUNCTION_NOT_FOUND: line 1:8: Unexpected parameters (integer)",
    "SELECT (SELECT uri FROM cloudfront_logs)": "SUBQUERY_MULTIPLE_ROWS: Scalar sub-query has returned multiple rows",
    "SELECT uri FROM cloudfront_logs UNION ALL SELECT 1, 2": "TYPE_MISMATCH: ",
    "SELECT * FROM `cloudfront_logs`": "SYNTAX_ERROR: line 1:15: backquoted identifiers are not supported",
    "SELECT uri FROM cloudfront_logs LIMIT": "SYNTAX_ERROR: line 1:",
    "SELECT * FROM nowhere": "TABLE_NOT_FOUND: ",
    "SELECT regexp_like('a', '(')": "INVALID_FUNCTION_ARGUMENT: ",
    "SELECT date_parse('x', '%Y')": "INVALID_FUNCTION_ARGUMENT: Invalid format: \"x\"",
    'CREATE EXTERNAL TABLE "x" (a string) LOCATION \'s3://b/x/\'': "FAILED: ParseException line 1:22 cannot recognize input near '\"x\"'",
    'DROP TABLE "cloudfront_logs"': "FAILED: ParseException line 1:11 cannot recognize input near '\"cloudfront_logs\"'",
    'ALTER TABLE vpc_flow_logs DROP PARTITION ("date" = \'2026-01-01\')': "FAILED: ParseException line 1:42 cannot recognize",
    'DESCRIBE "cloudfront_logs"': "FAILED: ParseException line 1:9 cannot recognize input near",
    "CREATE EXTERNAL TABLE cloudfront_logs (a string) LOCATION 's3://b/x/'": "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. AlreadyExistsException",
    "CREATE EXTERNAL TABLE x (a string LOCATION 's3://b/x/'": "FAILED: ParseException",
    "DROP TABLE nowhere": "FAILED: SemanticException [Error 10001]: Table not found nowhere",
}  # fmt: skip


@pytest.mark.parametrize("kind", ["CLOUDFRONT", "VPC", "CLOUDTRAIL", "ALB"])
def test_statements_about_logs(logs: Lake, kind: str) -> None:
    statements: list[tuple[str, Answer]] = globals()[kind]
    found = [(sql, logs.rows(sql)) for sql, _ in statements]
    assert [each for each, known in zip(found, statements, strict=True) if each != known] == []


def test_expressions_by_trinos_documentation(lake: Lake) -> None:
    found = {expression: lake.value(expression) for expression in EXPRESSIONS}
    assert {each: value for each, value in found.items() if value != EXPRESSIONS[each]} == {}


def test_refusals_have_athenas_names(logs: Lake) -> None:
    found = {sql: logs.failure(sql) for sql in REFUSED}
    assert {sql: reason for sql, reason in found.items() if not reason.startswith(REFUSED[sql])} == {}


def test_there_are_many_of_each_kind() -> None:
    assert len(CLOUDFRONT) + len(VPC) + len(CLOUDTRAIL) + len(ALB) > 100
    assert len(EXPRESSIONS) + len(REFUSED) > 90


def test_values_have_a_header_and_athenas_names(lake: Lake) -> None:
    """The first row of a query's results is its header, of VALUES as of SELECT."""
    for sql, columns, rows in (
        ("VALUES (1, 'a'), (2, 'b')", ["_col0", "_col1"], [["1", "a"], ["2", "b"]]),
        ("(VALUES 1)", ["_col0"], [["1"]]),
        ("SELECT * FROM (VALUES (1, 'a'))", ["_col0", "_col1"], [["1", "a"]]),
        ("SELECT * FROM (SELECT 1, 2 AS b)", ["_col0", "b"], [["1", "2"]]),
        ("SELECT t.x FROM (VALUES 1, 2) AS t(x) WHERE x IN (VALUES 2, 3)", ["x"], [["2"]]),
    ):
        execution = lake.start(sql)
        assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
        assert execution["StatementType"] == "DML"
        assert execution["ResultConfiguration"]["OutputLocation"].endswith(".csv")
        answer = lake.cloud.client("athena").get_query_results(QueryExecutionId=execution["QueryExecutionId"])
        shown = [[datum["VarCharValue"] for datum in row["Data"]] for row in answer["ResultSet"]["Rows"]]
        assert shown == [columns, *rows]


def _joda_months(start: dt.datetime, end: dt.datetime) -> int:
    """Count complete months as Joda, which Trino uses: the last day of a shorter month completes one."""
    if end < start:
        return -_joda_months(end, start)
    months = (end.year - start.year) * 12 + end.month - start.month
    last = (end.replace(day=28) + dt.timedelta(4)).replace(day=1) - dt.timedelta(1)
    day = min(start.day, end.day) if end.day == last.day else start.day
    rest = (end.day, end.time()) < (day, start.time())
    return months - rest


def _joda_years(start: dt.datetime, end: dt.datetime) -> int:
    """Count complete years as Joda: what is since New Year is compared, a leap day aside if one year has it."""
    if end < start:
        return -_joda_years(end, start)
    rest_of_start, rest_of_end = (
        moment - moment.replace(month=1, day=1, hour=0, minute=0, second=0) for moment in (start, end)
    )
    leap_day, day = dt.timedelta(59), dt.timedelta(1)
    if rest_of_start >= leap_day:
        if isleap(start.year) and not isleap(end.year):
            rest_of_start -= day
        elif not isleap(start.year) and isleap(end.year) and rest_of_end >= leap_day:
            rest_of_end -= day
    return end.year - start.year - (rest_of_end < rest_of_start)


UNITS: dict[str, Callable[[dt.datetime, dt.datetime], int]] = {
    "millisecond": lambda a, b: int((b - a) / dt.timedelta(milliseconds=1)),
    "second": lambda a, b: int((b - a) / dt.timedelta(seconds=1)),
    "minute": lambda a, b: int((b - a) / dt.timedelta(minutes=1)),
    "hour": lambda a, b: int((b - a) / dt.timedelta(hours=1)),
    "day": lambda a, b: int((b - a) / dt.timedelta(days=1)),
    "week": lambda a, b: int((b - a) / dt.timedelta(weeks=1)),
    "month": _joda_months,
    "quarter": lambda a, b: int(_joda_months(a, b) / 3),
    "year": _joda_years,
}


def test_date_diff_counts_complete_units(lake: Lake) -> None:
    """Every pair of moments around the ends of months, leap days and midnights, in one query."""
    days = ["2023-12-31", "2024-01-31", "2024-02-28", "2024-02-29", "2024-03-01"]
    days += ["2024-03-31", "2024-04-30", "2025-02-28", "2025-03-01", "2025-12-31", "2028-02-29"]
    moments = [
        dt.datetime.fromisoformat(f"{day} {time}") for day in days for time in ("00:00:00", "12:30:15")
    ]
    values = ", ".join(f"TIMESTAMP '{moment}'" for moment in moments)
    counts = ", ".join(f"date_diff('{unit}', a, b)" for unit in UNITS)
    found = lake.rows(f"SELECT {counts} FROM (VALUES {values}) t(a), (VALUES {values}) u(b) ORDER BY a, b")
    expected = [tuple(str(count(a, b)) for count in UNITS.values()) for a in moments for b in moments]
    pairs = [(a, b) for a in moments for b in moments]
    assert [each for each in zip(pairs, found, expected, strict=True) if each[1] != each[2]] == []


def _decimal(value: Decimal) -> str:
    places = max(0, -int(value.as_tuple().exponent))
    return f"CAST('{value:f}' AS DECIMAL(38, {places}))"


def test_decimals_are_divided_exactly(lake: Lake) -> None:
    """By Trino's page on decimals: the larger scale; halves are rounded away from zero, as in Python's decimal."""
    dividends = "12345678901234567.89 99999999999999999.99 0.1234567890123456 -0.05 200 -7 123456789012345678901234567.5"
    divisors = "1.0 1.00 -0.3 3 7.123456789 0.001 98765432109876543"
    context = Context(prec=100, rounding=ROUND_HALF_UP)
    pairs = [(Decimal(a), Decimal(b)) for a in dividends.split() for b in divisors.split()]
    found = lake.rows("SELECT " + ", ".join(f"{_decimal(a)} / {_decimal(b)}" for a, b in pairs))
    expected = [
        context.quantize(
            context.divide(a, b),
            Decimal(1).scaleb(min(int(a.as_tuple().exponent), int(b.as_tuple().exponent))),
        )
        for a, b in pairs
    ]
    assert [f"{context.add(each, 0):f}" for each in expected] == list(found[0])
