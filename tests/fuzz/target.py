"""The fuzzer of one reader, under atheris: `python -m tests.fuzz.target NAME FOLDER [FLAGS]`.

A finding does not end it: each distinct one is kept in FOLDER/findings, the smallest input that
shows it beside its traceback. FLAGS are libFuzzer's.
"""

from __future__ import annotations

import importlib.util
import logging
import re
import sys
import time
import traceback
from pathlib import Path

import atheris

FOLLOWED = (
    "hedgerow.corpus",
    "hedgerow.readers",
    "hedgerow.stages.documents",
    "hedgerow.stages.sentences",
    "hedgerow.nlp.references",
    "hedgerow.nlp.segmenter",
)
"""Our modules whose branches guide the fuzzer; to instrument the others takes minutes."""
PARSERS = {"markdown": ("markdown_it", "mdit_py_plugins", "yaml"), "pdf": ("pdfminer",)}
"""Packages of others whose branches guide it too, by reader."""
_TABLES = ("pdfminer.encodingdb", "pdfminer.glyphlist")

MAX_SECONDS = 5.0
"""Processor time that an input of at most _PLENTY bytes may take; a longer one takes as much more.
"""
_PLENTY = 200_000


def _left_out() -> list[str]:
    """Return the modules that are not followed; atheris takes whole packages, less these."""
    (folder,) = importlib.util.find_spec("hedgerow").submodule_search_locations
    files = Path(folder).rglob("*.py")
    names = [".".join(("hedgerow", *f.relative_to(folder).with_suffix("").parts)) for f in files]
    names = [name.removesuffix(".__init__") for name in names]
    return [name for name in names if not name.startswith(FOLLOWED)] + list(_TABLES)


with atheris.instrument_imports(
    include=["hedgerow", *PARSERS.get(sys.argv[1], ())], exclude=_left_out()
):
    from tests.fuzz import harness, mutators, seeds


def signature(error: BaseException) -> str:
    """Return what tells one defect from another: the kind of error, and where it was raised."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [f for f in frames if "/hedgerow/" in f.filename or "/fuzz/" in f.filename]
    last = (ours or frames)[-1]
    what = str(error) if isinstance(error, harness.BrokenPromise) else f"{last.name}-{last.lineno}"
    name = f"{type(error).__name__}-{Path(last.filename).stem}-{what}"
    return re.sub(r"[^\w-]+", "-", re.sub(r"\d[\d,]*(?= )|'.*", "", name))[:120]


def keep(folder: Path, name: str, data: bytes, detail: str) -> None:
    """Keep a finding, unless a smaller input has shown it."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.bin"
    if not file.exists() or file.stat().st_size > len(data):
        file.write_bytes(data)
        (folder / f"{name}.txt").write_text(detail, "utf-8", "backslashreplace")


def main() -> None:
    """Fuzz the reader that the first argument names."""
    name, folder = sys.argv[1], Path(sys.argv[2])
    tokens = seeds.tokens(name)
    logging.disable()  # pdfminer warns of every broken operand
    for content in seeds.seeds(name):
        harness.check(name, content)  # loads what is loaded once, before any input is timed

    def one(data: bytes) -> None:
        begun = time.process_time()
        size = len(data)
        try:
            size = harness.check(name, data)
        except Exception as error:
            keep(folder / "findings", signature(error), data, traceback.format_exc())
        seconds = time.process_time() - begun
        if seconds > MAX_SECONDS * max(1.0, size / _PLENTY):
            keep(folder / "findings", "slow", data, f"{seconds:.1f} s for {size} bytes")

    def mutator(data: bytes, most: int, seed: int) -> bytes:
        return mutators.mutate(name, data, most, seed, tokens, atheris.Mutate)

    atheris.Setup([sys.argv[0], *sys.argv[3:]], one, custom_mutator=mutator)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
