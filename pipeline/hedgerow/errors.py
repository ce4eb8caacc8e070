"""Every exception that Hedgerow raises on purpose.

    HedgerowError
    ├── SettingsError      a setting, flag or hedgerow.toml value that cannot be used
    ├── ResourceError      a model, lexicon or knowledge base that is missing or malformed
    ├── ContractError      a table that breaks its schema: a defect, the run stops
    ├── StoreError         a snapshot that is missing, incomplete or cannot be written
    │   └── LockedError    another run holds the outputs folder
    └── RejectedDocument   one document cannot be used: it becomes a row of `rejects`

A message says what was found, what was expected, where, and what to do next.
"""

from __future__ import annotations


class HedgerowError(Exception):
    """Base of all errors that Hedgerow raises on purpose."""


class SettingsError(HedgerowError):
    """A setting has a value that cannot be used."""


class ResourceError(HedgerowError):
    """A model, lexicon or knowledge base is missing or malformed."""


class ContractError(HedgerowError):
    """A table breaks its declared schema or one of its invariants."""


class StoreError(HedgerowError):
    """A snapshot is missing, incomplete or cannot be written."""


class LockedError(StoreError):
    """Another run holds the outputs folder."""


_MAX_DETAIL = 1_000


class RejectedDocument(HedgerowError):
    """One document cannot be used; the others go on.

    reason: one of `tables.REASONS`, the machine-readable cause.
    detail: what was found and what to do about it, for people; cut where it is overlong, since a
    parser's own message may repeat much of the document.
    transient: True where a later run may succeed with the same bytes.
    """

    def __init__(self, reason: str, detail: str, *, transient: bool = False) -> None:
        if len(detail) > _MAX_DETAIL:
            detail = detail[: _MAX_DETAIL - 1] + "…"
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.transient = transient

    def __reduce__(self) -> tuple[object, ...]:
        return (_rejected, (self.reason, self.detail, self.transient))


def _rejected(reason: str, detail: str, transient: bool) -> RejectedDocument:
    return RejectedDocument(reason, detail, transient=transient)
