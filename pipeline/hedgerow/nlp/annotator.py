"""The one neural pass: a shared encoder, tag heads, scope heads and unit heads.

A `Doc` is one unit of text (a sentence, a list item, a table row). For each unit the component
gives spans (entities, claim arguments, cues), per-token scores for cues and scope borders, and a
probability for every class of the unit. Groups of tags are independent of each other, so that a
corpus that annotates only chemicals teaches only chemicals, and spans of two groups may overlap.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from spacy.language import Language
from spacy.pipeline import TrainablePipe
from spacy.tokens import Doc, Span
from spacy.training import Example
from spacy.util import registry
from spacy.vocab import Vocab
from thinc.api import (
    Adam,
    Embed,
    HashEmbed,
    Linear,
    Maxout,
    Model,
    Optimizer,
    set_dropout_rate,
)
from thinc.model import deserialize_attr, serialize_attr
from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

import hedgerow.nlp.tokenizer  # noqa: F401  registers the tokenizer that the saved pipeline names
from hedgerow.nlp.features import (
    COLUMNS,
    N_CODES,
    Floats,
    Int64s,
    NameList,
    UInt8s,
    UInt64s,
    WordTable,
)

ENTITY_LABELS = ("CHEMICAL", "DISEASE", "GENE", "ANATOMY", "SPECIES")
"""Groups that make `doc.ents`."""

CORPUS_LABELS = ("CANCER", "PROTEIN")
"""Groups kept apart since one corpus draws them otherwise: AnatEM's tumours, JNLPBA's proteins."""

ARGUMENT_LABELS = ("SUBJECT", "OUTCOME", "POPULATION", "SOURCE")
"""Arguments of a unit's claim; SOURCE is the party or study it is attributed to."""

CUE_LABELS = ("SPECULATION", "NEGATION", "HEDGE", "DENIAL")
"""Cues as BioScope draws them (the first two), and as this project's guideline does."""

TAG_LABELS = (*ENTITY_LABELS, *CORPUS_LABELS, *ARGUMENT_LABELS, *CUE_LABELS)

SCOPE_LABELS = (
    "speculation_first",
    "speculation_last",
    "negation_first",
    "negation_last",
)
"""Token is the first, or the last, of some cue's scope (BioScope)."""

UNIT_LABELS: dict[str, tuple[str, ...]] = {
    "kind": (
        "claim", "lead_in", "aim", "heading", "question",
        "advice", "promotional", "opinion", "reference", "other",
    ),
    "certainty": ("certain", "probable", "possible", "uncommitted"),
    "polarity": ("affirmed", "negated"),
    "attribution": ("author", "cited", "reported"),
    "claim_type": (
        "efficacy", "safety", "mechanism", "composition", "usage",
        "regulatory", "market", "evidence_quality", "background",
    ),
    "direction": ("benefit", "harm", "no_effect", "mixed", "neutral", "none"),
    "evidence": (
        "meta_analysis", "rct", "human", "animal", "in_vitro",
        "regulator", "expert", "anecdote", "none",
    ),
    "effect": ("increase", "decrease", "no_change"),
}  # fmt: skip
"""Classes of a unit, in the guideline's order; `effect` is what happens to the outcome."""

TARGETS_KEY = "hedgerow.targets"
"""Where a training `Doc` keeps its `Targets`, in `user_data`."""

_N_TAGS = 5  # O, B, I, L, U
_MASKED = -1
_TILE = 12  # rows that a unit is padded to; OpenBLAS repeats its row kernels every 12 rows
_BLOCK = 192  # rows of a matrix product
_UNIT_WEIGHT = 2.0  # of a unit's class in the loss; a token's tag weighs 1
_MAX_SCOPE = 256  # tokens; what is longer is no sentence
_NAME_DROPOUT = 0.1  # share of training units that do without the name list

Int8s = npt.NDArray[np.int8]
Units = Sequence[Sequence[str]]
"""Units of text, each as its tokens' texts: the network needs no more of a `Doc`."""


@dataclass(frozen=True)
class TaggedSpan:
    """A decoded span, tokens [token_start, token_end).

    score: the geometric mean of the probabilities of its tags, above 0 and at most 1.
    """

    label: str
    token_start: int
    token_end: int
    score: float


@dataclass(frozen=True)
class UnitAnnotation:
    """What every head says about one unit of n tokens.

    spans: decoded spans of every group, by group in the order of `TAG_LABELS`, then by start;
    cues: for each cue group, the probability (n,) that a token belongs to a cue;
    scopes: for each of `SCOPE_LABELS`, the probability (n,);
    units: for each unit head, the probability of each class, in the order of `UNIT_LABELS`.
    """

    spans: tuple[TaggedSpan, ...]
    cues: Mapping[str, Floats]
    scopes: Mapping[str, Floats]
    units: Mapping[str, Floats]


