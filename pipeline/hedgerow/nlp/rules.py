"""Rule files: TOML in `nlp/data`, each entry with an id, a source, and examples that prove it.

An entry has `id`, `source` (where the rule comes from), `pattern` (a regular expression, letter
case ignored unless `case = true`), `example` (a text that it must match), `counterexample` (one
that it must not), and whatever else the file's reader asks for.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from hedgerow.errors import ResourceError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_REQUIRED = ("id", "source", "pattern", "example", "counterexample")


@dataclass(frozen=True)
class Rule:
    """One entry of a rule file.

    fields: the entry's other keys, such as `measure` of an entry of measures.toml.
    """

    id: str
    source: str
    pattern: str
    example: str
    counterexample: str
    case: bool
    fields: Mapping[str, Any]

    @property
    def regex(self) -> re.Pattern[str]:
        """The compiled pattern."""
        return re.compile(self.pattern, 0 if self.case else re.IGNORECASE)

    @property
    def lower(self) -> re.Pattern[str]:
        """The compiled pattern for a text in lower case, where it is found several times faster."""
        return re.compile(self.pattern)


def hits(texts: Sequence[str], rules: Sequence[Rule]) -> npt.NDArray[np.bool_]:
    """Return which rules match somewhere in which texts: (n_texts, n_rules).

    Arrow's RE2 goes over a whole batch at once, nine times as fast as `re` over each text. The
    patterns must do without looking around, and \\w and \\b know ASCII only.
    Raises ResourceError where RE2 cannot read a pattern.
    """
    column = pa.array(texts, pa.string())
    found = np.zeros((len(texts), len(rules)), bool)
    for number, rule in enumerate(rules):
        try:
            matched = pc.match_substring_regex(column, rule.pattern, ignore_case=not rule.case)
        except pa.ArrowInvalid as error:
            raise ResourceError(
                f"rule {rule.id!r}: {error}; expected a pattern that RE2 can read"
            ) from error
        found[:, number] = matched.to_numpy(zero_copy_only=False)
    return found


@cache
def load_rules(name: str) -> tuple[Rule, ...]:
    """Return the entries of `nlp/data/<name>.toml`, in order.

    Raises ResourceError where the file is missing or an entry lacks a key or repeats an id.
    """
    entries = load_data(name).get("rule", [])
    rules = tuple(_rule(name, entry) for entry in entries)
    ids = [rule.id for rule in rules]
    double = sorted({i for i in ids if ids.count(i) > 1})
    if double:
        raise ResourceError(f"{name}.toml: found the id {double[0]!r} twice; expected unique ids")
    return rules


@cache
def load_data(name: str) -> Mapping[str, Any]:
    """Return the parsed `nlp/data/<name>.toml`.

    Raises ResourceError where the file is missing or no TOML.
    """
    path = resources.files("hedgerow.nlp") / "data" / f"{name}.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, tomllib.TOMLDecodeError) as error:
        raise ResourceError(
            f"{path}: {error}; expected a rule file, install the package again"
        ) from error


def words_of(name: str, key: str) -> frozenset[str]:
    """Return the list of words `key` of `nlp/data/<name>.toml` as a set, in lower case."""
    return frozenset(word.lower() for word in load_data(name)[key])


def _rule(name: str, entry: Mapping[str, Any]) -> Rule:
    missing = [key for key in _REQUIRED if not isinstance(entry.get(key), str)]
    if missing:
        raise ResourceError(
            f"{name}.toml, entry {entry.get('id', entry)!r}: found no text for {missing}; "
            f"expected {list(_REQUIRED)}"
        )
    extra = {k: v for k, v in entry.items() if k not in (*_REQUIRED, "case")}
    try:
        re.compile(entry["pattern"])
    except re.error as error:
        raise ResourceError(
            f"{name}.toml, entry {entry['id']!r}: {error} in its pattern"
        ) from error
    identity, source, pattern, example, counterexample = (str(entry[key]) for key in _REQUIRED)
    return Rule(
        identity, source, pattern, example, counterexample, bool(entry.get("case", False)), extra
    )
