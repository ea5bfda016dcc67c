"""What tests of replicas begin with: a process and a thread that know nothing of earlier reads and writes."""

from databases.replica import health, pinning


def forget_everything() -> None:
    """Forget which replicas were well, and what this thread has written."""
    health._known.clear()
    health._primary = (float("-inf"), None)
    pinning._now.set(None)
