"""Resets what a process and a thread remember about replicas, before each test."""

from databases.replicas import health, pinning


def forget_everything() -> None:
    """Forget which replicas were healthy, and what this thread has written."""
    health._known.clear()
    health._primary = (float("-inf"), None)
    pinning._now.set(None)
