"""The projects of the comparison: for each way of having tenants one module, with the files of its project.

Each project has a module `contestant` with the same functions: `prepare()` makes the central database, `make(first,
end)` tenants to be asked for, with rows; `register(first, end)` registers tenants that nobody asks for. `create(n)`
is what a user does for one more tenant, `migrate()` what they do after a release; `headers(n)` lead to a tenant.
"""
