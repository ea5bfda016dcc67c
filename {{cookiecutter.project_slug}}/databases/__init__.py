"""The databases of this project: which there are, what lives in which, and who may write where.

Nothing here imports a model: settings and the app registry import this package before models can exist.
"""

from .atomic import atomic_for, on_commit_for

__all__ = ["atomic_for", "on_commit_for"]
