"""Types of Hive, which tables are declared with."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["HiveType", "duckdb_type", "hive_type"]

_SCALARS = {
    "boolean": "BOOLEAN", "tinyint": "TINYINT", "smallint": "SMALLINT", "int": "INTEGER",
    "integer": "INTEGER", "bigint": "BIGINT", "float": "FLOAT", "real": "FLOAT", "double": "DOUBLE",
    "date": "DATE",
    "timestamp": "TIMESTAMP", "binary": "BLOB", "varbinary": "BLOB",
}  # fmt: skip


@dataclass(frozen=True)
class HiveType:
    """A type.

    Attributes:
        name: Such as ``bigint``, ``array``, ``struct``; without what is in brackets.
        parts: Types of elements, of key and value, or of fields.
        fields: Names of a struct's fields.
        arguments: What is in round brackets, such as a decimal's precision and scale.
    """

    name: str
    parts: tuple[HiveType, ...] = ()
    fields: tuple[str, ...] = ()
    arguments: str = ""

    @property
    def nested(self) -> bool:
        """Whether values have parts."""
        return bool(self.parts)

    @property
    def has_struct(self) -> bool:
        """Whether there are named fields at any depth."""
        return self.name == "struct" or any(part.has_struct for part in self.parts)


def hive_type(text: str) -> HiveType:
    """Read a type as a table's column has it."""
    text = text.strip().lower()
    name, bracket, rest = text.partition("<")
    if not bracket:
        scalar, _, arguments = text.partition("(")
        return HiveType(scalar.strip(), arguments=arguments.removesuffix(")").strip())
    members = _split(rest.removesuffix(">"))
    if name.strip() != "struct":
        return HiveType(name.strip(), tuple(map(hive_type, members)))
    pairs = [member.partition(":") for member in members]
    names = tuple(field.strip().strip("`") for field, _, _ in pairs)
    return HiveType("struct", tuple(hive_type(kind) for _, _, kind in pairs), names)


def duckdb_type(kind: HiveType) -> str:
    """Return the DuckDB type of a Hive type, nested ones too."""
    inner = list(map(duckdb_type, kind.parts))
    if kind.name == "array" and len(inner) == 1:
        return f"{inner[0]}[]"
    if kind.name == "map" and len(inner) == 2:
        return f"MAP({inner[0]}, {inner[1]})"
    if kind.name == "struct":
        named = (
            f'"{name.replace(chr(34), chr(34) * 2)}" {each}'
            for name, each in zip(kind.fields, inner, strict=True)
        )
        return f"STRUCT({', '.join(named)})"
    if kind.name == "decimal":
        return f"DECIMAL({kind.arguments or '10,0'})"
    return _SCALARS.get(kind.name, "VARCHAR")


def _split(inner: str) -> list[str]:
    """Split at the commas that are in no brackets."""
    parts, depth = [""], 0
    for character in inner:
        depth += (character in "<(") - (character in ">)")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts
