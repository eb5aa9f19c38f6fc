"""What the tables of every family share: one metadata, the names of indexes and keys, and the usual columns."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, ForeignKey, Integer, MetaData, false

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# SQLite numbers rows by itself in an INTEGER primary key alone; PostgreSQL wants 64 bits.
Id = BigInteger().with_variant(Integer(), "sqlite")


def row_id() -> Column[int]:
    """The primary key: a number that the database gives."""
    return Column("id", Id, primary_key=True)


def to(column: str, *, nullable: bool = False, cascade: bool = False) -> Column[int]:
    """A reference named ``<table's singular>_id`` style by the caller; ``cascade`` where the row dies with its owner."""
    name, target = column.split(" -> ")
    return Column(name, Id, ForeignKey(f"{target}.id", ondelete="CASCADE" if cascade else None), nullable=nullable, index=True)


def flag(name: str) -> Column[bool]:
    """Yes or no, and no where nothing is said."""
    return Column(name, Boolean, nullable=False, server_default=false())


def box() -> list[Column[float]]:
    """A face's place in the upright photo, in pixels."""
    return [Column(f"box_{side}", Float, nullable=False) for side in ("left", "top", "right", "bottom")]
