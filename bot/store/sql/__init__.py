"""SQL: the engine, the schema, dialects and transactions."""
