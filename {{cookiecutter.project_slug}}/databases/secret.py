"""Passwords that `repr` does not show."""


class Secret(str):
    """A password whose `repr` hides it: connection settings are printed in error pages and shells."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'********'"
