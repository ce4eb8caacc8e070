"""All settings, in one place: flags win over the environment, that over `hedgerow.toml`, that
over the defaults below.

`hedgerow.toml` is looked for in the working folder; environment variables are named
`HEDGEROW_CORPUS` and so on.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from hedgerow.errors import ResourceError, SettingsError

SETTINGS_FILE = "hedgerow.toml"
SHIPPED = "hedgerow_en"
"""The model that ships with the package."""


class Settings(BaseSettings):
    """The settings of a run. Immutable; made by `load()`."""

    model_config = SettingsConfigDict(
        env_prefix="HEDGEROW_", toml_file=SETTINGS_FILE, frozen=True, extra="forbid"
    )

    corpus: Path = Field(Path("corpus"), description="Folder that holds the documents.")
    outputs: Path = Field(Path("outputs"), description="Folder that snapshots are written to.")
    engine: Literal["local"] = Field("local", description="How batches of documents are mapped.")
    workers: int = Field(1, ge=1, le=256, description="Worker processes.")
    batch_documents: int = Field(32, ge=1, description="Documents a batch, at most.")
    batch_bytes: int = Field(500_000, ge=1, description="Source bytes a batch, roughly at most.")
    model: str = Field(SHIPPED, description="Model: the one that ships, a path or a package.")
    max_file_bytes: int = Field(
        1_000_000_000, ge=1, description="A larger file is a reject (JSON lines are read whole)."
    )
    max_document_bytes: int = Field(
        20_000_000, ge=1, description="A document of more source bytes is a reject."
    )
    conflicts_per_cell: int = Field(
        20, ge=1, description="Conflicts of one subject and outcome, at most."
    )
    keep_snapshots: int = Field(5, ge=1, description="Snapshots that `gc` keeps.")
    grace_seconds: int = Field(
        3600, ge=0, description="`gc` leaves younger snapshots alone: somebody may read them."
    )

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
            f"setting {name!r}: found {first.get('input')!r}; {first['msg']}; look for it on the "
            f"command line, in HEDGEROW_{name.upper()} and in {SETTINGS_FILE}"
        ) from error
    except ValueError as error:  # tomllib's decode error
        raise SettingsError(f"{SETTINGS_FILE}: {error}; mend the file or move it away") from error
