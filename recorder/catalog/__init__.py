"""The catalog: segments, spans, copies, gaps and documents, in SQLite or PostgreSQL."""
