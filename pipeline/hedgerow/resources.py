"""What stages need beside their tables: the model, lexicons and knowledge base, loaded once.

A `Resources` is made in each process from the settings; everything in it is loaded on first use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from hedgerow.settings import Settings, shipped_model

if TYPE_CHECKING:
    from spacy.language import Language


@dataclass(frozen=True)
class Resources:
    """The loaded resources of one process.

    settings: the run's settings.
    """

    settings: Settings

    @cached_property
    def model_path(self) -> Path:
        """The folder of the model: the one named in the settings, else the one that ships."""
        return self.settings.model_path()

    def folder(self, name: str) -> Path:
        """Return a folder of the model, such as units: its own, else the one that ships.

        A pipeline from elsewhere finds entities; the rest is then ours.
        """
        own = self.model_path / name
        return own if own.is_dir() else shipped_model() / name

    @property
    def knowledge_base(self) -> Path:
        """The folder of the knowledge base: the one named in the settings, else the model's."""
        return self.settings.knowledge_base_path()

    @property
    def language(self) -> Language:
        """The spaCy pipeline of the model; one a process, whatever the settings."""
        return _language(self.model_path)


@lru_cache(maxsize=2)
def _language(path: Path) -> Language:
    from hedgerow.nlp import load_language

    return load_language(path)