@dataclass
class Targets:
    """Gold annotation of one unit of n tokens; what is absent is masked in the loss.

    tags: (n, groups) int8, BILOU tags as 0 to 4 (O B I L U), -1 masked;
    scopes: (n, 4) int8, 0 or 1, -1 masked; units: (heads,) int8, class numbers, -1 masked.
    """

    tags: Int8s
    scopes: Int8s
    units: Int8s

    @classmethod
    def build(
        cls,
        n_tokens: int,
        *,
        spans: Mapping[str, Iterable[tuple[int, int]]] | None = None,
        scopes: Mapping[str, Iterable[int]] | None = None,
        units: Mapping[str, str] | None = None,
    ) -> "Targets":
        """Build targets from token spans by group, token numbers by scope label, classes by head.

        A group, scope label or head that is not named is masked. Of overlapping spans of one
        group the first is kept.
        """
        tags = np.full((n_tokens, len(TAG_LABELS)), _MASKED, dtype=np.int8)
        for label, places in (spans or {}).items():
            column = tags[:, TAG_LABELS.index(label)]
            column[:] = 0
            for start, end in places:
                if column[start:end].any():
                    continue
                if end == start + 1:
                    column[start] = 4
                else:
                    column[start:end] = 2
                    column[start], column[end - 1] = 1, 3
        borders = np.full((n_tokens, len(SCOPE_LABELS)), _MASKED, dtype=np.int8)
        for label, tokens in (scopes or {}).items():
            borders[:, SCOPE_LABELS.index(label)] = 0
            borders[list(tokens), SCOPE_LABELS.index(label)] = 1
        classes = np.full(len(UNIT_LABELS), _MASKED, dtype=np.int8)
        for i, (head, labels) in enumerate(UNIT_LABELS.items()):
            if units and head in units:
                classes[i] = labels.index(units[head])
        return cls(tags, borders, classes)


@dataclass
class Scores:
    """Raw scores of a batch: tokens (n_tokens, 5 * groups + 4), units (n_units, classes)."""

    tokens: Floats
    units: Floats


@dataclass
class _Resources:
    """What is derived from the weights for speed; never serialised.

    mixed: (rows, width) the encoder's input of each form in the word table, the first `n_mixed`
    of them computed with the mixing weights `mixed_by`.
    """

    words: WordTable | None = None
    names: NameList | None = None
    mixed: Floats | None = None
    n_mixed: int = 0
    mixed_by: Any = None
    generation: int = 0

    def ready(self, model: "Model[Units, Scores]", vocab: Vocab) -> "_Resources":
        """Return self with the tables made for `vocab`."""
        if self.words is None or self.names is None or self.words.vocab is not vocab:
            self.words = WordTable(vocab)
            self.names = NameList(
                cast("UInt64s", model.get_param("name_keys")),
                cast("UInt8s", model.get_param("name_values")),
            )
            self.mixed = None
        return self

    def clear(self) -> None:
        """Forget everything, as after loading weights."""
        self.words = self.names = self.mixed = None

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Resources":
        return _Resources()


@serialize_attr.register(_Resources)  # type: ignore[untyped-decorator]
def _serialize_resources(_: _Resources, value: Any, name: str, model: Any) -> bytes:
    return b""


@deserialize_attr.register(_Resources)  # type: ignore[untyped-decorator]
def _deserialize_resources(_: _Resources, value: Any, name: str, model: Any) -> _Resources:
    return _Resources()


@registry.architectures("hedgerow.Annotator.v1")  # type: ignore[untyped-decorator]
def build_model(
    *,
    width: int,
    embed_width: int,
    rows: list[int],
    vector_width: int,
    pieces: int,
    dilations: list[int],
    unit_width: int,
) -> Model[Units, Scores]:
    """Build the network: word features, dilated convolutions (Strubell et al. 2017), heads.

    width: size of a token's vector; embed_width: size of each hashed feature; rows: table rows for
    each of `COLUMNS`; vector_width: size of the floret vectors in the vocabulary, 0 where there are
    none; pieces: of every maxout; dilations: one residual convolution of window three
    each; unit_width: size of the pooled vectors.
    """
    if len(rows) != len(COLUMNS):
        message = f"rows has {len(rows)} numbers, expected one for each of {', '.join(COLUMNS)}"
        raise ValueError(message)
    hashed = [HashEmbed(embed_width, count, column=i, seed=i + 7) for i, count in enumerate(rows)]
    mix_width = len(COLUMNS) * embed_width + vector_width
    mix = Maxout(nO=width, nI=mix_width, nP=pieces, normalize=True, dropout=0.0)
    names = Embed(width, N_CODES)
    encoder = [
        Maxout(nO=width, nI=3 * width, nP=pieces, normalize=True, dropout=0.0) for _ in dilations
    ]
    n_token = _N_TAGS * len(TAG_LABELS) + len(SCOPE_LABELS)
    n_unit = sum(len(labels) for labels in UNIT_LABELS.values())
    token_head: Model[Any, Any] = Linear(n_token, width)
    unit_hidden = Maxout(nO=unit_width, nI=width, nP=pieces, normalize=True, dropout=0.0)
    unit_head: Model[Any, Any] = Linear(n_unit, 2 * unit_width)
    model: Model[Units, Scores] = Model(
        "hedgerow_annotator",
        _forward,
        layers=[*hashed, mix, names, *encoder, token_head, unit_hidden, unit_head],
        attrs={"dilations": list(dilations), "resources": _Resources()},
        params={"name_keys": None, "name_values": None},
        dims={"vectors": vector_width},
    )
    model.set_ref("mix", mix)
    model.set_ref("names", names)
    model.set_ref("token_head", token_head)
    model.set_ref("unit_hidden", unit_hidden)
    model.set_ref("unit_head", unit_head)
    return model


