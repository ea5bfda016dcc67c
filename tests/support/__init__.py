"""What the tests stand on: variants, bakes, shared environments and a PostgreSQL server."""
