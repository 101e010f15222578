# ruff: noqa: S608 - queries name the test's own tables
"""SerDes: what Athena's documentation lists is read by its rules, or refused; anything else is refused.

Rules are those of the pages "Supported SerDes and data formats" of Athena's user guide, and of the readers of
Trino, which Athena's engine is: a line that a pattern does not match is a row of NULLs, a record of CSV is
one line.
"""

from __future__ import annotations

import base64
import bz2
import json

import pytest

from tests.integration.engine.lake import CSV, HIVE_JSON, LAZY, OPENX, Lake

REGEX = "org.apache.hadoop.hive.serde2.RegexSerDe"
GROK = "com.amazonaws.glue.serde.GrokSerDe"
AVRO = "org.apache.hadoop.hive.serde2.avro.AvroSerDe"
CLOUDTRAIL = "com.amazon.emr.hive.serde.CloudTrailSerde"

# Written by fastavro: two records of every type, compressed by deflate.
AVRO_FILE = base64.b64decode(
    "T2JqAQQUYXZyby5jb2RlYw5kZWZsYXRlFmF2cm8uc2NoZW1h+g17InR5cGUiOiAicmVjb3JkIiwgIm5hbWUiOiAiUmVxdWVz"
    "dCIsICJuYW1lc3BhY2UiOiAibG9ncyIsICJmaWVsZHMiOiBbeyJuYW1lIjogIklkIiwgInR5cGUiOiAibG9uZyJ9LCB7Im5h"
    "bWUiOiAibmFtZSIsICJ0eXBlIjogWyJudWxsIiwgInN0cmluZyJdfSwgeyJuYW1lIjogIm9rIiwgInR5cGUiOiAiYm9vbGVh"
    "biJ9LCB7Im5hbWUiOiAic2hhcmUiLCAidHlwZSI6ICJkb3VibGUifSwgeyJuYW1lIjogImRheSIsICJ0eXBlIjogeyJ0eXBl"
    "IjogImludCIsICJsb2dpY2FsVHlwZSI6ICJkYXRlIn19LCB7Im5hbWUiOiAibW9tZW50IiwgInR5cGUiOiB7InR5cGUiOiAi"
    "bG9uZyIsICJsb2dpY2FsVHlwZSI6ICJ0aW1lc3RhbXAtbWlsbGlzIn19LCB7Im5hbWUiOiAicHJpY2UiLCAidHlwZSI6IHsi"
    "dHlwZSI6ICJieXRlcyIsICJsb2dpY2FsVHlwZSI6ICJkZWNpbWFsIiwgInByZWNpc2lvbiI6IDksICJzY2FsZSI6IDJ9fSwg"
    "eyJuYW1lIjogInRhZ3MiLCAidHlwZSI6IHsidHlwZSI6ICJhcnJheSIsICJpdGVtcyI6ICJzdHJpbmcifX0sIHsibmFtZSI6"
    "ICJjb3VudHMiLCAidHlwZSI6IHsidHlwZSI6ICJtYXAiLCAidmFsdWVzIjogImludCJ9fSwgeyJuYW1lIjogImtpbmQiLCAi"
    "dHlwZSI6IHsidHlwZSI6ICJlbnVtIiwgIm5hbWUiOiAiS2luZCIsICJzeW1ib2xzIjogWyJHRVQiLCAiUE9TVCJdfX0sIHsi"
    "bmFtZSI6ICJ2aWV3ZXIiLCAidHlwZSI6IHsidHlwZSI6ICJyZWNvcmQiLCAibmFtZSI6ICJWaWV3ZXIiLCAiZmllbGRzIjog"
    "W3sibmFtZSI6ICJBZGRyZXNzIiwgInR5cGUiOiAic3RyaW5nIn0sIHsibmFtZSI6ICJzY29yZSIsICJ0eXBlIjogWyJudWxs"
    "IiwgImZsb2F0Il19XX19LCB7Im5hbWUiOiAicHJldmlvdXMiLCAidHlwZSI6IFsibnVsbCIsICJWaWV3ZXIiXX1dfQAwMTIz"
    "NDU2Nzg5YWJjZGVmBKABY2ViSmRkAIML9uf2M93Zc+bU+zSW33osTBVMlQxMTHk3WBiYhAwtjfQM9Iz0DJkYGA7YI/iWDA0g"
    "4MDAMKeUocPmifk/xvP8TKwQAwFkAxcwMTIzNDU2Nzg5YWJjZGVm"
)


