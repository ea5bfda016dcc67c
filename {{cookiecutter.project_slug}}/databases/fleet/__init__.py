"""Tenants on many PostgreSQL servers: moves, archives, prepared databases, and a database user for each tenant."""
