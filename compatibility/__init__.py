"""Whether other packages work in a project of this template: see `__main__.py`."""