@pytest.mark.parametrize(
    ("serde", "reason"),
    [
        ("com.example.MadeUpSerDe", "HIVE_UNSUPPORTED_FORMAT: "),
        ("org.apache.hadoop.hive.contrib.serde2.RegexSerDe", "HIVE_UNSUPPORTED_FORMAT: "),
        ("org.apache.hadoop.hive.serde2.lazy.LazySimpleSerde", "HIVE_UNSUPPORTED_FORMAT: "),
        ("org.apache.hadoop.hive.ql.io.orc.OrcSerde", "NOT_SUPPORTED: the local engine does not read"),
        ("com.amazon.ionhiveserde.IonHiveSerDe", "NOT_SUPPORTED: the local engine does not read"),
        ("", "HIVE_INVALID_METADATA: "),
    ],
)
def test_what_cannot_be_read_is_refused(lake: Lake, serde: str, reason: str) -> None:
    lake.table("t", "a string, b string", serde=serde)
    for content in ("", "a,b\n"):  # whether or not there are data
        lake.put("t/x", content)
        assert lake.failure("SELECT * FROM t").startswith(reason)


def test_a_made_up_serde_makes_no_table(lake: Lake) -> None:
    reason = lake.failure(
        f"CREATE EXTERNAL TABLE t (a string) ROW FORMAT SERDE 'com.example.MadeUp' LOCATION 's3://{lake.bucket}/t/'"
    )
    assert reason == (
        "FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. "
        "Cannot validate serde: com.example.MadeUp"
    )
    assert lake.rows("SHOW TABLES") == []


def test_regex_matches_whole_lines(lake: Lake) -> None:
    """Fewer groups than columns are NULLs, as is what is no number; case counts unless told otherwise."""
    pattern = r"^(?!#)(\S+) (\S*) (\d+|-)(?: x=(?<x>[^ ]*))?$"
    columns = "host string, kind string, bytes int, x string, more string"
    lake.table("r", columns, serde=REGEX, serde_parameters={"input.regex": pattern})
    lake.put("r/a", "# head\na GET 12 x=1\na GET - trailing\nb  -\nc POST 7\r\nA get 9 X=2\n")
    assert lake.rows("SELECT * FROM r WHERE host IS NOT NULL ORDER BY host") == [
        ("a", "GET", "12", "1", None),
        ("b", "", None, None, None),
        ("c", "POST", "7", None, None),
    ]
    assert lake.rows("SELECT count(*), count(host) FROM r") == [("6", "3")]
    lake.table("whole", "a string", serde=REGEX, serde_parameters={"input.regex": "(a+)"})
    lake.put("whole/a", "aa\naab\nbaa\n")
    assert sorted(lake.rows("SELECT a FROM whole"), key=str) == [("aa",), (None,), (None,)]
    folded = {"input.regex": pattern, "input.regex.case.insensitive": "true"}
    lake.table(
        "i", columns, serde=REGEX, serde_parameters=folded, location="r", skip__header__line__count="1"
    )
    assert lake.rows("SELECT count(*), count(host), max(x) FROM i") == [("5", "4", "2")]


def test_regex_types_and_compressed_objects(lake: Lake) -> None:
    lake.table(
        "r",
        "n bigint, x double, ok boolean, day date, at timestamp, price decimal(6,2)",
        serde=REGEX,
        serde_parameters={"input.regex": "(.*);(.*);(.*);(.*);(.*);(.*)"},
    )
    lake.put("r/a.bz2", bz2.compress(b"1;2.5;TRUE;2026-01-02;2026-01-02 03:04:05.678;1.235\n"))
    lake.put("r/b.gz", "1.5;x;yes;2026-13-01;now;-\n")
    assert lake.rows("SELECT * FROM r ORDER BY n") == [
        ("1", "2.5", "true", "2026-01-02", "2026-01-02 03:04:05.678", "1.24"),
        (None, None, "false", None, None, None),
    ]


