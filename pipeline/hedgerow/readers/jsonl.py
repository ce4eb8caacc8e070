"""JSON Lines: one document a line, an object with `id`, `text` and optional fields.

Fields beside them: title, url, publisher, author, published, language, interest and licence. The
text is read as plain text is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hedgerow.errors import RejectedDocument
from hedgerow.limits import Limits
from hedgerow.readers import metadata
from hedgerow.readers.base import (
    DEFAULTS,
    Document,
    Item,
    Options,
    normalise,
    require_few_lines,
    require_letters,
)
from hedgerow.readers.text import blocks_of

_BOM = b"\xef\xbb\xbf"


def _parse(line: bytes) -> dict[str, Any]:
    """Return the object in a line; raise RejectedDocument "malformed" where there is none."""
    try:
        value = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise RejectedDocument(
            "malformed", f"found a byte that is not UTF-8 at {error.start}; save the line as UTF-8"
        ) from error
    except RecursionError as error:
        detail = "found JSON nested too deeply to read; flatten it"
        raise RejectedDocument("malformed", detail) from error
    except ValueError as error:
        raise RejectedDocument("malformed", f"found no JSON: {error}") from error
    if not isinstance(value, dict):
        raise RejectedDocument(
            "malformed", f"found a JSON {type(value).__name__}; expected an object with id and text"
        )
    if not isinstance(value.get("text"), str):
        raise RejectedDocument("malformed", 'found no "text" that is a string')
    if metadata.clean_id(value.get("id")) is None:
        raise RejectedDocument("missing_id", 'found no "id" that is a string or whole number')
    return value


class JsonLinesReader:
    """Reads .jsonl and .ndjson files."""

    media_type = "application/jsonl"
    suffixes = (".jsonl", ".ndjson")

    def split(self, content: bytes, options: Options = DEFAULTS) -> Iterator[Item]:
        """Yield one item a non-blank line; a line that cannot be used carries its error."""
        offset = len(_BOM) if content.startswith(_BOM) else 0
        number = 0
        while offset < len(content):
            number += 1
            end = content.find(b"\n", offset)
            end = len(content) if end < 0 else end
            raw = content[offset:end]
            line = raw.strip()
            if line:
                start = offset + len(raw) - len(raw.lstrip())
                yield self._item(line, start, f"line {number}", options.limits)
            offset = end + 1

    def _item(self, line: bytes, offset: int, label: str, limits: Limits) -> Item:
        try:
            limits.check("document_bytes", len(line), "bytes in a line")
            declared_id = metadata.clean_id(_parse(line)["id"])
        except RejectedDocument as rejected:
            return Item(offset, len(line), label=label, error=(rejected.reason, rejected.detail))
        return Item(offset, len(line), declared_id, label)

    def read(self, content: bytes, *, path: str, options: Options = DEFAULTS) -> Document:
        """Return the document in one line."""
        value = _parse(content)
        text = normalise(value["text"])
        if not text.strip():
            raise RejectedDocument("empty", 'found a blank "text"')
        require_few_lines(text, options.limits)
        require_letters(text, '"text"')
        blocks, title = blocks_of(text)
        fields = metadata.declared(value)
        fields.setdefault("title", title or "")
        return Document(
            text=text,
            blocks=blocks,
            media_type=self.media_type,
            declared_id=metadata.clean_id(value["id"]),
            **{name: value or None for name, value in fields.items()},
        )


READER = JsonLinesReader()
