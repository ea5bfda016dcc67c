"""Rows for the test databases of foreign roles: one fixture per role, loaded by the one migration of this app."""

from pathlib import Path

FIXTURES = Path(__file__).resolve().parent / "fixtures"
