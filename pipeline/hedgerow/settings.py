"""All settings, in one place: flags win over the environment, that over `hedgerow.toml`, that
over the defaults below.

`hedgerow.toml` is looked for in the working folder; environment variables are named
`HEDGEROW_CORPUS` and so on.
"""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from hedgerow.errors import ResourceError, SettingsError
from hedgerow.limits import Limits
from hedgerow.places import is_url, shown

SETTINGS_FILE = "hedgerow.toml"
SHIPPED = "hedgerow_en"
"""The model that ships with the package."""

KB = "kb"
"""The folder of the knowledge base, inside a model."""

KB_MANIFEST = "kb.json"
"""The file of a built knowledge base that lists the others with their digests."""


class Tabular(BaseModel):
    """Which column of a CSV, TSV or Parquet file gives which field of a document.

    A field that is not set here, or whose column a file lacks, is taken from a column with one of
    the usual names (`readers/tabular.py`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str | None = Field(default=None, description="Column of ids.")
    text: str | None = Field(default=None, description="Column of texts.")
    title: str | None = Field(default=None, description="Column of titles.")
    url: str | None = Field(default=None, description="Column of addresses.")
    publisher: str | None = Field(default=None, description="Column of journals or publishers.")
    author: str | None = Field(default=None, description="Column of authors.")
    published: str | None = Field(default=None, description="Column of dates.")
    language: str | None = Field(default=None, description="Column of languages.")
    licence: str | None = Field(default=None, description="Column of licences.")
    interest: str | None = Field(default=None, description="Column of interests.")


class Settings(BaseSettings):
    """The settings of a run. Immutable; made by `load()`."""

    model_config = SettingsConfigDict(
        env_prefix="HEDGEROW_",
        env_nested_delimiter="__",
        toml_file=SETTINGS_FILE,
        frozen=True,
        extra="forbid",
    )

    corpus: Path | str = Field(
        Path("corpus"),
        description="Folder that holds the documents, or the URL of one: s3://bucket/folder.",
    )
    outputs: Path = Field(Path("outputs"), description="Folder that snapshots are written to.")
    engine: Literal["local", "ray"] = Field(
        "local", description="How batches of documents are mapped: processes here, or Ray."
    )
    ray_address: str | None = Field(
        None, description="A running Ray cluster; by default one is started on this machine."
    )
    workers: int = Field(1, ge=1, le=256, description="Worker processes.")
    batch_documents: int = Field(32, ge=1, description="Documents a batch, at most.")
    batch_bytes: int = Field(500_000, ge=1, description="Source bytes a batch, roughly at most.")
    model: str = Field(SHIPPED, description="Model: the one that ships, a path or a package.")
    knowledge_base: Path | None = Field(
        None,
        description="Knowledge base that `hedgerow kb build` made, in place of the model's own. It "
        "holds the entries of the one that ships.",
    )
    limits: Limits = Field(Limits(), description="The most of each thing that is read.")
    tabular: Tabular = Field(Tabular(), description="Columns of tables of abstracts.")
    languages: tuple[str, ...] = Field(
        ("en",),
        description="Codes of the languages to read; a document clearly in another is a reject. "
        "With [] no language is detected, and all are read.",
    )
    conflicts_per_cell: int = Field(
        20, ge=1, description="Conflicts of one subject and outcome, at most."
    )
    keep_snapshots: int = Field(5, ge=1, description="Snapshots that `gc` keeps.")
    grace_seconds: int = Field(
        3600, ge=0, description="`gc` leaves younger snapshots alone: somebody may read them."
    )

    @field_validator("corpus")
    @classmethod
    def _place(cls, value: Path | str) -> Path | str:
        return value if is_url(value) else Path(value)

    @field_validator("outputs")
    @classmethod
    def _folder(cls, value: Path) -> Path:
        if re.match(r"\w\w+:/", str(value)):
            raise ValueError("expected a folder; `hedgerow publish URL` copies a snapshot to a URL")
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags, then the environment, then hedgerow.toml."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    def model_path(self) -> Path:
        """Return the model's folder. Raises ResourceError where there is none.

        The model is the one that ships, a path, or the name of an installed spaCy pipeline, such
        as en_core_sci_sm.
        """
        if self.model == SHIPPED:
            return shipped_model()
        path = Path(self.model)
        if not path.exists() and self.model.isidentifier():
            spec = importlib.util.find_spec(self.model)
            places = spec.submodule_search_locations if spec else None
            path = next(
                (f.parent for d in places or () for f in Path(d).glob("*/config.cfg")), path
            )
        if (path / "config.cfg").is_file():
            return path
        raise ResourceError(
            f"model {self.model!r}: found no config.cfg in {path}; expected the folder of a "
            "trained spaCy pipeline, or the name of an installed one; look at --model"
        )

    def knowledge_base_path(self) -> Path:
        """Return the knowledge base's folder: the one set, else the model's, else the shipped one.

        Raises ResourceError where the one that is set was not made by `hedgerow kb build`.
        """
        if self.knowledge_base is None:
            own = self.model_path() / KB
            return own if own.is_dir() else shipped_model() / KB
        if (self.knowledge_base / KB_MANIFEST).is_file():
            return self.knowledge_base
        raise ResourceError(
            f"knowledge base {self.knowledge_base}: found no {KB_MANIFEST} in it; expected a "
            "folder that `hedgerow kb build --out FOLDER` made; look at --kb"
        )


def shipped_model() -> Path:
    """Return the folder of the model that ships. Raises ResourceError where it is missing."""
    package = Path(__file__).parent
    for path in (package / "model", package.parents[1] / "models" / SHIPPED):
        if (path / "config.cfg").is_file():
            return path
    raise ResourceError(
        f"model {SHIPPED!r}: found it neither in {package / 'model'} nor in the checkout; expected "
        "it in the installed package; reinstall hedgerow"
    )


def load(**flags: Any) -> Settings:
    """Return the settings; flags that are None count as not given.

    Raises SettingsError, naming the setting, what was found and what was expected.
    """
    try:
        return Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise SettingsError(
            f"setting {name!r}: found {_shown(first.get('input'))}; {first['msg']}; look for it "
            f"on the command line, in HEDGEROW_{name.upper().replace('.', '__')} and in "
            f"{SETTINGS_FILE}"
        ) from error
    except ValueError as error:  # tomllib's decode error
        raise SettingsError(f"{SETTINGS_FILE}: {error}; mend the file or move it away") from error


def _shown(value: Any) -> str:
    return repr(shown(value) if isinstance(value, str) else value)
