"""The role of tenants compared with other packages: the same work, in the same run, on one server."""
