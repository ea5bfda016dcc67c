"""Tenants on many PostgreSQL servers: moves, archives, ready databases, and roles of each tenant's own."""
