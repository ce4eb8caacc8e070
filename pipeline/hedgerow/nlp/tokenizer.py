"""The tokenizer: scispaCy's rules, with words split at hyphens, slashes, operators and brackets.

scispaCy keeps "lidocaine-induced" whole, so no token span can carry "lidocaine". The extra rules
below split such words. Nothing is normalised: the tokens and their spaces always spell the text.
"""

import warnings
from collections.abc import Callable

from scispacy.custom_tokenizer import combined_rule_tokenizer
from spacy.lang.char_classes import ALPHA, ALPHA_UPPER
from spacy.language import Language
from spacy.tokenizer import Tokenizer
from spacy.util import compile_infix_regex, compile_prefix_regex, compile_suffix_regex, registry

_DASHES = "-‐‑‒–—−"  # the dashes that texts really use
_OPERATORS = "<>=≤≥≦≧±≈~×→←↑↓"
_BRACKETS = r"\[\](){}"
_MARKS = "•®™†‡§*|«»†‡¶…"

_EXTRA_INFIXES = (
    rf"(?<=[{ALPHA}0-9)\]'])[{_DASHES}/](?=[{ALPHA}0-9(\['])",  # lidocaine-induced, 0.63-0.79, 5-HT
    rf"(?<=[0-9%])[{_DASHES}/](?=[{ALPHA}0-9.])",  # 5%-10%
    rf"[{_OPERATORS}]",  # P<0.0001
    rf"[{_BRACKETS}]",  # effect[1]
    r"(?<=[0-9])%",  # 12%of
    rf"(?<=[{ALPHA}]),(?=[0-9])",  # trials,12
    rf"(?<=[{ALPHA}])[;:](?=[{ALPHA}0-9])",  # days;RR
    rf"(?<=[{ALPHA}])\.(?=\[)",
    rf"[{_MARKS}]",
)
_EXTRA_PREFIXES = (
    rf"[{_OPERATORS}]",
    rf"[{_BRACKETS}]",
    rf"[{_DASHES}/](?=.)",
    rf"[{_MARKS}]",
)
_EXTRA_SUFFIXES = (
    rf"[{_OPERATORS}]",
    rf"[{_BRACKETS}]",
    r"(?<=[0-9])%",
    rf"(?<=.)[{_DASHES}/]",
    rf"[{_MARKS}]",
    rf"(?<=[{ALPHA_UPPER}])\.",  # the full stop after "kappa B"
)
_WHOLE_WORDS = ("and/or",)


def make_tokenizer(nlp: Language) -> Tokenizer:
    """Return the tokenizer for `nlp`: scispaCy's rules first, then the splits of this project."""
    if not hasattr(nlp, "tokenizer"):  # while a pipeline is being made from a config
        nlp.tokenizer = Tokenizer(nlp.vocab)
    with warnings.catch_warnings():
        # spaCy's own character classes hold "||", which a later Python may read otherwise
        warnings.simplefilter("ignore", FutureWarning)
        base = combined_rule_tokenizer(nlp)
        prefixes = (base.prefix_search.__self__.pattern, *_EXTRA_PREFIXES)
        suffixes = (base.suffix_search.__self__.pattern, *_EXTRA_SUFFIXES)
        infixes = (*_EXTRA_INFIXES, base.infix_finditer.__self__.pattern)
        return Tokenizer(
            nlp.vocab,
            rules={word: rule for word, rule in base.rules.items() if word not in _WHOLE_WORDS},
            prefix_search=compile_prefix_regex(prefixes).search,
            suffix_search=compile_suffix_regex(suffixes).search,
            infix_finditer=compile_infix_regex(infixes).finditer,
            token_match=base.token_match,
        )


@registry.tokenizers("hedgerow.tokenizer.v1")  # type: ignore[untyped-decorator]
def create_tokenizer() -> Callable[[Language], Tokenizer]:
    """Return the factory that a spaCy config names under `[nlp.tokenizer]`."""
    return make_tokenizer
