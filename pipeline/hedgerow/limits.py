"""Limits on what is read, by count and size, never by the clock.

They are the `[limits]` of hedgerow.toml (`HEDGEROW_LIMITS__PAGES` and so on in the environment).
What exceeds one is a reject that names the limit; the defaults are far above honest documents
and low enough that one document, or one file, fits into the memory of a small machine.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from hedgerow.errors import RejectedDocument

_SMALL = 1_000_000
"""Bytes that anything may unpack to, whatever the ratio."""


class Limits(BaseModel):
    """The most of each thing that is read. Immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file_bytes: int = Field(
        default=500_000_000,
        ge=1,
        description="Bytes of a file as it lies; a larger one is not opened.",
    )
    unpacked_bytes: int = Field(
        default=500_000_000,
        ge=1,
        description="Bytes of a packed file, or the columns of a Parquet file, once unpacked.",
    )
    unpacked_ratio: int = Field(
        default=200,
        ge=1,
        description="How many times its packed size something may unpack to, beyond a megabyte.",
    )
    documents: int = Field(
        default=500_000, ge=1, description="Documents (lines, rows, records) of a file."
    )
    columns: int = Field(default=1_000, ge=1, description="Columns of a CSV, TSV or Parquet file.")
    document_bytes: int = Field(
        default=20_000_000, ge=1, description="Bytes of a document, before it is read."
    )
    characters: int = Field(default=5_000_000, ge=1, description="Characters of a document's text.")
    blocks: int = Field(
        default=100_000, ge=1, description="Blocks (paragraphs, items, rows) of a document."
    )
    tags: int = Field(
        default=1_000_000,
        ge=1,
        description="Tags, or attributes, of a page, XML or Word file; marks in Markdown.",
    )
    depth: int = Field(
        default=100,
        ge=1,
        le=200,
        description="Elements, lists or quotes of a document inside one another.",
    )
    pages: int = Field(default=2_000, ge=1, description="Pages of a PDF.")
    objects: int = Field(default=2_000_000, ge=1, description="Objects of a PDF.")
    part_bytes: int = Field(
        default=64_000_000,
        ge=1,
        description="Bytes of one unpacked part of a Word file or stream of a PDF.",
    )
    parts_bytes: int = Field(
        default=256_000_000,
        ge=1,
        description="Bytes of all unpacked parts or streams of a document.",
    )

    def check(self, name: str, found: int, what: str) -> None:
        """Raise RejectedDocument "too_large" where more was found than the limit of that name."""
        if found > getattr(self, name):
            raise self.exceeded(name, f"{found:,} {what}")

    def check_ratio(self, packed: int, unpacked: int) -> None:
        """Raise RejectedDocument where something unpacks to far more than its packed size."""
        ratio = unpacked // max(packed, 1)
        if unpacked > _SMALL and ratio > self.unpacked_ratio:
            raise self.exceeded("unpacked_ratio", f"something that unpacks to {ratio:,} its size")

    def exceeded(self, name: str, found: str) -> RejectedDocument:
        """Return the rejection of what exceeds a limit; found: how much of what there is."""
        return RejectedDocument(
            "too_large",
            f"found {found}; expected at most {getattr(self, name):,} (limits.{name}); make it "
            f"smaller, or raise {name} under [limits] in hedgerow.toml",
        )


READING = (
    "blocks",
    "characters",
    "depth",
    "objects",
    "pages",
    "part_bytes",
    "parts_bytes",
    "tags",
    "unpacked_ratio",
)
"""Limits that are met while a document is read, so that rows depend on them; the others are met
by every scan of the corpus folder anew."""
