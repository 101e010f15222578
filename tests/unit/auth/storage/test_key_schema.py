"""Keys, prefixes and attribute values of DynamoDB are known in the storage package, and nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.paths import ROOT

PACKAGE = ROOT / "functions/auth/auth"
STORAGE = PACKAGE / "storage"

ATTRIBUTE_TYPES = {"S", "N", "B", "BOOL", "M", "L", "SS", "NS", "BS", "NULL"}
KEY_ATTRIBUTES = {"pk", "sk"}
PART_OF_A_KEY = re.compile(r"[A-Z]#|#|\w+#$")
REQUEST_MEMBER = re.compile(
    r"(Key|Update|Condition|Filter|Projection)(Condition)?Expression|ExpressionAttribute(Names|Values)"
    r"|TableName|IndexName|TransactItems|ConsistentRead"
)
CALLS = {
    "batch_get_item", "batch_write_item", "delete_item", "from_attribute", "get_item", "put_item",
    "to_attribute", "transact_get_items", "transact_write_items", "update_item",
}  # fmt: skip


def docstrings(tree: ast.AST) -> set[ast.AST]:
    """Texts that stand for themselves."""
    return {node.value for node in ast.walk(tree) if isinstance(node, ast.Expr)}


def knowledge(source: str) -> Iterator[tuple[int, str]]:
    """What a module knows of DynamoDB, with its line."""
    tree = ast.parse(source)
    skipped = docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            if what := text_of_the_table(node.value):
                yield node.lineno, what
        elif isinstance(node, ast.keyword) and node.arg and REQUEST_MEMBER.fullmatch(node.arg):
            yield node.value.lineno, f"the member {node.arg} of requests"
        elif isinstance(node, ast.Attribute) and node.attr in CALLS:
            yield node.lineno, f"the call {node.attr}"
        elif isinstance(node, ast.ImportFrom) and "dynamodb" in (node.module or ""):
            yield node.lineno, f"the module {node.module}"


def text_of_the_table(text: str) -> str | None:
    """What a text knows of the table; None if nothing."""
    if PART_OF_A_KEY.match(text):
        return f"the part {text!r} of a key"
    if text in KEY_ATTRIBUTES:
        return f"the key attribute {text!r}"
    if text in ATTRIBUTE_TYPES:
        return f"attribute values of the type {text!r}"
    if REQUEST_MEMBER.fullmatch(text):
        return f"the member {text} of requests"
    return "DynamoDB's client" if text == "dynamodb" else None


OUTSIDE = sorted(path for path in PACKAGE.rglob("*.py") if not path.is_relative_to(STORAGE))


@pytest.mark.parametrize("path", OUTSIDE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_module_outside_of_storage_knows_nothing_of_the_table(path: Path) -> None:
    sentences = [
        f"{path.relative_to(ROOT)}:{line} knows {what}; that belongs into auth.storage."
        for line, what in knowledge(path.read_text())
    ]
    assert not sentences, "\n".join(sentences)


@pytest.mark.parametrize(
    "source",
    [
        'store.get(f"U#{user}")',
        'store.get("C#health")',
        "store.get(f\"{'E' if email else 'P'}#{index}\")",
        'store.count(f"mail#{alias}", 60)',
        'subject = "client#" + client_id',
        'key = {"pk": user}',
        'name = item["sk"]',
        'expires = int(item["expires"]["N"])',
        'item = {"kind": {"S": kind}}',
        'text = item.get("kind").get("S")',
        'scopes = item["scopes"]["SS"]',
        'update = {"UpdateExpression": "SET a = :a"}',
        'table.query(KeyConditionExpression="a = :a")',
        "table.query(TableName=name)",
        'client("dynamodb")',
        "anything.put_item(Item=item)",
        "anything.transact_write_items()",
        "sealed.to_attribute()",
        "from mypy_boto3_dynamodb import DynamoDBClient",
    ],
)
def test_knowledge_of_the_table_is_seen(source: str) -> None:
    assert list(knowledge(source))


@pytest.mark.parametrize(
    "source",
    [
        '"""The item `U#<user>` has `pk`."""',
        'services.store.users.get("user")',
        're.compile("[a-z0-9!#$%&]+")',
        "request.query",
    ],
)
def test_harmless_source_is_let_through(source: str) -> None:
    assert list(knowledge(source)) == []


# ---- the schema in the docstrings

PREFIX = re.compile(r"[A-Z]#")
KINDS = {
    path.stem: path.read_text()
    for path in sorted(STORAGE.glob("_*.py"))
    if path.name not in ("__init__.py", "_store.py", "_table.py")
}


def prefixes_in_code(source: str) -> set[str]:
    """The prefixes of keys that a module writes."""
    tree = ast.parse(source)
    skipped = docstrings(tree)
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped
    ]
    return {text[:2] for text in texts if PREFIX.match(text)}


@pytest.mark.parametrize("kind", KINDS)
def test_docstring_is_the_key_schema(kind: str) -> None:
    schema = ast.get_docstring(ast.parse(KINDS[kind])) or ""
    for row in ("Item", "Key", "Attributes", "TTL", "Written by"):
        assert re.search(rf"^{row} ", schema, re.MULTILINE), f"{kind} does not say its {row}"
    lacking = prefixes_in_code(KINDS[kind]) - set(PREFIX.findall(schema))
    assert not lacking, f"{kind} writes keys with {lacking}, and its docstring does not say so"


def test_every_prefix_is_of_one_kind_and_in_the_docs() -> None:
    prefixes = [prefix for source in KINDS.values() for prefix in prefixes_in_code(source)]
    assert sorted(prefixes) == sorted(set(prefixes)), "a prefix is written by two modules"
    section = (ROOT / "docs/auth.md").read_text().partition("## Data at rest")[2].partition("\n## ")[0]
    assert set(prefixes) == set(PREFIX.findall(section)), "docs/auth.md lists other prefixes"
