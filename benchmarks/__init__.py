"""Measurements, run by hand; `README.md` holds the last of each."""
