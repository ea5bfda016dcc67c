"""Tenants' databases that this project makes and migrates."""
