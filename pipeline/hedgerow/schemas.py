"""The tables, described for people: `hedgerow schema` and docs/tables.md."""

from __future__ import annotations

from hedgerow import tables


def type_name(column: tables.Column) -> str:
    """Return a column's type as people read it."""
    return "category" if column.values else str(column.type)


def markdown() -> str:
    """Return docs/tables.md."""
    lines = [
        "# Tables",
        "",
        "Made by `hedgerow schema --markdown > docs/tables.md`; a test holds it to the schemas.",
        "",
        "`outputs/latest/<table>/*.parquet` holds each table; every column's description stands in",
        "the schema metadata too. Offsets count Unicode code points, half-open, into",
        "`documents.text`. Categories are dictionary-encoded in the order listed.",
        "",
    ]
    for name, spec in tables.TABLES.items():
        key = ", ".join(f"`{column}`" for column in spec.key)
        facts = f"A row is {spec.row}. Key: {key}. Schema version {spec.version}."
        internal = " Internal: kept for re-runs and tools." if spec.internal else ""
        lines += [
            f"## `{name}`",
            "",
            facts + internal,
            "",
            "| column | type | null | description |",
            "| --- | --- | --- | --- |",
        ]
        for column in spec.columns:
            values = f" One of: {', '.join(column.values)}." if column.values else ""
            null = "yes" if column.nullable else ""
            lines.append(
                f"| `{column.name}` | {type_name(column)} | {null} | {column.description}{values} |"
            )
        lines.append("")
    return "\n".join(lines)