@pytest.mark.parametrize("pattern", ["(a", r"(\p{Nope})"])
def test_a_malformed_pattern_is_refused(lake: Lake, pattern: str) -> None:
    lake.table("r", "a string", serde=REGEX, serde_parameters={"input.regex": pattern})
    lake.put("r/a", "a\n")
    assert lake.failure("SELECT * FROM r").startswith("HIVE_INVALID_METADATA: ")
    lake.table("none", "a string", serde=REGEX, location="r")
    assert 'does not have serde property "input.regex"' in lake.failure("SELECT * FROM none")


def test_grok_reads_named_patterns(lake: Lake) -> None:
    custom = "POSTFIX_QUEUEID [0-9A-F]{7,12}\nCLIENT %{IPORHOST}(?::%{POSINT})?"
    lake.table(
        "mail",
        "moment string, host string, program string, pid int, queue_id string, client string, rest string",
        serde=GROK,
        serde_parameters={
            "input.format": r"^%{SYSLOGTIMESTAMP:moment} %{NOTSPACE:host} %{DATA:program}\[%{POSINT:pid}\]: "
            r"%{POSTFIX_QUEUEID:queue_id}: client=%{CLIENT:client}, (?<rest>.*)$",
            "input.grokCustomPatterns": custom,
        },
    )
    lake.put(
        "mail/a",
        "Feb  9 04:02:00 mail-1 postfix/smtpd[123]: 7E9AB00001: client=192.0.2.7, ok\n"
        "not of this form\n"
        "Dec 31 23:59:60 mx.example.org postfix/smtpd[9]: ABCDEF0: client=relay.example.net:2525, \n",
    )
    assert lake.rows("SELECT * FROM mail ORDER BY pid DESC") == [
        ("Feb  9 04:02:00", "mail-1", "postfix/smtpd", "123", "7E9AB00001", "192.0.2.7", "ok"),
        ("Dec 31 23:59:60", "mx.example.org", "postfix/smtpd", "9", "ABCDEF0", "relay.example.net:2525", ""),
        (None, None, None, None, None, None, None),
    ]


# By pattern: what it matches as a whole, and what it does not.
GROKS: dict[str, tuple[list[str], list[str]]] = {
    "IPV4": (["192.0.2.255", "1.2.3.4"], ["192.0.2.256", "1.2.3"]),
    "IPV6": (["2001:db8::1", "::1", "2001:db8:0:0:0:0:0:1", "::ffff:192.0.2.1"], ["2001:db8", "12345::"]),
    "HOSTNAME": (["a.example.org", "x"], ["-a.example"]),
    "INT": (["-5", "+7", "12"], ["1.5"]),
    "NUMBER": (["1.5", "-3", ".5"], ["x"]),
    "WORD": (["ab_1"], ["a b"]),
    "QS": (['"a \\" b"', "'x'"], ['"open']),
    "UUID": (["0b2f5f1e-1c1a-4c57-9d9d-2f3f6a1b9c00"], ["0b2f5f1e"]),
    "MAC": (["00:1B:44:11:3A:B7"], ["00:1B"]),
    "URIPATHPARAM": (["/a/b.html?x=1&y=%20"], ["a"]),
    "URI": (["https://u@example.org:8443/a?b=c", "s3://bucket/key"], ["/a"]),
    "MONTH": (["Jan", "September"], ["Foo"]),
    "TIMESTAMP_ISO8601": (["2026-01-02T03:04:05.678Z", "2026-01-02 03:04:05+01:00"], ["2026-01-02"]),
    "HTTPDATE": (["02/Jan/2026:03:04:05 +0000"], ["2026-01-02"]),
    "EMAILADDRESS": (["a.b@example.org"], ["example.org"]),
    "LOGLEVEL": (["WARN", "error"], ["x"]),
    "POSINT": (["8080"], ["-1"]),
    "UNIXPATH": (["/var/log/x.log"], ["x"]),
    "COMBINEDAPACHELOG": (
        ['192.0.2.1 - ada [02/Jan/2026:03:04:05 +0000] "GET / HTTP/1.1" 200 12 "https://e.org/" "M/5"'],
        ['192.0.2.1 - ada "GET / HTTP/1.1" 200'],
    ),
}


