"""Encrypts every stored secret again, with the portal's new secret key."""

from sqlalchemy import Column, select, update
from sqlalchemy.orm import Session

from app.core.vault import Vault
from app.models import Base


def sealed_columns() -> list[Column[str]]:
    """The columns whose values a vault has sealed: their names begin with `sealed_`."""
    return [
        column
        for table in Base.metadata.sorted_tables
        for column in table.columns
        if column.name.startswith("sealed_")
    ]


def reseal_all(session: Session, vault: Vault) -> int:
    """Seal every stored value with the vault's present secret; all of them or none.

    Args:
        session: Transaction.
        vault: Opens what is stored: with its present secret, or with the previous one.

    Returns:
        The number of values.

    Raises:
        WrongSecretKey: When neither secret opens one of them.
    """
    resealed = 0
    for column in sealed_columns():
        table = column.table
        identity = list(table.primary_key.columns)
        rows = session.execute(
            select(column, *identity).where(column.is_not(None)).with_for_update()
        ).all()
        for sealed, *key in rows:
            is_the_row = (part == value for part, value in zip(identity, key, strict=True))
            change = {column.name: vault.reseal(sealed)}
            session.execute(update(table).where(*is_the_row).values(change))
        resealed += len(rows)
    return resealed
