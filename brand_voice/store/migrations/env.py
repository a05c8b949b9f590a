"""Runs the migrations on the connection, and in the transaction, that `brand_voice.store.database` hands over."""

from alembic import context

from brand_voice.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
