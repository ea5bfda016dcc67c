"""Test mode: the only package that knows of it."""
