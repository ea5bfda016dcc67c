"""The databases of this project: which databases there are, which app lives in which, and what may write where.

Start with README.md in this folder. This module imports no model: settings and Django's app registry import it before
models are loaded.
"""

from .related import load_related
from .transactions import atomic_for, on_commit_for

__all__ = ["atomic_for", "load_related", "on_commit_for"]