def initialize_model(model: Model[Units, Scores], vocab: Vocab, names: NameList) -> None:
    """Allocate the weights for the vectors in `vocab`, and keep `names` with them."""
    size = WordTable(vocab).size
    if size != model.get_dim("vectors"):
        message = (
            f"the vocabulary has floret vectors of {size} numbers, the config says vector_width = "
            f"{model.get_dim('vectors')}: load the vectors before, or set vector_width to {size}"
        )
        raise ValueError(message)
    model.set_param("name_keys", names.keys)
    model.set_param("name_values", names.values)
    for layer in model.layers:
        layer.initialize()


def _forward(
    model: Model[Units, Scores], units: Units, is_train: bool
) -> tuple[Scores, Callable[[Scores], Units]]:
    """Score a batch of units, none of them empty, with thinc's layers, which can learn.

    Outside training `_predict` computes the same, unit by unit.
    """
    if not is_train:
        return _predict(model, units), lambda gradient: units
    ops = model.ops
    n_columns, dilations = len(COLUMNS), model.attrs["dilations"]
    hashed, convolutions = model.layers[:n_columns], model.layers[n_columns + 2 : -3]
    mix, names = model.get_ref("mix"), model.get_ref("names")
    token_head = model.get_ref("token_head")
    unit_hidden, unit_head = model.get_ref("unit_hidden"), model.get_ref("unit_head")

    lengths = [len(unit) for unit in units]
    resources = model.attrs["resources"]
    resources.mixed = None  # the weights are about to change
    words, name_list = resources.words, resources.names
    rows = words.rows_of(units)
    codes = name_list.codes(words.names[rows], lengths)
    codes = codes * np.repeat(np.random.random(len(units)) > _NAME_DROPOUT, lengths)
    used, forms = np.unique(rows, return_inverse=True)
    hashes, vectors = words.hashes[used], words.vectors[used]

    # Words: hashed features and vector of each form, mixed once a form, then spread over tokens.
    parts, embed_backprops = [], []
    for layer in hashed:
        part, learn = layer(hashes, is_train)
        parts.append(part)
        embed_backprops.append(learn)
    mixed, mix_backprop = mix(np.concatenate([*parts, vectors], axis=1), is_train)
    named, names_backprop = names(codes, is_train)
    state = mixed[forms] + named

    # Encoder: state += maxout(left, self, right) with growing and closing distance.
    starts = np.repeat(np.cumsum([0, *lengths[:-1]]), lengths)
    place = np.arange(len(forms)) - starts
    left_over = np.repeat(lengths, lengths) - 1 - place
    steps = []
    for layer, distance in zip(convolutions, dilations, strict=True):
        no_left, no_right = place < distance, left_over < distance
        out, learn = layer(_window(state, distance, no_left, no_right), is_train)
        steps.append((distance, no_left, no_right, learn))
        state = state + out

    token_scores, token_backprop = token_head(state, is_train)
    hidden, hidden_backprop = unit_hidden(state, is_train)
    sizes = ops.asarray1i(lengths)
    mean = ops.reduce_mean(hidden, sizes)
    top, which = ops.reduce_max(hidden, sizes)
    unit_scores, unit_backprop = unit_head(np.concatenate([mean, top], axis=1), is_train)

    def backprop(gradient: Scores) -> Units:
        d_pooled = unit_backprop(gradient.units)
        half = d_pooled.shape[1] // 2
        d_hidden = ops.backprop_reduce_mean(ops.as_contig(d_pooled[:, :half]), sizes)
        d_hidden += ops.backprop_reduce_max(ops.as_contig(d_pooled[:, half:]), which, sizes)
        d_state = hidden_backprop(d_hidden) + token_backprop(gradient.tokens)
        for distance, no_left, no_right, step in reversed(steps):
            d_state = d_state + _unwindow(step(d_state), distance, no_left, no_right)
        names_backprop(d_state)
        d_mixed = ops.alloc2f(*mixed.shape)
        ops.scatter_add(d_mixed, forms, d_state)
        d_parts = mix_backprop(d_mixed)
        size = parts[0].shape[1]
        for i, step in enumerate(embed_backprops):
            step(ops.as_contig(d_parts[:, i * size : (i + 1) * size]))
        return units

    return Scores(token_scores, unit_scores), backprop


