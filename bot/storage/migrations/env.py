"""Run by Alembic: applies the scripts of `versions/` in one transaction, so that one cut short has done nothing."""

import sqlite3

from alembic import context
from sqlalchemy import Connection, create_engine, event, pool
from sqlmodel import SQLModel

import bot.storage.tables  # noqa: F401 -- fills the metadata that `make migration` compares with

engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)


def connected(connection: sqlite3.Connection, _record: object) -> None:
    # The driver begins no transaction before it makes a table; see SQLAlchemy's page on the pysqlite dialect.
    connection.isolation_level = None


def begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


event.listen(engine, "connect", connected)
event.listen(engine, "begin", begin)
with engine.begin() as connection:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
    context.run_migrations()
engine.dispose()