def test_grok_knows_the_usual_names(lake: Lake) -> None:
    for number, (name, (good, bad)) in enumerate(GROKS.items()):
        table = f"g{number}"
        lake.table(table, "v string", serde=GROK, serde_parameters={"input.format": f"^(?<v>%{{{name}}})$"})
        lake.put(f"{table}/a", "\n".join([*good, *bad]) + "\n")
        found = [value for (value,) in lake.rows(f"SELECT v FROM {table} WHERE v IS NOT NULL")]
        assert (name, sorted(found, key=str)) == (name, sorted(good))


def test_an_unknown_grok_is_refused(lake: Lake) -> None:
    lake.table("g", "v string", serde=GROK, serde_parameters={"input.format": "%{NOPE:v}"})
    lake.put("g/a", "x\n")
    assert "No definition for key 'NOPE' found" in lake.failure("SELECT * FROM g")


# A line, and its fields in three columns.
CSV_LINES = [
    ('a,"b ""c"" d",e', ("a", 'b "c" d', "e")),
    (r'"a\"b",c\\d,"x, y"', ('a"b', r"c\d", "x, y")),
    ("b,b", ("b", "b", None)),
    ("c,,c,d", ("c", "", "c")),
    ('d,"open', ("d", None, None)),
    ("", (None, None, None)),
    ('"","",""', ("", "", "")),
    ("grüß,日本,-", ("grüß", "日本", "-")),
]


def test_csv_has_a_record_a_line(lake: Lake) -> None:
    lake.table("c", "a string, b string, c string", serde=CSV)
    lake.put("c/a.csv", "".join(f"{line}\n" for line, _ in CSV_LINES))
    found = lake.rows("SELECT * FROM c")
    assert sorted(found, key=repr) == sorted((fields for _, fields in CSV_LINES), key=repr)


def test_csv_with_other_characters_and_types(lake: Lake) -> None:
    """Dates are days since 1970, times milliseconds; an empty number is an error."""
    lake.table(
        "c",
        "a string, n int, day date, at timestamp, ok boolean, x double",
        serde=CSV,
        serde_parameters={"separatorChar": "\t", "quoteChar": "'", "escapeChar": "|"},
        skip__header__line__count="1",
    )
    lake.put("c/a", "a\tn\n'x|'\ty'\t1\t20455\t1767323045678\ttrue\t2.5\n")
    assert lake.rows("SELECT * FROM c") == [
        ("x'\ty", "1", "2026-01-02", "2026-01-02 03:04:05.678", "true", "2.5")
    ]
    lake.put("c/b", "a\tn\nz\t\t\t\t\t\n")
    assert lake.failure("SELECT * FROM c").startswith(
        "HIVE_BAD_DATA: Error parsing field value '' for field 1"
    )


def test_delimited_text_with_nested_columns(lake: Lake) -> None:
    lake.table(
        "d",
        "id int, tags array<string>, sizes map<string,int>, at struct<x:int,y:string>",
        serde=LAZY,
        serde_parameters={"field.delim": "|", "collection.delim": ",", "mapkey.delim": ":"},
    )
    lake.put("d/a", "1|a,b|k:1,l:2|7,z\n2||\\N|8\n3\n")
    assert lake.rows("SELECT id, tags, sizes, at.x, at.y FROM d ORDER BY id") == [
        ("1", "[a, b]", "{k=1, l=2}", "7", "z"),
        ("2", "[]", None, "8", None),
        ("3", None, None, None, None),
    ]