def _predict(model: Model[Units, Scores], units: Units) -> Scores:
    """Score a batch of units, none of them empty; each as if it were alone.

    The bits of a matrix product depend on its shape and on a row's place in it. So units are laid
    out with their first token at a multiple of `_TILE` rows, all products have `_BLOCK` rows, and
    where a processor's products should still depend on the tile, units are multiplied one by one.
    """
    lengths = np.asarray([len(unit) for unit in units])
    resources = model.attrs["resources"]
    rows = resources.words.rows_of(units)
    codes = resources.names.codes(resources.words.names[rows], lengths)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    place = np.arange(len(rows)) - np.repeat(starts, lengths)
    tiles = -(-lengths // _TILE) * _TILE
    first_rows = np.cumsum(tiles) - tiles
    at = np.repeat(first_rows, lengths) + place
    n_rows = -(-int(tiles.sum()) // _BLOCK) * _BLOCK
    bounds = list(zip(first_rows.tolist(), (first_rows + tiles).tolist(), strict=True))

    embedded = model.get_ref("names").get_param("E")
    state = np.zeros((n_rows, embedded.shape[1]), dtype=np.float32)
    state[at] = _mixed_forms(model, resources)[rows] + embedded[codes]
    to_left = np.full(n_rows, -1)  # tokens of the same unit to either side; -1 between units
    to_left[at] = place
    to_right = np.full(n_rows, -1)
    to_right[at] = np.repeat(lengths, lengths) - 1 - place
    convolutions = model.layers[len(COLUMNS) + 2 : -3]
    for layer, distance in zip(convolutions, model.attrs["dilations"], strict=True):
        window = _window(state, distance, to_left < distance, to_right < distance)
        state += _maxout(layer, window, bounds)

    token_head, unit_head = model.get_ref("token_head"), model.get_ref("unit_head")
    tokens = _tiled_product(state, np.ascontiguousarray(token_head.get_param("W").T), bounds)
    tokens = tokens[at] + token_head.get_param("b")
    hidden = _maxout(model.get_ref("unit_hidden"), state, bounds)[at]
    mean = np.add.reduceat(hidden, starts, axis=0) / lengths[:, None].astype(np.float32)
    top = np.maximum.reduceat(hidden, starts, axis=0)
    pooled = np.concatenate([mean, top], axis=1)
    classes = _row_product(pooled, np.ascontiguousarray(unit_head.get_param("W").T))
    return Scores(tokens, classes + unit_head.get_param("b"))


def _mixed_forms(model: Model[Units, Scores], resources: _Resources) -> Floats:
    """Return the encoder's input (rows, width) of every form in the word table."""
    words = cast("WordTable", resources.words)
    mix = model.get_ref("mix")
    weights = _parts_of(mix)[0].get_param("W")
    stale = resources.mixed_by is not weights or resources.generation != words.generation
    if resources.mixed is None or stale:
        resources.mixed = np.zeros((0, weights.shape[0]), dtype=np.float32)
        resources.n_mixed, resources.mixed_by = 0, weights
        resources.generation = words.generation
    if resources.n_mixed < len(words):
        new = slice(resources.n_mixed, len(words))
        parts = [layer.predict(words.hashes[new]) for layer in model.layers[: len(COLUMNS)]]
        inputs = np.concatenate([*parts, words.vectors[new]], axis=1)
        fresh = _maxout(mix, inputs, None)
        if len(resources.mixed) < len(words):
            room = np.zeros((2 * len(words), weights.shape[0]), dtype=np.float32)
            room[: resources.n_mixed] = resources.mixed[: resources.n_mixed]
            resources.mixed = room
        resources.mixed[new] = fresh
        resources.n_mixed = len(words)
    return resources.mixed


def _row_product(inputs: Floats, weights: Floats) -> Floats:
    """Return inputs (n, k) @ weights (k, m), each row as a product of its own."""
    return cast("Floats", np.matmul(inputs[:, None, :], weights)[:, 0, :])


def _tiled_product(inputs: Floats, weights: Floats, bounds: Sequence[tuple[int, int]]) -> Floats:
    """Return inputs (n, k) @ weights (k, m); n is a multiple of `_BLOCK`.

    bounds: the rows of each unit, from a multiple of `_TILE` to another.
    """
    size, width = weights.shape
    if _tiles_agree(size, width):
        blocks = np.matmul(inputs.reshape(-1, _BLOCK, size), weights)
        return cast("Floats", blocks.reshape(-1, width))
    out = np.zeros((len(inputs), width), dtype=np.float32)
    for start, end in bounds:
        np.matmul(inputs[start:end], weights, out=out[start:end])
    return out


@cache
def _tiles_agree(size: int, width: int) -> bool:
    """Say whether a tile times (size, width) weights is the same bits anywhere in a block."""
    random = np.random.default_rng(0)
    weights = random.standard_normal((size, width), dtype=np.float32)
    tile = random.standard_normal((_TILE, size), dtype=np.float32)
    products = []
    for start in range(0, _BLOCK, _TILE):
        block = random.standard_normal((_BLOCK, size), dtype=np.float32)
        block[start : start + _TILE] = tile
        products.append((block @ weights)[start : start + _TILE])
    return all(np.array_equal(product, products[0]) for product in products)


def _maxout(
    layer: Model[Any, Any], inputs: Floats, bounds: Sequence[tuple[int, int]] | None
) -> Floats:
    """Return what a maxout layer with layer normalisation makes of inputs (n, k): (n, width).

    bounds: see `_tiled_product`; None to multiply row by row.
    """
    linear, norm = _parts_of(layer)
    weights, bias = linear.get_param("W"), linear.get_param("b")
    width, pieces, _ = weights.shape
    by_piece = np.ascontiguousarray(weights.transpose(2, 1, 0)).reshape(-1, pieces * width)
    if bounds is None:
        sums = _row_product(inputs, by_piece)
    else:
        sums = _tiled_product(inputs, by_piece, bounds)
    sums += bias.T.reshape(-1)
    best: Floats = sums[:, :width]
    for piece in range(1, pieces):
        best = np.maximum(best, sums[:, piece * width : (piece + 1) * width])
    best = best - best.mean(axis=1, keepdims=True)
    variance = np.square(best).mean(axis=1, keepdims=True) + np.float32(1e-8)
    best /= np.sqrt(variance)
    best *= norm.get_param("G")
    best += norm.get_param("b")
    return best


def _parts_of(layer: Model[Any, Any]) -> tuple[Model[Any, Any], Model[Any, Any]]:
    """Return the maxout and the layer normalisation inside one of thinc's maxout chains."""
    nodes = {node.name: node for node in layer.walk()}
    return nodes["maxout"], nodes["layernorm"]


def _window(
    state: Floats, distance: int, no_left: npt.NDArray[np.bool_], no_right: npt.NDArray[np.bool_]
) -> Floats:
    """Return (n, 3 * width): the vectors `distance` to the left, at, and to the right."""
    n, width = state.shape
    out = np.zeros((n, 3 * width), dtype=np.float32)
    out[:, width : 2 * width] = state
    if n > distance:
        out[distance:, :width] = state[:-distance]
        out[:-distance, 2 * width :] = state[distance:]
    out[no_left, :width] = 0
    out[no_right, 2 * width :] = 0
    return out


def _unwindow(
    gradient: Floats, distance: int, no_left: npt.NDArray[np.bool_], no_right: npt.NDArray[np.bool_]
) -> Floats:
    """Return the gradient (n, width) of `_window`'s input."""
    width = gradient.shape[1] // 3
    gradient[no_left, :width] = 0
    gradient[no_right, 2 * width :] = 0
    out = gradient[:, width : 2 * width].copy()
    if len(out) > distance:
        out[:-distance] += gradient[distance:, :width]
        out[distance:] += gradient[:-distance, 2 * width :]
    return out


def _sigmoid(scores: Floats) -> Floats:
    return cast("Floats", 1.0 / (1.0 + np.exp(-np.clip(scores, -30.0, 30.0))))


def _softmax(scores: Floats) -> Floats:
    shifted = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return cast("Floats", shifted / shifted.sum(axis=-1, keepdims=True))


def decode_tags(log_probs: Floats, lengths: Sequence[int] | Int64s) -> Int8s:
    """Return the best well-formed BILOU tags of many sequences at once (Viterbi).

    In: log-probabilities (sequences, longest, 5) and the true lengths. Out: tags
    (sequences, longest); what lies beyond a sequence's end is 0.
    """
    n, longest, _ = log_probs.shape
    order = np.argsort(-np.asarray(lengths), kind="stable")
    sizes = np.asarray(lengths)[order]
    steps = np.ascontiguousarray(log_probs[order].transpose(1, 2, 0))
    closed = np.zeros(n, dtype=np.float32)  # best score of a prefix with no span open
    opened = np.full(n, -1e6, dtype=np.float32)  # ... with a span open
    closed_from = np.zeros((longest, n), dtype=np.int8)  # tag that closed the prefix: O, L or U
    opened_from = np.zeros((longest, n), dtype=np.int8)  # tag that left it open: B or I
    live = [int(np.searchsorted(-sizes, -t, side="left")) for t in range(longest)]
    for t, k in enumerate(live):  # the first k sequences are longer than t
        outside, begin, inside, last, single = steps[t, :, :k]
        best = closed[:k] + np.maximum(outside, single)
        from_open = opened[:k] + last
        closed_from[t, :k] = np.where(from_open > best, 3, np.where(single > outside, 4, 0))
        begin = closed[:k] + begin
        inside = opened[:k] + inside
        opened_from[t, :k] = np.where(begin >= inside, 1, 2)
        opened[:k] = np.maximum(begin, inside)
        closed[:k] = np.maximum(best, from_open)
    tags = np.zeros((n, longest), dtype=np.int8)
    is_open = np.zeros(n, dtype=bool)
    for t in range(longest - 1, -1, -1):
        k = live[t]
        tag = np.where(is_open[:k], opened_from[t, :k], closed_from[t, :k])
        tags[order[:k], t] = tag
        is_open[:k] = (tag == 3) | (tag == 2)
    return tags


def resolve(spans: Iterable[TaggedSpan]) -> list[TaggedSpan]:
    """Return spans without overlaps, the best score first, longer before shorter, by start."""
    chosen: list[TaggedSpan] = []
    taken: set[int] = set()
    ranked = sorted(
        spans,
        key=lambda span: (
            -span.score,
            span.token_start - span.token_end,
            span.token_start,
            TAG_LABELS.index(span.label),
        ),
    )
    for span in ranked:
        tokens = range(span.token_start, span.token_end)
        if taken.isdisjoint(tokens):
            taken.update(tokens)
            chosen.append(span)
    return sorted(chosen, key=lambda span: span.token_start)


def find_scope(first: Floats, last: Floats, start: int, end: int) -> tuple[int, int]:
    """Return the token scope [start, end) of a cue at tokens [start, end).

    `first` and `last` (n,) are the probabilities that a token begins or ends a scope. The scope
    begins at the token at or before the cue with the largest chance to be the nearest border:
    its probability times those of every token between not to be one. It ends likewise. A scope
    reaches at most `_MAX_SCOPE` tokens to either side.
    """
    before = first[max(0, start + 1 - _MAX_SCOPE) : start + 1]
    return (
        start - _nearest(before[::-1]),
        end + _nearest(last[end - 1 : end - 1 + _MAX_SCOPE]),
    )


def _nearest(border: Floats) -> int:
    """Return the distance of the likeliest nearest border; index 0 is the cue's own token."""
    passed = np.cumsum(np.log1p(-np.minimum(border, np.float32(0.9999))))
    passed = np.concatenate((np.zeros(1, dtype=np.float32), passed[:-1]))
    return int(np.argmax(np.log(np.maximum(border, np.float32(1e-6))) + passed))


def words_of(doc: Doc) -> list[str]:
    """Return a document's tokens as the network takes them."""
    return [token.text for token in doc]


class Annotator(TrainablePipe):  # type: ignore[misc]
    """The trainable spaCy component around the network.

    Sets `doc.ents` (entity groups, overlaps resolved by score), `doc.spans["cues"]`,
    `doc.spans["arguments"]` and `doc._.unit` (class probabilities by head).
    """

    def __init__(
        self, vocab: Vocab, model: Model[Units, Scores], name: str = "hedgerow_annotator"
    ) -> None:
        self.vocab = vocab
        self.model = model
        self.name = name
        self.cfg: dict[str, Any] = {}
        if not Doc.has_extension("unit"):
            Doc.set_extension("unit", default=None)

    @property
    def labels(self) -> tuple[str, ...]:
        """The groups of tags."""
        return TAG_LABELS

    def initialize(
        self,
        get_examples: Callable[[], Iterable[Example]],
        *,
        nlp: Language | None = None,
        names: NameList | None = None,
    ) -> None:
        """Allocate the weights; `names` is the list of typed names that the encoder may consult."""
        initialize_model(self.model, self.vocab, names or NameList.build([]))
        self._forget_resources()

    def score_units(self, units: Units) -> Scores:
        """Return the raw scores of units, none of them empty."""
        self._prepare()
        with _one_thread():
            return cast("Scores", self.model.predict(units))

    def _prepare(self) -> None:
        self.model.attrs["resources"].ready(self.model, self.vocab)

    def annotate(self, units: Units) -> list[UnitAnnotation]:
        """Return what every head says about each unit, as plain data.

        The result of a unit does not depend on the units beside it. A unit without tokens has no
        spans and equal class probabilities.
        """
        full = [unit for unit in units if len(unit)]
        found = iter(self._annotate(full)) if full else iter(())
        return [next(found) if len(unit) else _empty_annotation() for unit in units]

    def _annotate(self, units: Units) -> list[UnitAnnotation]:
        scores = self.score_units(units)
        n_groups = len(TAG_LABELS)
        n_tokens = len(scores.tokens)
        tag_scores = scores.tokens[:, : _N_TAGS * n_groups].reshape(n_tokens, n_groups, _N_TAGS)
        probs = _softmax(tag_scores)
        borders = _sigmoid(scores.tokens[:, _N_TAGS * n_groups :])
        inside = {
            label: 1.0 - probs[:, TAG_LABELS.index(label), 0]  # a copy, contiguous
            for label in CUE_LABELS
        }
        at_border = {label: borders[:, j].copy() for j, label in enumerate(SCOPE_LABELS)}
        classes = {}
        column = 0
        for head, labels in UNIT_LABELS.items():
            classes[head] = _softmax(scores.units[:, column : column + len(labels)])
            column += len(labels)
        ends = np.cumsum([len(unit) for unit in units]).tolist()
        starts = [0, *ends[:-1]]
        spans = _decode_batch(probs, starts, ends)
        return [
            UnitAnnotation(
                spans=tuple(spans[i]),
                cues={label: values[start:end] for label, values in inside.items()},
                scopes={label: values[start:end] for label, values in at_border.items()},
                units={head: values[i] for head, values in classes.items()},
            )
            for i, (start, end) in enumerate(zip(starts, ends, strict=True))
        ]

    def predict(self, docs: Iterable[Doc]) -> list[UnitAnnotation]:
        """Return the annotations of a batch."""
        return self.annotate([words_of(doc) for doc in docs])

    def set_annotations(self, docs: Iterable[Doc], scores: Sequence[UnitAnnotation]) -> None:
        """Write a batch's annotations onto its documents."""
        for doc, annotation in zip(docs, scores, strict=True):
            entities = resolve(span for span in annotation.spans if span.label in ENTITY_LABELS)
            doc.set_ents([_span(doc, span) for span in entities])
            for key, labels in (("cues", CUE_LABELS), ("arguments", ARGUMENT_LABELS)):
                doc.spans[key] = [
                    _span(doc, span) for span in annotation.spans if span.label in labels
                ]
            doc._.unit = {
                head: dict(zip(UNIT_LABELS[head], values.tolist(), strict=True))
                for head, values in annotation.units.items()
            }

    def update(
        self,
        examples: Iterable[Example],
        *,
        drop: float = 0.0,
        sgd: Optimizer | None = None,
        losses: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Learn from a batch whose reference documents hold `Targets` under `TARGETS_KEY`."""
        losses = {} if losses is None else losses
        losses.setdefault(self.name, 0.0)
        usable = [example.reference for example in examples if len(example.reference)]
        if not usable:
            return losses
        set_dropout_rate(self.model, drop)
        self._prepare()
        scores, backprop = self.model.begin_update([words_of(doc) for doc in usable])
        loss, gradient = self.get_loss([doc.user_data[TARGETS_KEY] for doc in usable], scores)
        backprop(gradient)
        if sgd is not None:
            self.finish_update(sgd)
        losses[self.name] += loss
        return losses

    def get_loss(self, targets: Sequence[Targets], scores: Scores) -> tuple[float, Scores]:
        """Return the cross-entropy of what is annotated, and its gradient; the rest is masked."""
        n_groups = len(TAG_LABELS)
        tags = np.concatenate([target.tags for target in targets])
        borders = np.concatenate([target.scopes for target in targets])
        units = np.stack([target.units for target in targets])
        n_tokens = len(tags)
        split = _N_TAGS * n_groups
        d_tokens = np.zeros_like(scores.tokens)
        d_units = np.zeros_like(scores.units)

        tag_scores = scores.tokens[:, :split].reshape(n_tokens, n_groups, _N_TAGS)
        rows, groups = np.nonzero(tags != _MASKED)
        gold = tags[rows, groups]
        probs = _softmax(tag_scores[rows, groups])
        each = np.arange(len(rows))
        loss = -float(np.log(probs[each, gold] + 1e-9).sum())
        probs[each, gold] -= 1.0
        d_tags = np.zeros_like(tag_scores)
        d_tags[rows, groups] = probs
        d_tokens[:, :split] = d_tags.reshape(n_tokens, split)

        border_probs = _sigmoid(scores.tokens[:, split:])
        known = borders != _MASKED
        d_borders = np.where(known, border_probs - borders, 0.0).astype(np.float32)
        d_tokens[:, split:] = d_borders
        loss -= float(np.log(1.0 - np.abs(d_borders) + 1e-9).sum())

        column = 0
        for i, labels in enumerate(UNIT_LABELS.values()):
            rows = np.flatnonzero(units[:, i] != _MASKED)
            part = slice(column, column + len(labels))
            probs = _softmax(scores.units[rows, part])
            each = np.arange(len(rows))
            loss -= _UNIT_WEIGHT * float(np.log(probs[each, units[rows, i]] + 1e-9).sum())
            probs[each, units[rows, i]] -= 1.0
            d_units[rows, part] = _UNIT_WEIGHT * probs
            column += len(labels)
        return loss, Scores(d_tokens, d_units)

    def create_optimizer(self) -> Optimizer:
        """Return the optimiser that this component is trained with by default."""
        return Adam(0.001, L2=0.01, grad_clip=1.0, use_averages=True)

    def _forget_resources(self) -> None:
        self.model.attrs["resources"].clear()

    def to_bytes(self, *, exclude: Iterable[str] = ()) -> bytes:
        """Serialise the weights."""
        return cast("bytes", self.model.to_bytes())

    def from_bytes(self, bytes_data: bytes, *, exclude: Iterable[str] = ()) -> "Annotator":
        """Load weights made by `to_bytes`."""
        self.model.from_bytes(bytes_data)
        self._forget_resources()
        return self

    def to_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> None:
        """Write the weights and the labels to a folder."""
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        self.model.to_disk(folder / "model")
        (folder / "labels.json").write_text(json.dumps(_label_record(), indent=1), encoding="utf-8")

    def from_disk(self, path: str | Path, *, exclude: Iterable[str] = ()) -> "Annotator":
        """Load what `to_disk` wrote; refuse weights made for other labels."""
        folder = Path(path)
        stored = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
        if stored != _label_record():
            message = (
                f"{folder} was trained for other labels than this version of hedgerow has: "
                "train it again (make train), or install the version that made it"
            )
            raise ValueError(message)
        self.model.from_disk(folder / "model")
        self._forget_resources()
        return self


@cache
def _thread_controller() -> ThreadpoolController:
    return ThreadpoolController()


def _one_thread() -> AbstractContextManager[Any]:
    """Return a context in which a matrix product runs on one thread: the bits depend on that."""
    return cast(
        "AbstractContextManager[Any]", _thread_controller().limit(limits=1, user_api="blas")
    )


def _label_record() -> dict[str, Any]:
    return {
        "tags": list(TAG_LABELS),
        "scopes": list(SCOPE_LABELS),
        "units": {head: list(labels) for head, labels in UNIT_LABELS.items()},
    }


def _span(doc: Doc, span: TaggedSpan) -> Span:
    return Span(doc, span.token_start, span.token_end, label=span.label)


def _empty_annotation() -> UnitAnnotation:
    none = np.zeros(0, dtype=np.float32)
    return UnitAnnotation(
        spans=(),
        cues=dict.fromkeys(CUE_LABELS, none),
        scopes=dict.fromkeys(SCOPE_LABELS, none),
        units={
            head: np.full(len(labels), 1 / len(labels), dtype=np.float32)
            for head, labels in UNIT_LABELS.items()
        },
    )


def _decode_batch(
    probs: Floats, starts: Sequence[int], ends: Sequence[int]
) -> list[list[TaggedSpan]]:
    """Return the spans of each unit, of every group.

    In: tag probabilities (n_tokens, groups, 5) and each unit's token bounds. A token that is
    outside with more than 0.99 ends a run, and only runs are decoded; in a run whose every token
    is outside with more than one half no other tags can be better.
    """
    spans: list[list[TaggedSpan]] = [[] for _ in starts]
    n_tokens = len(probs)
    outside = np.ascontiguousarray(probs[:, :, 0].T)
    maybe = outside <= 0.99
    unit_start = np.zeros(n_tokens, dtype=bool)
    unit_start[list(starts)] = True
    before = np.zeros_like(maybe)
    before[:, 1:] = maybe[:, :-1]
    opens = maybe & (~before | unit_start)
    groups, firsts = np.nonzero(opens)
    if not len(groups):
        return spans
    after = np.zeros_like(maybe)
    after[:, :-1] = maybe[:, 1:] & ~unit_start[1:]
    lasts = np.nonzero(maybe & ~after)[1]  # runs close in the order they open
    flat = np.where(maybe, outside, 1.0).reshape(-1)
    lowest = np.minimum.reduceat(flat, groups * n_tokens + firsts)
    kept = lowest <= 0.5
    groups, firsts, lengths = groups[kept], firsts[kept], (lasts - firsts + 1)[kept]
    if not len(groups):
        return spans
    place = np.minimum(np.arange(int(lengths.max()))[None, :], lengths[:, None] - 1)
    log_probs = np.log(
        np.maximum(probs[firsts[:, None] + place, groups[:, None]], np.float32(1e-9))
    )
    tags = decode_tags(log_probs, lengths)
    chosen = np.take_along_axis(log_probs, tags[:, :, None].astype(np.int64), axis=2)[:, :, 0]
    runs, begins = np.nonzero((tags == 1) | (tags == 4))
    closes = np.nonzero((tags == 3) | (tags == 4))[1]
    units = np.searchsorted(np.asarray(starts), firsts[runs], side="right") - 1
    for run, begin, close, unit in zip(
        runs.tolist(), begins.tolist(), closes.tolist(), units.tolist(), strict=True
    ):
        logs = chosen[run, begin : close + 1].tolist()
        first = int(firsts[run]) - starts[unit]
        score = math.exp(min(0.0, sum(logs) / len(logs)))
        label = TAG_LABELS[int(groups[run])]
        spans[unit].append(TaggedSpan(label, first + begin, first + close + 1, score))
    return spans


@Language.factory(  # type: ignore[untyped-decorator]
    "hedgerow_annotator",
    assigns=["doc.ents", "doc.spans", "doc._.unit"],
    default_config={
        "model": {
            "@architectures": "hedgerow.Annotator.v1",
            "width": 96,
            "embed_width": 64,
            "rows": [8000, 2000, 2000, 4000, 1000],
            "vector_width": 0,
            "pieces": 2,
            "dilations": [1, 2, 4, 1],
            "unit_width": 96,
        }
    },
)
def make_annotator(nlp: Language, name: str, model: Model[Units, Scores]) -> Annotator:
    """Make the component for `nlp` around an untrained `model`."""
    return Annotator(nlp.vocab, model, name)
