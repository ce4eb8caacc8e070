"""XML: which reader a file needs is told by its root element, not by its name.

Archives name JATS articles and PubMed sets alike .xml, so this is the one reader for the suffix.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from hedgerow.errors import RejectedDocument
from hedgerow.readers import jats, pubmed
from hedgerow.readers.base import DEFAULTS, Document, Item, Options, Reader
from hedgerow.readers.xmltree import root_name

BY_ROOT: Mapping[str, Reader] = {
    **dict.fromkeys(jats.ROOTS, jats.READER),
    **dict.fromkeys(pubmed.ROOTS, pubmed.READER),
}
"""Reader by the local name of the root element."""


def reader_of(content: bytes) -> Reader:
    """Return the reader for an XML file or item.

    Raises RejectedDocument as `root_name` does, and "unknown_format" where the root is another.
    """
    name = root_name(content)
    if name not in BY_ROOT:
        raise RejectedDocument(
            "unknown_format",
            f"found XML whose root element is {name!r}; expected one of {', '.join(BY_ROOT)}",
        )
    return BY_ROOT[name]


class XmlReader:
    """Reads .xml and .nxml files: JATS articles, and sets of PubMed records."""

    media_type = "application/xml"
    suffixes = (".xml", ".nxml")

    def split(self, content: bytes, options: Options = DEFAULTS) -> Iterator[Item]:
        """Yield the items that the format's own reader finds."""
        yield from reader_of(content).split(content, options)

    def read(self, content: bytes, *, path: str, options: Options = DEFAULTS) -> Document:
        """Return the document in one item."""
        return reader_of(content).read(content, path=path, options=options)


READER = XmlReader()
