"""Resets what a process and a thread remember about replicas, before each test."""

from databases.replicas import reading, watch


def forget_everything() -> None:
    """Forget what servers have answered, and what this thread has written."""
    watch.forget()
    reading._now.set(None)
    reading._wrote_at.set(0.0)