def test_delimited_text_with_an_escape_character(lake: Lake) -> None:
    lake.table(
        "e", "a string, b string", serde=LAZY, serde_parameters={"field.delim": ",", "escape.delim": "\\"}
    )
    lake.put("e/a", "x\\,y,z\n\\\\,w\n")
    assert sorted(lake.rows("SELECT * FROM e")) == [("\\", "w"), ("x,y", "z")]


NESTED = {
    "Id": 1,
    "User": {"Name": "ada", "Roles": ["admin", "dev"], "Home": {"Region": "eu", "Zone": {"Number": 3}}},
    "Tags": [{"Key": "a", "Value": "1"}, {"Key": "b"}],
    "Headers": {"Host": "example.org", "X-A": None},
    "raw": {"deep": [1, {"x": True}]},
}
NESTED_COLUMNS = (
    "id bigint, user struct<name:string,roles:array<string>,home:struct<region:string,"
    "zone:struct<number:int>>>, tags array<struct<key:string,value:string>>, "
    "headers map<string,string>, raw string"
)


@pytest.mark.parametrize("serde", [OPENX, HIVE_JSON])
def test_nested_columns_of_json_at_every_depth(lake: Lake, serde: str) -> None:
    lake.table("j", NESTED_COLUMNS, serde=serde)
    lake.put("j/a.json", json.dumps(NESTED) + "\n" + json.dumps({"ID": 2, "user": {"HOME": None}}) + "\n")
    assert lake.rows(
        """
        SELECT id, user.name, user.home.region, user.home.zone.number, j.user.home.zone.number,
               user.roles[2], tags[1].value, tags[2].value, element_at(headers, 'Host'), raw
        FROM j WHERE user.home.zone.number = 3 AND j.user.name LIKE 'a%'
        """
    ) == [("1", "ada", "eu", "3", "3", "dev", "1", None, "example.org", '{"deep":[1,{"x":true}]}')]
    assert lake.rows(
        "SELECT id, user.home.zone.number, user.name FROM j ORDER BY user.home.zone.number, id"
    ) == [
        ("1", "3", "ada"),
        ("2", None, None),
    ]
    assert lake.rows(
        f"SELECT {lake.database}.j.user.home.region AS r, count(*) FROM {lake.database}.j "
        "GROUP BY j.user.home.region ORDER BY r"
    ) == [("eu", "1"), (None, "1")]
    assert lake.rows("SELECT t.key FROM j CROSS JOIN UNNEST(tags) AS u(t) ORDER BY 1") in (
        [("a",), ("b",)],
        [],
    )
    assert lake.failure("SELECT user.home.nowhere FROM j") == (
        "COLUMN_NOT_FOUND: line 1:8: Column 'user.home.nowhere' cannot be resolved or requester is not "
        "authorized to access requested resources"
    )


def test_malformed_json_is_an_error_unless_told_otherwise(lake: Lake) -> None:
    lake.put("j/a.json", '{"id":1}\n{"id":\n')
    for number, columns in enumerate(("id int", "id int, s struct<a:int>")):
        lake.table(f"strict{number}", columns, location="j")
        lake.table(
            f"lenient{number}", columns, location="j", serde_parameters={"ignore.malformed.json": "true"}
        )
        assert lake.failure(f"SELECT * FROM strict{number}").startswith(
            "HIVE_CURSOR_ERROR: Row is not a valid JSON Object"
        )
        assert lake.rows(f"SELECT max(id) FROM lenient{number}") == [("1",)]


TRAIL = {
    "Records": [
        {
            "eventVersion": "1.08",
            "userIdentity": {
                "type": "AssumedRole",
                "sessionContext": {
                    "sessionIssuer": {"userName": "deployer"},
                    "attributes": {"mfaAuthenticated": "false"},
                },
            },
            "eventName": "RunInstances",
            "requestParameters": {"instancesSet": {"items": [{"imageId": "ami-1"}]}},
            "responseElements": None,
            "readOnly": False,
            "resources": [{"ARN": "arn:aws:ec2:::x", "accountId": "1"}],
        },
        {"eventName": "ConsoleLogin", "userIdentity": {"type": "Root"}, "requestParameters": None},
    ]
}
TRAIL_COLUMNS = (
    "eventversion string, useridentity struct<type:string,sessioncontext:struct<attributes:struct<"
    "mfaauthenticated:string>,sessionissuer:struct<username:string>>>, eventname string, "
    "requestparameters string, responseelements string, readonly string, "
    "resources array<struct<arn:string,accountid:string>>"
)


