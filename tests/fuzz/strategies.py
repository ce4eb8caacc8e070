"""Hypothesis strategies: fragments of every text format, well formed and not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from tests.fuzz import seeds

_WORDS = (
    "Zinc may help", "does not", "colds", "Side effects include:", "P<0.05", "HR 0.98", "75%",
    "References", "Lee A. J Made Up. 2019;3:1-9.", "[1]", "e.g.", "Fig. 2", "5 mg/kg", "Ⅳ", "ﬁ",
    "e\u0301", "a\u0338\u0301", "\u202eabc\u202c", "\u1100\u1161\u11a8", "\ud800", "\udfff", "\0",
    "P = ", "P<10^-5", "1e-5", "10⁻⁵", "3 × 10-5", "95% CI 0.8 to 1.1", "n = ", "ß", "İ", "😀",
    "👩\u200d🔬", "\u2028", "\x85", "\u3000", "\xad", "\U0001d160", "\u0345",
)  # fmt: skip


def texts() -> SearchStrategy[str]:
    """Texts of words, odd characters and punctuation, runs of one character among them."""
    run = st.builds(
        str.__mul__, st.sampled_from("([{<“‘.!?-–•|*_#`~>=;: \t\n0a\u0301"), st.integers(1, 400)
    )
    token = st.sampled_from([t.decode() for t in seeds.tokens("text")])
    part = st.one_of(st.sampled_from(_WORDS), token, run, st.text(max_size=12))
    joint = st.sampled_from(("", " ", " ", "\n", "\n\n", "\r\n", "\t", ". "))
    return st.lists(st.tuples(part, joint), max_size=25).map(
        lambda parts: "".join(a + b for a, b in parts)
    )


@lru_cache(maxsize=8)
def _tokens(name: str) -> tuple[str, ...]:
    return tuple(token.decode() for token in seeds.tokens(name))


def _marked_up(name: str) -> SearchStrategy[str]:
    """Tokens of a format between texts, a few of them over and over too."""
    token = st.sampled_from(_tokens(name))
    few = st.lists(token, min_size=1, max_size=4).map("".join)
    part = st.one_of(token, texts(), st.builds(str.__mul__, few, st.integers(1, 400)))
    return st.lists(part, max_size=25).map("".join)


def _elements(names: tuple[str, ...], attributes: tuple[str, ...]) -> SearchStrategy[str]:
    """Trees of elements, nested properly, and chains of them as deep as parsers go."""

    def wrapped(inner: SearchStrategy[str]) -> SearchStrategy[str]:
        return st.builds(
            lambda name, attribute, children: f"<{name}{attribute}>{''.join(children)}</{name}>",
            st.sampled_from(names),
            st.sampled_from(("", "", *attributes)),
            st.lists(inner, max_size=6),
        )

    def chain(name: str, depth: int, text: str) -> str:
        return f"<{name}>" * depth + text + f"</{name}>" * depth

    words = st.sampled_from([w for w in _WORDS if "\0" not in w and "<" not in w])
    deep = st.builds(chain, st.sampled_from(names), st.integers(1, 400), words)
    return st.recursive(st.one_of(words, deep), wrapped, max_leaves=20)


_HTML = (
    "div", "p", "span", "ul", "ol", "li", "dl", "dt", "dd", "table", "tr", "td", "th", "caption",
    "h1", "h3", "sup", "b", "a", "nav", "main", "article", "section", "blockquote", "figure",
    "figcaption", "br", "pre", "details", "summary",
)  # fmt: skip
_JATS = (
    "sec", "title", "p", "list", "list-item", "table-wrap", "table", "tr", "td", "fig", "caption",
    "xref", "sup", "italic", "disp-quote", "boxed-text", "fn", "def-list", "def-item", "term",
    "def",
)  # fmt: skip


def _jats() -> SearchStrategy[str]:
    head = "<front><article-meta><article-id pub-id-type='doi'>10.5555/x</article-id>"
    body = _elements(_JATS, (" rid='r1 r2'", " ref-type='bibr'", " id='r1'", " colspan='70'"))
    return st.builds(
        lambda title, body, back: (
            f"<article>{head}<title-group><article-title>{title}"
            f"</article-title></title-group></article-meta></front><body><p>Zinc.</p>{body}</body>"
            f"<back><ref-list>{back}</ref-list></back></article>"
        ),
        st.sampled_from(("Zinc", "", "<sup>1</sup>")),
        body,
        _elements(("ref", "label", "mixed-citation", "element-citation", "year"), (" id='r1'",)),
    )


def _json() -> SearchStrategy[str]:
    scalars = st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(), texts(), st.just(10**400)
    )
    values = st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts(), inner, max_size=3),
        max_leaves=8,
    )
    names = st.sampled_from(("id", "text", "title", "authors", "date", "lang", "interest", "url"))
    whole = st.dictionaries(names, st.one_of(texts(), values), max_size=6).map(json.dumps)
    cut = st.builds(lambda text, n: text[: len(text) - n], whole, st.integers(0, 3))
    good = texts().map(lambda text: json.dumps({"id": "a", "text": text}))
    return st.lists(st.one_of(whole, cut, good), max_size=5).map("\n".join)


def _rows(delimiter: str) -> SearchStrategy[str]:
    quoted = texts().map(lambda text: '"' + text.replace('"', '""') + '"')
    cell = st.one_of(texts(), quoted, st.sampled_from(("", '"', "1", "Zinc helps.")))
    header = st.sampled_from(("id,text", "pmid,abstract,title", "text", "id,text,text", "a,b"))
    rows = st.lists(st.lists(cell, min_size=1, max_size=4).map(delimiter.join), max_size=6)
    return st.builds(
        lambda head, body: "\n".join((head.replace(",", delimiter), *body)), header, rows
    )


TEXTS: Mapping[str, SearchStrategy[str]] = {
    "text": texts(),
    "markdown": _marked_up("markdown"),
    "html": st.one_of(
        _marked_up("html"),
        _elements(_HTML, (" class='menu'", " hidden", " start='-5'", " rowspan='99'", " role=x")),
    ),
    "jsonl": _json(),
    "jats": st.one_of(_jats(), _marked_up("jats").map("<article>{}</article>".format)),
    "pubmed": _marked_up("pubmed").map("<PubmedArticleSet>{}</PubmedArticleSet>".format),
    "csv": st.one_of(_rows(","), _rows(";")),
    "tsv": _rows("\t"),
}
"""Documents as text, by the reader's name in `harness.FILES`."""


def files(name: str) -> SearchStrategy[bytes]:
    """Files of a format: documents as text in some encoding, or a seed with bytes changed."""
    found = list(seeds.seeds(name))

    def changed(content: bytes, changes: list[tuple[int, bytes]]) -> bytes:
        for place, new in changes:
            at = place % (len(content) + 1)
            content = content[:at] + new + content[at + len(new) :]
        return content

    edits = st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(max_size=6)), max_size=8)
    broken = st.builds(changed, st.sampled_from(found), edits)
    if name not in TEXTS:
        return broken
    encoding = st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "latin-1"))

    def encoded(text: str, encoding: str) -> bytes:
        errors = "surrogatepass" if encoding.startswith("utf") else "replace"
        return text.encode(encoding, errors)

    return st.one_of(st.builds(encoded, TEXTS[name], encoding), broken)
