"""What `manage.py import_mirror_models` does: tables of the mirror become models, models that drifted are mended.

Nothing else of the project uses it.
"""
