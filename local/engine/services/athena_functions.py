"""Trino's functions in DuckDB: what is named alike and answers otherwise, and what is missing.

Where the answer depends on an argument's type, a macro asks DuckDB for it, which knows the types of columns
and of what is made of them. An argument of a type that the function does not take is refused, as by Trino.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from sqlglot import exp

from local.engine.services.athena_errors import SqlError

__all__ = ["call", "forgive", "macros_of", "rewritten", "strftime"]

_WRONG = "INVALID_FUNCTION_ARGUMENT: "
# The units of Trino's date functions: DuckDB knows further ones.
_DATE_UNITS = ("day", "week", "month", "quarter", "year")
_TIME_UNITS = ("millisecond", "second", "minute", "hour", *_DATE_UNITS)
_LONGEST_SEQUENCE = 10_000


# Trino functions that need the types of their arguments, or that DuckDB lacks.
_MACROS = (
    # Of a key that comes twice, one value is kept.
    "CREATE MACRO map_agg(k, v) AS map(list_sort(list_distinct(list(k))), "
    "list_transform(list_sort(list_distinct(list(k))), lambda each: list(v)[list_position(list(k), each)]))",
    "CREATE MACRO codepoint(s) AS unicode(s)",
    "CREATE MACRO nan() AS 'nan'::DOUBLE",
    "CREATE MACRO infinity() AS 'infinity'::DOUBLE",
    "CREATE MACRO normalize(s) AS nfc_normalize(s)",
    "CREATE MACRO url_extract_host(u) AS nullif(regexp_extract(u, '^[^:/]+://([^/:?#]*)', 1), '')",
    "CREATE MACRO url_extract_path(u) AS regexp_extract(u, '^(?:[^:/]+://[^/?#]*)?([^?#]*)', 1)",
    r"CREATE MACRO url_extract_query(u) AS nullif(regexp_extract(u, '\?([^#]*)', 1), '')",
    # Forms write a space as +.
    "CREATE MACRO trino_url_decode(s) AS url_decode(replace(s, '+', ' '))",
    "CREATE MACRO trino_url_encode(s) AS "
    "replace(replace(replace(url_encode(s), '%20', '+'), '%2A', '*'), '~', '%7E')",
    "CREATE MACRO url_extract_parameter(u, p) AS "
    "nullif(trino_url_decode(regexp_extract(u, '[?&]' || regexp_escape(p) || '=([^&#]*)', 1)), '')",
    # ---- dates and times: DuckDB makes timestamps of dates, Trino dates
    "CREATE MACRO trino_date_trunc(u, x) AS cast_to_type(date_trunc(u, x), x)",
    "CREATE MACRO trino_plus(x, i) AS cast_to_type(x + i, x)",
    """CREATE MACRO trino_to_iso8601(x) AS CASE typeof(x) WHEN 'DATE' THEN strftime(x, '%Y-%m-%d')
      WHEN 'TIMESTAMP WITH TIME ZONE' THEN strftime(x, '%Y-%m-%dT%H:%M:%S.%gZ')
      ELSE strftime(x, '%Y-%m-%dT%H:%M:%S.%g') END""",
    # Of numbers, how many there would be: so many must not even be made.
    "CREATE MACRO trino_number(k) AS TRY_CAST(CAST(k AS VARCHAR) AS BIGINT)",
    "CREATE MACRO trino_count(a, b, step) AS "
    "coalesce(trino_number(b - a) // nullif(trino_number(step), 0) + 1, 0)",
    f"CREATE MACRO trino_series(a, b, step) AS generate_series("
    f"a, CASE WHEN trino_count(a, b, step) > {_LONGEST_SEQUENCE} THEN a ELSE b END, step)",
    f"""CREATE MACRO trino_steps(a, b, step) AS CASE
      WHEN step = step - step THEN error('{_WRONG}step must not be zero')
      WHEN (step > step - step AND a > b) OR (step < step - step AND a < b) THEN
        error('{_WRONG}sequence stop value should be greater than or equal to start value if step is greater '
          'than zero otherwise stop should be less than or equal to start')
      WHEN trino_count(a, b, step) > {_LONGEST_SEQUENCE}
        OR len(trino_series(a, b, step)) > {_LONGEST_SEQUENCE} THEN
        error('{_WRONG}result of sequence function must not have more than {_LONGEST_SEQUENCE} entries')
      ELSE cast_to_type(CAST(trino_series(a, b, step) AS VARCHAR[]), [a]) END""",
    # The step, 1 or a day, is as little known as the type is when this is read: both are tried.
    """CREATE MACRO trino_sequence(a, b) AS cast_to_type(CASE WHEN typeof(a) = 'DATE'
      THEN CAST(trino_steps(TRY_CAST(CAST(a AS VARCHAR) AS DATE), TRY_CAST(CAST(b AS VARCHAR) AS DATE),
        CASE WHEN a <= b THEN INTERVAL '1' DAY ELSE INTERVAL '-1' DAY END) AS VARCHAR[])
      ELSE CAST(trino_steps(TRY_CAST(CAST(a AS VARCHAR) AS BIGINT), TRY_CAST(CAST(b AS VARCHAR) AS BIGINT),
        CASE WHEN a <= b THEN 1::BIGINT ELSE -1::BIGINT END) AS VARCHAR[]) END, [a])""",
    # ---- arrays and maps
    f"""CREATE MACRO trino_subscript(x, k) AS CASE
      WHEN x IS NULL THEN x[k]
      WHEN starts_with(typeof(x), 'MAP(') THEN CASE
        WHEN x[k] IS NOT NULL OR list_contains(json_keys(to_json(x)), CAST(k AS VARCHAR)) THEN x[k]
        ELSE error('{_WRONG}Key not present in map: ' || k) END
      WHEN typeof(x) = 'VARCHAR' THEN error('TYPE_MISMATCH: Cannot subscript a value of type varchar')
      WHEN trino_number(k) = 0 THEN error('{_WRONG}SQL array indices start at 1')
      WHEN trino_number(k) < 0 THEN error('{_WRONG}Array subscript is negative: ' || k)
      WHEN x[k] IS NULL AND trino_number(k) > json_array_length(to_json(x)) THEN
        error('{_WRONG}Array subscript must be less than or equal to array length: ' || k || ' > '
          || json_array_length(to_json(x)))
      ELSE x[k] END""",
    f"""CREATE MACRO trino_element_at(x, k) AS CASE
      WHEN trino_number(k) = 0 AND NOT starts_with(typeof(x), 'MAP(') THEN
        error('{_WRONG}SQL array indices start at 1')
      ELSE x[k] END""",
    f"""CREATE MACRO trino_slice(x, s, l) AS CASE
      WHEN l < 0 THEN error('{_WRONG}length must be greater than or equal to 0')
      WHEN s = 0 THEN error('{_WRONG}SQL array indices start at 1')
      WHEN s > 0 THEN list_slice(x, s, s + l - 1)
      WHEN len(x) + s < 0 THEN list_slice(x, 1, 0)
      ELSE list_slice(x, len(x) + s + 1, len(x) + s + l) END""",
    "CREATE MACRO trino_distinct(x) AS list_filter(x, lambda e, i: list_position(x, e) = i)",
    "CREATE MACRO array_union(a, b) AS trino_distinct(list_concat(a, b))",
    "CREATE MACRO trino_intersect(a, b) AS "
    "list_filter(trino_distinct(a), lambda e: list_position(b, e) IS NOT NULL)",
    "CREATE MACRO trino_except(a, b) AS "
    "list_filter(trino_distinct(a), lambda e: list_position(b, e) IS NULL)",
    # What is not found may be what a NULL stands for.
    "CREATE MACRO trino_unknown(x) AS CASE WHEN list_count(x) < len(x) THEN NULL ELSE false END",
    "CREATE MACRO trino_contains(x, e) AS list_contains(x, e) OR trino_unknown(x)",
    "CREATE MACRO arrays_overlap(a, b) AS list_has_any(a, b) OR trino_unknown(a) OR trino_unknown(b)",
    "CREATE MACRO array_max(x) AS CASE WHEN list_count(x) = len(x) THEN list_max(x) END",
    "CREATE MACRO array_min(x) AS CASE WHEN list_count(x) = len(x) THEN list_min(x) END",
    """CREATE MACRO trino_cardinality(x) AS CASE WHEN starts_with(typeof(x), 'MAP(')
      THEN len(json_keys(to_json(x))) ELSE json_array_length(to_json(x)) END""",
    "CREATE MACRO trino_position(x, e) AS CASE WHEN x IS NOT NULL AND e IS NOT NULL "
    "THEN coalesce(list_position(x, e), 0) END",
    "CREATE MACRO trino_any(x) AS CASE WHEN len(x) = 0 THEN false ELSE list_bool_or(x) END",
    "CREATE MACRO trino_all(x) AS CASE WHEN len(x) = 0 THEN true ELSE list_bool_and(x) END",
    """CREATE MACRO multimap_agg(k, v) AS map(
      list_sort(list_distinct(list(k))),
      list_transform(list_sort(list_distinct(list(k))), lambda each: list_transform(
        list_filter(list_zip(list(k), list(v)), lambda pair: pair[1] = each), lambda pair: pair[2])))""",
    # ---- text and JSON
    """CREATE MACRO trino_substr(s, a) AS CASE WHEN a = 0 OR -a > length(s) THEN '' ELSE substr(s, a) END,
    (s, a, l) AS CASE WHEN a = 0 OR -a > length(s) OR l <= 0 THEN '' ELSE substr(s, a, l) END""",
    f"""CREATE MACRO trino_split(s, d, n) AS CASE
      WHEN n <= 0 THEN error('{_WRONG}The limit should be positive')
      WHEN len(string_split(s, d)) <= n THEN string_split(s, d)
      ELSE list_append(list_slice(string_split(s, d), 1, n - 1),
        array_to_string(list_slice(string_split(s, d), n, len(s)), d)) END""",
    "CREATE MACRO trino_split_part(s, d, n) AS CASE WHEN n <= 0 THEN "
    f"error('{_WRONG}Index must be greater than zero') ELSE list_extract(string_split(s, d), n) END",
    """CREATE MACRO split_to_map(s, e, p) AS map_from_entries(list_transform(string_split(s, e),
      lambda each: {'key': split_part(each, p, 1),
                    'value': array_to_string(list_slice(string_split(each, p), 2, len(each)), p)}))""",
    "CREATE MACRO regexp_position(s, p) AS CASE WHEN regexp_matches(s, p) "
    "THEN strpos(s, regexp_extract(s, p)) ELSE -1 END",
    "CREATE MACRO json_array_get(j, i) AS "
    "CASE WHEN json_valid(j) THEN CAST(j AS JSON) -> CAST(i AS BIGINT) END",
    "CREATE MACRO json_size(j, p) AS CASE WHEN json_valid(j) THEN CASE json_type(j, p) "
    "WHEN 'ARRAY' THEN json_array_length(j, p) WHEN 'OBJECT' THEN len(json_keys(j, p)) ELSE 0 END END",
    "CREATE MACRO is_json_scalar(j) AS json_type(j) NOT IN ('ARRAY', 'OBJECT')",
    r"""CREATE MACRO trino_typeof(t) AS regexp_replace(regexp_replace(regexp_replace(
      replace(replace(lower(t), 'timestamp_s', 'timestamp'), 'timestamp_ms', 'timestamp'),
      '\btimestamp\b( with time zone)?', 'timestamp(3)\1', 'g'), '\bblob\b', 'varbinary', 'g'),
      '^(.*)\[\]$', 'array(\1)')""",
    # Text of JSON is its value, of moments with the three digits that tables have.
    """CREATE MACRO trino_varchar(x) AS CASE
      WHEN typeof(x) = 'JSON' THEN CASE
        WHEN json_type(TRY_CAST(CAST(x AS VARCHAR) AS JSON)) IN ('ARRAY', 'OBJECT') THEN
          error('INVALID_CAST_ARGUMENT: Cannot cast to varchar. ' || CAST(x AS VARCHAR))
        ELSE json_extract_string(TRY_CAST(CAST(x AS VARCHAR) AS JSON), '$') END
      WHEN typeof(x) IN ('TIMESTAMP', 'TIMESTAMP_MS') THEN
        strftime(TRY_CAST(CAST(x AS VARCHAR) AS TIMESTAMP), '%Y-%m-%d %H:%M:%S.%g')
      WHEN typeof(x) = 'TIMESTAMP WITH TIME ZONE' THEN
        strftime(TRY_CAST(CAST(x AS VARCHAR) AS TIMESTAMPTZ), '%Y-%m-%d %H:%M:%S.%g UTC')
      ELSE CAST(x AS VARCHAR) END""",
    # Digits and the exponent of a double, from DuckDB's shortest text of it without a sign.
    """CREATE MACRO trino_digits(t) AS
      rtrim(ltrim(replace(split_part(t, 'e', 1), '.', ''), '0'), '0')""",
    """CREATE MACRO trino_exponent(t) AS CASE
      WHEN contains(t, 'e') THEN TRY_CAST(split_part(t, 'e', 2) AS INTEGER)
      WHEN NOT starts_with(t, '0.') THEN strpos(t, '.') - 2
      ELSE length(ltrim(split_part(t, '.', 2), '0')) - length(split_part(t, '.', 2)) - 1 END""",
    """CREATE MACRO trino_scientific(t) AS CASE ltrim(t, '-')
      WHEN 'nan' THEN 'NaN'
      WHEN 'inf' THEN replace(t, 'inf', 'Infinity')
      WHEN '0.0' THEN replace(t, '0.0', '0E0')
      ELSE regexp_extract(t, '^-?') || left(trino_digits(ltrim(t, '-')), 1) || '.'
        || coalesce(nullif(substr(trino_digits(ltrim(t, '-')), 2), ''), '0')
        || 'E' || trino_exponent(ltrim(t, '-')) END""",
    """CREATE MACRO trino_seven_digits(t) AS CASE WHEN ltrim(t, '-') IN ('nan', 'inf', '0.0') THEN t
      ELSE printf('%.6e', TRY_CAST(t AS DOUBLE)) END""",
    """CREATE MACRO trino_as_varchar(x) AS CASE typeof(x)
      WHEN 'DOUBLE' THEN list_transform([CAST(x AS VARCHAR)], lambda t: trino_scientific(t))[1]
      WHEN 'FLOAT' THEN
        list_transform([trino_seven_digits(CAST(x AS VARCHAR))], lambda t: trino_scientific(t))[1]
      ELSE trino_varchar(x) END""",
    """CREATE MACRO trino_bounded(x, n) AS list_transform([trino_as_varchar(x)], lambda t: CASE
      WHEN length(t) > n AND typeof(x) NOT IN ('VARCHAR', 'JSON') THEN
        error('INVALID_CAST_ARGUMENT: Value ' || t || ' cannot be represented as varchar(' || n || ')')
      ELSE left(t, n) END)[1]""",
    # ---- numbers: decimals are divided to a decimal with the larger scale
    "CREATE MACRO trino_scale(x) AS "
    "coalesce(TRY_CAST(regexp_extract(typeof(x), ',(\\d+)\\)', 1) AS INTEGER), 0)",
    # Of numbers in text, by long division: a whole quotient first, then a digit at a time, which is exact.
    """CREATE MACRO trino_unscaled(t) AS abs(TRY_CAST(replace(t, '.', '') AS HUGEINT))""",
    """CREATE MACRO trino_long_division(n, d, digits) AS list_reduce(
      list_prepend({'q': n // d, 'r': n % d},
        list_transform(range(digits), lambda i: {'q': 0::HUGEINT, 'r': 0::HUGEINT})),
      lambda s, i: {'q': s.q * 10 + s.r * 10 // d, 'r': s.r * 10 % d})""",
    """CREATE MACRO trino_rounded(q) AS CASE
      WHEN q >= 100000000000000000000000000000000000000 THEN
        error('NUMERIC_VALUE_OUT_OF_RANGE: Decimal overflow')
      ELSE lpad(CAST(q AS VARCHAR), 38, '0') END""",
    """CREATE MACRO trino_quotient(a, b, a_scale, b_scale) AS list_transform(list_transform(list_transform(
      [{'n': trino_unscaled(a), 'd': trino_unscaled(b), 'scale': greatest(a_scale, b_scale)}],
      lambda p: {'p': p, 'whole': trino_long_division(p.n, p.d, p.scale - a_scale + b_scale)}),
      lambda w: {'digits': trino_rounded(
        w.whole.q + CASE WHEN w.whole.r >= w.p.d - w.whole.r THEN 1 ELSE 0 END), 'after': w.p.scale}),
      lambda t: CASE WHEN starts_with(a, '-') <> starts_with(b, '-') THEN '-' ELSE '' END
        || left(t.digits, 38 - t.after) || '.' || right(t.digits, t.after))[1]""",
    """CREATE MACRO trino_float_quotient(a, b) AS CASE WHEN b <> 0 THEN a / b
      WHEN starts_with(CAST(b AS VARCHAR), '-') THEN a * '-infinity'::DOUBLE
      ELSE a * 'infinity'::DOUBLE END""",
    # Any that the quotient can need: of decimals, the one with the most digits.
    """CREATE MACRO trino_longest(x) AS
      list_aggregate([x], CASE WHEN starts_with(typeof(x), 'DECIMAL') THEN 'sum' ELSE 'max' END)""",
    """CREATE MACRO trino_divide(a, b) AS cast_to_type(CASE
      WHEN starts_with(typeof(a + b), 'DECIMAL') THEN
        trino_quotient(CAST(a AS VARCHAR), CAST(b AS VARCHAR), trino_scale(a), trino_scale(b))
      WHEN typeof(a + b) IN ('DOUBLE', 'FLOAT') THEN
        CAST(trino_float_quotient(CAST(a AS DOUBLE), CAST(b AS DOUBLE)) AS VARCHAR)
      ELSE CAST(a / b AS VARCHAR) END, trino_longest(a + b))""",
    # As Java writes a number with a fixed count of decimals: halves away from zero.
    "CREATE MACRO trino_decimals(x, n) AS "
    "printf('%.' || n || 'f', round(CAST(x AS DECIMAL(38, 12)), CAST(n AS INTEGER)))",
)


def _name_of(macro: str) -> str:
    return macro.removeprefix("CREATE MACRO ").partition("(")[0].strip()


def _forgiving(macros: tuple[str, ...]) -> dict[str, str]:
    """Return of each macro that may raise an error another that yields NULL instead: TRY takes no others."""
    found: dict[str, str] = {}
    for macro in macros:
        calls = set(re.findall(r"\w+", macro.partition("(")[2]))
        if "error" in calls or calls & found.keys():
            names = "|".join([_name_of(macro), *found])
            renamed = re.sub(rf"\b({names})\(", r"\1_or_null(", macro)
            found[_name_of(macro)] = renamed.replace("error(", "trino_null(")
    return found


_FORGIVING = _forgiving(_MACROS)
_ALL_MACROS = (*_MACROS, "CREATE MACRO trino_null(message) AS NULL", *_FORGIVING.values())
_NAMES = {macro: _name_of(macro) for macro in _ALL_MACROS}


def forgive(node: exp.Expression) -> None:
    """Have what is within a TRY yield NULL where it would be an error."""
    for each in node.find_all(exp.Anonymous):
        if str(each.this).lower() in _FORGIVING:
            each.set("this", f"{each.this}_or_null")


def macros_of(sql: str) -> list[str]:
    """Return the macros that a translated query calls, those first that others call."""
    called: set[str] = set()
    texts = [sql]
    while texts:
        words = set(re.findall(r"\w+", texts.pop().lower()))
        found = [macro for macro, name in _NAMES.items() if name in words and macro not in called]
        called.update(found)
        texts += found
    return [macro for macro in _ALL_MACROS if macro in called]


# Joda's letters, which format_datetime and parse_datetime take, as strftime's.
_JODA = {
    "yyyy": "%Y", "y": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m",
    "dd": "%d", "d": "%-d", "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "m": "%-M",
    "ss": "%S", "s": "%-S", "SSS": "%g", "a": "%p", "EEEE": "%A", "EEE": "%a", "E": "%a", "D": "%-j",
    "DDD": "%j", "Z": "%z", "ZZ": "%z",
}  # fmt: skip


_WITH_PATTERNS = (
    exp.RegexpLike,
    exp.RegexpExtract,
    exp.RegexpExtractAll,
    exp.RegexpReplace,
    exp.RegexpSplit,
    exp.RegexpCount,
)


def rewritten(node: exp.Expression) -> exp.Expression:
    """Return what stands for a node of Trino's SQL, whose arguments have been rewritten, in DuckDB's."""
    pattern = node.args.get("expression")
    if isinstance(node, _WITH_PATTERNS) and isinstance(pattern, exp.Literal):
        pattern.set("this", re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", pattern.this))  # a group's name
    rewrite = _REWRITES.get(type(node))
    if rewrite is not None:
        return rewrite(node)
    if isinstance(node, exp.Anonymous):
        rewrite = _FUNCTIONS.get(str(node.name).lower())
        return rewrite(node) if rewrite else node
    return node


def call(name: str, *arguments: exp.Expression) -> exp.Expression:
    """Return a call of a function of DuckDB."""
    return exp.Anonymous(this=name, expressions=[argument.copy() for argument in arguments])


def _case(condition: exp.Expression, value: exp.Expression) -> exp.Expression:
    return exp.Case().when(condition, value)


def _text(value: str) -> exp.Expression:
    return exp.Literal.string(value)


# ---------------------------------------------------------------------- text


def _regexp_extract(node: exp.Expression) -> exp.Expression:
    """No match is NULL, and so is a group that takes no part in it."""
    group = filter(None, [node.args.get("group")])
    found = call("regexp_extract_all", node.this, node.expression, *group)
    return call("list_extract", found, exp.Literal.number(1))


def _regexp_replace(node: exp.Expression) -> exp.Expression:
    """Groups are written $1, not \\1; every match is replaced."""
    replacement = node.args.get("replacement") or _text("")
    if isinstance(replacement, exp.Literal):
        replacement = _text(re.sub(r"\$(\d)", r"\\\1", replacement.this))
    return call("regexp_replace", node.this, node.expression, replacement, _text("g"))


def _json_scalar(node: exp.Expression) -> exp.Expression:
    """Malformed JSON has no values; what is nested is no scalar."""
    whole = exp.JSONExtract(this=node.this.copy(), expression=node.expression.copy())
    nested = exp.In(this=call("json_type", whole), expressions=[_text("ARRAY"), _text("OBJECT")])
    return _case(exp.And(this=call("json_valid", node.this), expression=exp.Not(this=nested)), node.copy())


def _cast(node: exp.Expression) -> exp.Expression:
    """Text of a number has to fit, text of a text is cut."""
    literal = isinstance(node.this, exp.Literal) and node.this.is_string
    if not node.to.is_type(*exp.DataType.TEXT_TYPES) or (literal and not node.to.expressions):
        return node
    if node.to.expressions:
        node.set("this", call("trino_bounded", node.this, node.to.expressions[0].this))
    else:
        node.set("this", call("trino_as_varchar", node.this))
    return node


def _type(node: exp.Expression) -> exp.Expression:
    """A DECIMAL without more is one of 38 digits before the point."""
    if node.is_type("decimal") and not node.expressions:
        return exp.DataType.build("decimal(38, 0)")
    return node


def _divide(node: exp.Expression) -> exp.Expression:
    if any(isinstance(each, exp.Interval) for each in (node.this, node.expression)):
        return node
    untyped = exp.Cast(this=exp.Null(), to=exp.DataType.build("int"))
    sides = (untyped if isinstance(each, exp.Null) else each for each in (node.this, node.expression))
    return call("trino_divide", *sides)


def _fetch(node: exp.Expression) -> exp.Expression:
    options = node.args.get("limit_options")
    if options is not None and options.args.get("with_ties"):
        raise SqlError("NOT_SUPPORTED: the local engine does not know WITH TIES")
    return node


def _json_extract(node: exp.Expression) -> exp.Expression:
    if node.args.get("json_query"):
        raise SqlError("NOT_SUPPORTED: the local engine does not know json_query; json_extract does the same")
    return node


def _split_part(node: exp.Expression) -> exp.Expression:
    """Beyond the last field is NULL, not the empty string."""
    return call("trino_split_part", node.this, node.args["delimiter"], node.args["part_index"])


def _split(node: exp.Expression) -> exp.Expression:
    limit = node.args.get("limit")
    if limit is None:
        return node
    return call("trino_split", node.this, node.expression, limit)


def _substring(node: exp.Expression) -> exp.Expression:
    """Position 0 is before the text, and yields nothing."""
    start, length = node.args.get("start"), node.args.get("length")
    return call("trino_substr", node.this, *filter(None, [start or exp.Literal.number(1), length]))


_SPECIFIER = re.compile(r"%(?P<flags>[-#+ 0,(]*)(?P<width>\d+)?(?:\.(?P<precision>\d+))?(?P<kind>[a-zA-Z%])")


def _format(node: exp.Expression) -> exp.Expression:
    """Java's format strings; what they have beyond C's is refused."""
    template, values = node.this, list(node.expressions)
    if not (isinstance(template, exp.Literal) and template.is_string):
        raise SqlError("NOT_SUPPORTED: format takes a literal format string here")
    parts: list[exp.Expression] = []
    end = 0
    for match in _SPECIFIER.finditer(template.this):
        parts.append(_text(template.this[end : match.start()]))
        end = match.end()
        if match["kind"] in "%n":
            parts.append(_text("%" if match["kind"] == "%" else "\n"))
        elif not values:
            raise SqlError(f"INVALID_FUNCTION_ARGUMENT: Format specifier '{match[0]}'")
        else:
            parts.append(_formatted(match, values.pop(0)))
    rest = template.this[end:]
    if "%" in rest:
        raise SqlError(f"INVALID_FUNCTION_ARGUMENT: Invalid format string: {template.this}")
    return call("concat", *parts, _text(rest))


def _formatted(match: re.Match[str], value: exp.Expression) -> exp.Expression:
    flags, width, kind = match["flags"], match["width"] or "", match["kind"]
    if kind not in "sSdxXobBfe" or set(flags) & set("#+ ("):
        raise SqlError(f"NOT_SUPPORTED: format specifier {match[0]!r} is not supported by the local engine")
    if kind in "dxXo":
        number = exp.Cast(this=value.copy(), to=exp.DataType.build("bigint"))
        written = call("printf", _text(f"%{flags}{width}{kind}"), number)
    elif kind == "f" and not flags:
        decimals = exp.Literal.number(int(match["precision"] or 6))
        written = _padded(call("trino_decimals", value, decimals), flags, width)
    elif kind in "fe":
        precision = f".{match['precision']}" if match["precision"] else ""
        number = exp.Cast(this=value.copy(), to=exp.DataType.build("double"))
        written = call("printf", _text(f"%{flags}{width}{precision}{kind}"), number)
    else:
        plain = exp.Coalesce(
            this=call("trino_varchar", value), expressions=[_text("false" if kind in "bB" else "null")]
        )
        if match["precision"]:
            plain = call("left", plain, exp.Literal.number(int(match["precision"])))
        written = _padded(call("upper", plain) if kind in "SB" else plain, flags, width)
    return exp.Coalesce(this=written, expressions=[_text("null")])


def _padded(text: exp.Expression, flags: str, width: str) -> exp.Expression:
    return call("printf", _text(f"%{'-' if '-' in flags else ''}{width}s"), text) if width else text


# ---------------------------------------------------------------------- dates and times


def _unit(node: exp.Expression) -> exp.Expression:
    unit = node.args.get("unit")
    name = str(unit.name if unit is not None else "day").lower()
    if name not in _TIME_UNITS:
        raise SqlError(f"INVALID_FUNCTION_ARGUMENT: '{name}' is not a valid Timestamp field")
    return _text(name)


def _date_trunc(node: exp.Expression) -> exp.Expression:
    return call("trino_date_trunc", _unit(node), node.this)


def _date_diff(node: exp.Expression) -> exp.Expression:
    """Complete units, not the boundaries between."""
    return call("datesub", _unit(node), node.expression, node.this)


def _date_add(node: exp.Expression) -> exp.Expression:
    interval = exp.Interval(this=_text("1"), unit=exp.var(_unit(node).name.upper()))
    count = exp.Paren(this=node.expression.copy())
    return call("trino_plus", node.this, exp.Mul(this=count, expression=interval))


def _plus(node: exp.Expression) -> exp.Expression:
    """What is added to a date is a date."""
    moment, span = node.this, node.expression
    if isinstance(moment, exp.Interval) and isinstance(node, exp.Add):
        moment, span = span, moment
    if not isinstance(span, exp.Interval) or isinstance(moment, exp.Interval):
        return node
    return call("trino_plus", moment, exp.Neg(this=span.copy()) if isinstance(node, exp.Sub) else span)


# The fields of EXTRACT that DuckDB has by another name, or counts otherwise.
_FIELDS = {
    "dow": "isodow", "day_of_week": "isodow", "doy": "dayofyear", "day_of_year": "dayofyear",
    "yow": "isoyear", "year_of_week": "isoyear", "day_of_month": "day",
}  # fmt: skip
_PLAIN_FIELDS = {"year", "quarter", "month", "week", "day", "hour", "minute", "second"}


def _offset(_node: exp.Expression) -> exp.Expression:
    raise SqlError("NOT_SUPPORTED: the local engine does not know the offset of a time zone")


def _extract(node: exp.Expression) -> exp.Expression:
    """Days of the week are ISO's, from 1 for Monday to 7."""
    field = str(node.this.name).lower()
    if field in ("timezone_hour", "timezone_minute"):
        return _offset(node)
    if field not in _FIELDS and field not in _PLAIN_FIELDS:
        raise SqlError(f"SYNTAX_ERROR: Invalid EXTRACT field: {field}")
    return call(_FIELDS[field], node.expression) if field in _FIELDS else node


def _sequence_call(node: exp.Expression) -> exp.Expression:
    ends = [node.args["start"], node.args["end"]]
    step = node.args.get("step")
    return call("trino_steps", *ends, step) if step else call("trino_sequence", *ends)


def _format_datetime(node: exp.Expression) -> exp.Expression:
    moment, pattern = node.expressions
    return call("strftime", moment, _text(strftime(pattern.name)))


def _parse_datetime(node: exp.Expression) -> exp.Expression:
    pattern = node.args.get("format")
    parsed = call("strptime", node.this, _text(strftime(pattern.name if pattern else "", parsing=True)))
    return exp.Cast(this=parsed, to=exp.DataType.build("timestamptz"))


def _iso_weeks(node: exp.Expression) -> exp.Expression:
    """Weeks of date_format and date_parse are those of ISO, as their years."""
    pattern = node.args.get("format")
    if isinstance(pattern, exp.Literal):
        pattern.set("this", pattern.this.replace("%v", "%V"))
    return node


def strftime(joda: str, *, parsing: bool = False) -> str:
    """Return a format of Joda's as one of C's, where a fraction of a second is read with any count of digits.

    Raises:
        SqlError: C has no such letters.
    """

    def one(match: re.Match[str]) -> str:
        if match["quoted"] is not None:
            return match["quoted"].replace("''", "'") or "'"
        letters = match[0]
        if set(letters) == {"S"} and letters != "SSS":
            return "%f" if parsing or len(letters) == 6 else _refused_letters(letters)
        if letters not in _JODA:
            return _refused_letters(letters)
        return _JODA[letters]

    # A quote that is not closed reaches to the end.
    return re.sub(r"'(?P<quoted>[^']*)(?:'|$)|(?P<letter>[A-Za-z])(?P=letter)*", one, joda)


def _refused_letters(letters: str) -> str:
    raise SqlError(f"NOT_SUPPORTED: the local engine does not know {letters!r} in a date format")


# ---------------------------------------------------------------------- arrays


def _bracket(node: exp.Expression) -> exp.Expression:
    """A subscript out of range is an error; ``element_at`` is NULL there."""
    [key] = node.expressions
    return call("trino_element_at" if node.args.get("safe") else "trino_subscript", node.this, key)


def _slice(node: exp.Expression) -> exp.Expression:
    return call("trino_slice", node.this, node.args["start"], node.args["end"])


def _reduce(node: exp.Expression) -> exp.Expression:
    """The last function works on what the others made."""
    merged = exp.Reduce(
        this=node.this.copy(), initial=node.args["initial"].copy(), merge=node.args["merge"].copy()
    )
    finish = node.args.get("finish")
    if finish is None:
        return merged
    return call(
        "list_extract", call("list_transform", call("list_value", merged), finish), exp.Literal.number(1)
    )


def _match(name: str) -> _Rewrite:
    def rewrite(node: exp.Expression) -> exp.Expression:
        return call(name, call("list_transform", *node.expressions))

    return rewrite


def _of_arrays(name: str) -> _Rewrite:
    def rewrite(node: exp.Expression) -> exp.Expression:
        given = (node.args.get("this"), node.args.get("expression"), *node.expressions)
        return call(name, *(each for each in given if isinstance(each, exp.Expression)))

    return rewrite


def _approx_distinct(node: exp.Expression) -> exp.Expression:
    """The largest error does not matter: the answer is no further off."""
    node.set("accuracy", None)
    return node


type _Rewrite = Callable[[Any], exp.Expression]

_REWRITES: dict[type[exp.Expression], _Rewrite] = {
    exp.RegexpExtract: _regexp_extract,
    exp.RegexpReplace: _regexp_replace,
    exp.JSONExtractScalar: _json_scalar,
    exp.JSONExtract: _json_extract,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.DataType: _type,
    exp.Div: _divide,
    exp.Extract: _extract,
    exp.Fetch: _fetch,
    exp.SplitPart: _split_part,
    exp.Split: _split,
    exp.Substring: _substring,
    exp.Format: _format,
    exp.ParseDatetime: _parse_datetime,
    exp.TimestampTrunc: _date_trunc,
    exp.DateTrunc: _date_trunc,
    exp.DateDiff: _date_diff,
    exp.DateAdd: _date_add,
    exp.Add: _plus,
    exp.Sub: _plus,
    exp.GenerateSeries: _sequence_call,
    exp.Bracket: _bracket,
    exp.ArraySlice: _slice,
    exp.ArrayContains: _of_arrays("trino_contains"),
    exp.ArrayMax: _of_arrays("array_max"),
    exp.ArrayMin: _of_arrays("array_min"),
    exp.ArrayDistinct: lambda node: call("trino_distinct", node.this),
    exp.ArrayIntersect: _of_arrays("trino_intersect"),
    exp.ArrayExcept: _of_arrays("trino_except"),
    exp.ArraySize: lambda node: call("trino_cardinality", node.this),
    exp.ArrayPosition: _of_arrays("trino_position"),
    exp.TimeToStr: _iso_weeks,
    exp.StrToTime: _iso_weeks,
    exp.Reduce: _reduce,
    exp.ApproxDistinct: _approx_distinct,
    exp.StrToMap: lambda node: call(
        "split_to_map", node.this, node.args["pair_delim"], node.args["key_value_delim"]
    ),
    exp.Typeof: lambda node: call("trino_typeof", call("typeof", node.this)),
}
_FUNCTIONS: dict[str, _Rewrite] = {
    "format_datetime": _format_datetime,
    "to_iso8601": lambda node: call("trino_to_iso8601", *node.expressions),
    "millisecond": lambda node: exp.Mod(
        this=call("millisecond", *node.expressions), expression=exp.Literal.number(1000)
    ),
    "timezone_hour": _offset,
    "timezone_minute": _offset,
    "url_decode": lambda node: call("trino_url_decode", *node.expressions),
    "url_encode": lambda node: call("trino_url_encode", *node.expressions),
    "yow": lambda node: call("isoyear", *node.expressions),
    "every": lambda node: exp.LogicalAnd(this=node.expressions[0].copy()),
    "any_match": _match("trino_any"),
    "all_match": _match("trino_all"),
    "none_match": lambda node: exp.Not(this=_match("trino_any")(node)),
}
