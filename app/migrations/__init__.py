"""The schema's history, and the call that brings a database up to date."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

# Any number; it only has to be the same in every process that migrates.
ADVISORY_LOCK = 7_223_019


def config_for(engine: Engine) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["engine"] = engine
    return config


def upgrade(engine: Engine) -> None:
    """Apply what is missing. Several processes may do so at once: one works, the others wait."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(text(f"SELECT pg_advisory_xact_lock({ADVISORY_LOCK})"))
        # On SQLite the transaction itself, BEGIN IMMEDIATE, is the lock.
        config = config_for(engine)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
