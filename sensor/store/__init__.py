"""Where rows go and come from: ClickHouse, embedded (chdb) or a server, through one client and one SQL."""

from sensor.store.errors import StoreError
from sensor.store.open import Store, default_dsn, open_store

__all__ = ["Store", "StoreError", "default_dsn", "open_store"]