@pytest.mark.parametrize(
    ("serde", "input_format"),
    [
        (CLOUDTRAIL, "com.amazon.emr.cloudtrail.CloudTrailInputFormat"),
        (HIVE_JSON, "com.amazon.emr.cloudtrail.CloudTrailInputFormat"),
        (CLOUDTRAIL, "org.apache.hadoop.mapred.TextInputFormat"),
    ],
)
def test_cloudtrails_records_are_rows(lake: Lake, serde: str, input_format: str) -> None:
    lake.table("trail", TRAIL_COLUMNS, serde=serde, input_format=input_format)
    lake.put("trail/a.json.gz", json.dumps(TRAIL))
    assert lake.rows(
        """
        SELECT eventname, useridentity.type, useridentity.sessioncontext.sessionissuer.username,
               useridentity.sessioncontext.attributes.mfaauthenticated,
               json_extract_scalar(requestparameters, '$.instancesSet.items[0].imageId'),
               responseelements, readonly, resources[1].accountid
        FROM trail WHERE eventname = 'RunInstances'
        """
    ) == [("RunInstances", "AssumedRole", "deployer", "false", "ami-1", None, "false", "1")]
    assert lake.rows("SELECT eventname, resources FROM trail WHERE useridentity.type = 'Root'") == [
        ("ConsoleLogin", None)
    ]


def test_avro_of_every_type(lake: Lake) -> None:
    lake.table(
        "v",
        "id bigint, name string, ok boolean, share double, day date, moment timestamp, price decimal(9,2), "
        "tags array<string>, counts map<string,int>, kind string, viewer struct<address:string,score:float>, "
        "previous struct<address:string,score:float>, missing string",
        serde=AVRO,
    )
    lake.put("v/a.avro", AVRO_FILE)
    assert lake.rows(
        "SELECT id, name, ok, share, day, moment, price, tags, counts, kind, viewer.address, viewer.score, "
        "previous.address, missing FROM v ORDER BY id"
    ) == [
        ("-3", "a", "true", "0.25", "2026-01-02", "2026-01-02 03:04:05.678", "-12.34", "[x, y]", "{n=300}",
         "POST", "192.0.2.1", "1.5", "192.0.2.9", None),
        ("1099511627776", None, "false", "-1.0E300", "1969-12-31", "1969-12-31 23:59:59.000", "0.05", "[]",
         "{}", "GET", "", None, None, None),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "content", [b"Obj", b"PAR1" + b"x" * 50, AVRO_FILE[:-20], AVRO_FILE[:700] + b"x" * 99]
)
def test_damaged_avro_is_an_error(lake: Lake, content: bytes) -> None:
    lake.table("v", "id bigint", serde=AVRO)
    lake.put("v/a.avro", content)
    assert lake.failure("SELECT * FROM v").startswith("HIVE_CURSOR_ERROR: ")


def test_partitions_of_converted_objects(lake: Lake) -> None:
    lake.table("r", "a string", serde=REGEX, serde_parameters={"input.regex": "(.*)"}, partitions="dt string")
    lake.put("r/dt=2026-01-01/x", "one\n")
    lake.put("r/dt=2026-01-02/x", "two\n")
    lake.rows("MSCK REPAIR TABLE r")
    assert lake.rows("SELECT dt, a FROM r WHERE dt > '2026-01-01'") == [("2026-01-02", "two")]
    lake.put("r/dt=2026-01-02/x", "three\n")
    assert lake.rows("SELECT a FROM r ORDER BY a") == [("one",), ("three",)]
