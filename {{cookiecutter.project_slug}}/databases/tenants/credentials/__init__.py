"""Users and passwords of single tenants, encrypted in the registry."""
