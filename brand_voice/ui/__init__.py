"""The app: one file per tab, handlers that call a stage or the store, state in the store."""
