"""The importer of `manage.py import_mirror_models`: tables of the mirror become models, and drifted copies are updated.

Only that command uses this package.
"""
