"""The projects of the comparison: a module for each way of having tenants, with the files of its project.

Each project has a module `contestant` with the same functions. `prepare()` creates the central database; `make(first,
end)` creates tenants with rows, which get requests; `register(first, end)` registers tenants that get none. `create(n)`
creates one more tenant as a user does, `migrate()` migrates all after a release, and `headers(n)` selects a tenant.
"""
