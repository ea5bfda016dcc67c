"""One file for each package: see `table.py` for what it holds."""
