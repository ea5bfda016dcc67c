"""The role of tenants beside what a team could install instead: the same work, in the same run, on one server."""
