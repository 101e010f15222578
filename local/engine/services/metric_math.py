"""CloudWatch's metric math: expressions over series of points, as far as alarms and dashboards use it.

A series maps the start of a period (epoch seconds) to a value; a number is a constant series. An expression
has a value where all its operands have one: on AWS, too, missing data stays missing unless FILL fills it.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from itertools import pairwise

__all__ = ["MathError", "Series", "evaluate"]

Series = dict[float, float]
type Value = Series | float | list[Series]


class MathError(ValueError):
    """The expression is not one that this module knows."""


_OPERATORS: dict[type, Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Pow: operator.pow,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.And: lambda left, right: float(bool(left) and bool(right)),
    ast.Or: lambda left, right: float(bool(left) or bool(right)),
}

_ROUNDING: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}


def evaluate(
    expression: str, series: Mapping[str, Series], periods: Iterable[float], metrics: Iterable[Series] = ()
) -> Series:
    """Return the series of an expression.

    Args:
        expression: For example ``100 * errors / FILL(invocations, 1)``.
        series: What its names stand for.
        periods: Starts of the periods that FILL fills and constants have a value in.
        metrics: What METRICS() stands for.

    Raises:
        MathError: Syntax or a function that is not known.
    """
    text = re.sub(r"\bAND\b|&&", " and ", expression)
    text = re.sub(r"\bOR\b|\|\|", " or ", text).replace("^", "**")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise MathError(f"syntax error in {expression!r}") from error
    calculation = _Calculation(series, sorted(periods), list(metrics))
    return calculation.as_series(calculation.value(tree.body))


class _Calculation:
    def __init__(self, series: Mapping[str, Series], periods: list[float], metrics: list[Series]) -> None:
        self._series, self._periods, self._metrics = series, periods, metrics

    def as_series(self, value: Value) -> Series:
        if isinstance(value, dict):
            return value
        if isinstance(value, list):
            raise MathError("an expression has to give one series")
        return dict.fromkeys(self._periods, value)

    def value(self, node: ast.expr) -> Value:  # noqa: C901 - a table: a case for each kind of node
        match node:
            case ast.Constant(value=int() | float() as number):
                return float(number)
            case ast.Name(id=name):
                if name not in self._series:
                    raise MathError(f"{name} is not defined")
                return self._series[name]
            case ast.List(elts=elements) | ast.Tuple(elts=elements):
                return [self.as_series(self.value(element)) for element in elements]
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._combine(operator.sub, 0.0, self.value(operand))
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return self._divide(self.value(left), self.value(right))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
                return self._combine(_OPERATORS[type(op)], self.value(left), self.value(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
                return self._combine(_OPERATORS[type(op)], self.value(left), self.value(right))
            case ast.BoolOp(op=op, values=[first, *rest]):
                answer = self.value(first)
                for other in rest:
                    answer = self._combine(_OPERATORS[type(op)], answer, self.value(other))
                return answer
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name.upper(), arguments)
        raise MathError(f"not understood: {ast.unparse(node)}")

    def _combine(self, function: Callable[[float, float], float], left: Value, right: Value) -> Value:
        if isinstance(left, list) or isinstance(right, list):
            raise MathError("arithmetic on a list of series")
        if isinstance(left, float) and isinstance(right, float):
            return float(function(left, right))
        first, second = self._aligned(left, right)
        return {start: float(function(first[start], second[start])) for start in first if start in second}

    def _aligned(self, left: Series | float, right: Series | float) -> tuple[Series, Series]:
        if isinstance(left, dict):
            return left, right if isinstance(right, dict) else dict.fromkeys(left, right)
        assert isinstance(right, dict)  # noqa: S101 - two numbers never come here
        return dict.fromkeys(right, left), right

    def _divide(self, left: Value, right: Value) -> Value:
        """Divide; where the divisor is zero there is no point, as on AWS."""
        if isinstance(right, dict):
            right = {start: value for start, value in right.items() if value}
        elif right == 0:
            return {}
        return self._combine(operator.truediv, left, right)

    def _call(self, name: str, nodes: list[ast.expr]) -> Value:
        if name == "FILL":
            return self._fill(self.as_series(self.value(nodes[0])), nodes[1])
        if name == "METRICS":
            return list(self._metrics)
        arguments = [self.value(node) for node in nodes]
        if name == "IF":
            return self._if(*arguments)
        if name in {"SUM", "AVG", "MIN", "MAX"}:
            return self._aggregate(name, arguments[0])
        if name in {"ABS", "CEIL", "FLOOR"}:
            return {start: _ROUNDING[name](value) for start, value in self.as_series(arguments[0]).items()}
        if name in {"DIFF", "RATE"}:
            points = sorted(self.as_series(arguments[0]).items())
            return {
                start: (value - before) / (start - earlier if name == "RATE" else 1)
                for (earlier, before), (start, value) in pairwise(points)
            }
        if name == "RUNNING_SUM":
            total, answer = 0.0, {}
            for start, value in sorted(self.as_series(arguments[0]).items()):
                total += value
                answer[start] = total
            return answer
        raise MathError(f"function {name} is not known")

    def _fill(self, series: Series, filler: ast.expr) -> Series:
        if isinstance(filler, ast.Name) and filler.id == "REPEAT":
            answer: Series = {}
            for start in self._periods:
                if start in series:
                    answer[start] = series[start]
                elif answer:
                    answer[start] = answer[max(answer)]
            return answer
        return self.as_series(self.value(filler)) | series

    def _if(self, condition: Value, then: Value, otherwise: Value | None = None) -> Value:
        chosen, other = self.as_series(then), {} if otherwise is None else self.as_series(otherwise)
        answer: Series = {}
        for start, holds in self.as_series(condition).items():
            source = chosen if holds else other
            if start in source:
                answer[start] = source[start]
        return answer

    def _aggregate(self, name: str, argument: Value) -> Value:
        """Over a list of series: point by point; over one series: its single number."""
        function: dict[str, Callable[[list[float]], float]] = {
            "SUM": sum,
            "AVG": lambda values: sum(values) / len(values),
            "MIN": min,
            "MAX": max,
        }
        if isinstance(argument, list):
            starts = {start for series in argument for start in series}
            return {
                start: function[name]([series[start] for series in argument if start in series])
                for start in starts
            }
        values = list(self.as_series(argument).values())
        return float(function[name](values)) if values else {}
