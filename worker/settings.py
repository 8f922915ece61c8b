"""Settings that only workers have. The rest are the portal's too: `app.core.settings`."""

from functools import lru_cache
from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class WorkerSettings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="EXCHANGE_",
        env_file=".env",
        extra="ignore",
        frozen=True,
        # Some are secrets, and the message ends in a log.
        hide_input_in_errors=True,
    )

    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description="Where networks run. auto: the GPU where there is one, else the CPU.",
    )
    stand_in: bool = Field(
        default=False,
        description="Serve the gpu queue only while no worker with a GPU does.",
    )
    liveness_dir: Path | None = Field(
        default=None,
        description="Folder of the marks that `python -m worker.liveness` looks at, of one worker "
        "alone. Empty: there are none.",
    )
    torch_threads: int = Field(
        default=0,
        ge=0,
        description="CPU threads of one computation; 0 takes every core. Results are the same to "
        "the bit only at the same number.",
    )
    checkpoint_seconds: float = Field(
        default=30,
        ge=0,
        description="Work that a killed worker may lose; 0 stores every checkpoint there is.",
    )
    progress_seconds: float = Field(
        default=1, ge=0, description="Progress is written at most this often."
    )
    task_limit_seconds: float = Field(
        default=24 * 3600,
        gt=0,
        description="A task that runs longer is killed, and goes on from its checkpoint.",
    )
    largest_attempts: int = Field(
        default=5,
        ge=1,
        description="How often a phase may take its worker down before the row fails.",
    )
    scratch_dir: Path | None = Field(
        default=None,
        description="Folder for what a running task unpacks. Empty: in the data folder.",
    )
    compile_cache_dir: Path | None = Field(
        default=None,
        description="Folder of compiled steps, kept between jobs. Code is run from it: no other "
        "user may write there. Empty: in the data folder.",
    )


@lru_cache(maxsize=1)
def get_worker_settings() -> WorkerSettings:
    """The process's settings, read from the environment once."""
    return WorkerSettings()
