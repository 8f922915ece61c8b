"""The migrations lead to exactly the tables that the models describe."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from app.core.db import Database
from app.migrations import config_for, upgrade
from app.models import Base

WORKING_TOGETHER_SINCE = "0019"
"""Revision from which on neighbouring versions work together."""


def differences(database: Database) -> list[object]:
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        return list(compare_metadata(context, Base.metadata))


def test_an_upgraded_database_equals_the_models(empty_database: Database) -> None:
    upgrade(empty_database.engine)

    assert differences(empty_database) == []


def test_the_comparison_sees_a_missing_column(empty_database: Database) -> None:
    upgrade(empty_database.engine)
    with empty_database.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE dataset DROP COLUMN sha256")

    assert "sha256" in str(differences(empty_database))


def test_a_second_upgrade_changes_nothing(empty_database: Database) -> None:
    upgrade(empty_database.engine)
    upgrade(empty_database.engine)

    assert differences(empty_database) == []


def test_downgrade_leaves_no_table(empty_database: Database) -> None:
    upgrade(empty_database.engine)
    with empty_database.engine.begin() as connection:
        config = config_for(empty_database.engine)
        config.attributes["connection"] = connection
        command.downgrade(config, "base")

    assert inspect(empty_database.engine).get_table_names() == ["alembic_version"]


def test_tokens_of_before_are_kept_and_have_no_maker(empty_database: Database) -> None:
    config = config_for(empty_database.engine)
    now = "2026-01-01 00:00:00+00:00"
    with empty_database.engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0013")
        connection.exec_driver_sql(
            "INSERT INTO organisation (id, name, contact, policy, quota, intake_key, created_at, "
            f"updated_at) VALUES ('org_1', 'St. Anna', '', '{{}}', '{{}}', '', '{now}', '{now}')"
        )
        for number in (1, 2):
            connection.exec_driver_sql(
                "INSERT INTO token (id, organisation_id, name, secret_hash, role, created_at, "
                f"updated_at) VALUES ('tok_{number}', 'org_1', '', '{number}', 'admin', '{now}', "
                f"'{now}')"
            )

    upgrade(empty_database.engine)

    with empty_database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE token SET made_with_id = 'tok_1' WHERE id = 'tok_2'")
        connection.exec_driver_sql("DELETE FROM token WHERE id = 'tok_1'")
        assert connection.exec_driver_sql("SELECT id FROM token").all() == []


def test_processes_that_migrate_at_once_do_not_collide(empty_database: Database) -> None:
    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda _: upgrade(empty_database.engine), range(3)))

    assert differences(empty_database) == []


def test_each_migration_leaves_what_the_version_before_needs(sqlite_url: str) -> None:
    """Workers and portals of that version go on, and write rows, while the others are updated."""
    database = Database(sqlite_url)
    config = config_for(database.engine)
    scripts = ScriptDirectory.from_config(config)
    revisions = [one.revision for one in reversed(list(scripts.walk_revisions()))]
    before: dict[str, dict[str, Any]] = {}
    for revision in revisions:
        with database.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
            found = inspect(connection)
            after = {
                table: {column["name"]: column for column in found.get_columns(table)}
                for table in found.get_table_names()
            }
        if revision >= WORKING_TOGETHER_SINCE:
            lost = [
                f"{revision}: {table}.{name}"
                for table, columns in before.items()
                for name in columns
                if name not in after.get(table, {})
            ]
            demanded = [
                f"{revision}: {table}.{name}"
                for table in before
                for name, column in after[table].items()
                if not (column["nullable"] or column["default"])
                and before[table].get(name, {"nullable": True})["nullable"]
            ]
            assert (lost, demanded) == ([], [])
        before = after
    database.close()
