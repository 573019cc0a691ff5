"""Run by Alembic: applies the scripts of `versions/` in one transaction."""

from alembic import context
from sqlalchemy import create_engine, pool
from sqlmodel import SQLModel

import bot.storage.tables  # noqa: F401 -- fills the metadata that `make migration` compares with

engine = create_engine(context.config.get_main_option("sqlalchemy.url") or "", poolclass=pool.NullPool)
with engine.begin() as connection:
    context.configure(connection=connection, target_metadata=SQLModel.metadata, render_as_batch=True)
    context.run_migrations()
engine.dispose()
