"""Tenants' databases whose schema belongs to someone else. Their rows are written, their schema is not."""
