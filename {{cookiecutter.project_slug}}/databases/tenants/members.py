"""Logs users in at the hosts of the tenants that they are members of. On the central host every user may log in."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.contrib.auth.backends import ModelBackend

from databases.tenants.context import tenant_or_none
from databases.tenants.sites import membership_of


class MembersOnly:
    """A mixin for authentication backends: at a tenant's host, a user who is no member is anonymous."""

    def user_can_authenticate(self, user: Any) -> bool:
        # Django calls this to log a user in, and for each request of a logged-in user.
        return bool(super().user_can_authenticate(user)) and is_member(user)  # type: ignore[misc]

    async def aauthenticate(self, *args: Any, **credentials: Any) -> Any:
        # Django's own methods call the method above in the event loop, where no query can be sent.
        return await sync_to_async(self.authenticate)(*args, **credentials)  # type: ignore[attr-defined]

    async def aget_user(self, user_id: Any) -> Any:
        return await sync_to_async(self.get_user)(user_id)  # type: ignore[attr-defined]


class MemberBackend(MembersOnly, ModelBackend):
    """Django's backend of users and passwords, for members."""


def is_member(user: Any) -> bool:
    """Return whether a user may be logged in here: there is no tenant, or the user is a member of it."""
    return tenant_or_none() is None or membership_of(user) is not None
