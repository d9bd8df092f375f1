"""Read replicas: what may be read from them, when, and what becomes of it when they fall behind."""
