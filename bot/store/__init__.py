"""Storage that outlives the process: SQLAlchemy Core over SQLite or PostgreSQL."""
