# % if cookiecutter.__postgresql
-- The users of the project's databases: `migrator` owns them, and `app` reads and writes rows. Web processes and workers
-- log in as `app`, so a mistake or an attack there can change no table. `migrate_databases` logs in as `migrator`.
-- The password is for development. Run this once, as a superuser: psql --set=ON_ERROR_STOP=1 --file=deploy/grants.sql
CREATE ROLE migrator LOGIN PASSWORD 'development';
CREATE ROLE app LOGIN PASSWORD 'development';
# % if cookiecutter.__replicas
-- So that it sees the timelines of replicas at once after a failover.
GRANT pg_read_all_stats TO app;
# % endif

CREATE DATABASE {{ cookiecutter.project_slug }} OWNER migrator;
\connect {{ cookiecutter.project_slug }}
REVOKE CREATE, TEMPORARY ON DATABASE {{ cookiecutter.project_slug }} FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE migrator GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app;
ALTER DEFAULT PRIVILEGES FOR ROLE migrator GRANT USAGE ON SEQUENCES TO app;
# % if cookiecutter.__secondary

CREATE DATABASE {{ cookiecutter.project_slug }}_secondary OWNER migrator;
\connect {{ cookiecutter.project_slug }}_secondary
REVOKE CREATE, TEMPORARY ON DATABASE {{ cookiecutter.project_slug }}_secondary FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE migrator GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO app;
ALTER DEFAULT PRIVILEGES FOR ROLE migrator GRANT USAGE ON SEQUENCES TO app;
# % endif
# % else
-- The users of the project's databases: `migrator` changes tables, and `app` reads and writes rows. Web processes and
-- workers log in as `app`, so a mistake or an attack there can change no table. `migrate_databases` logs in as
-- `migrator`. The password is for development. Run this once, as root.
CREATE USER 'migrator'@'%' IDENTIFIED BY 'development';
CREATE USER 'app'@'%' IDENTIFIED BY 'development';

CREATE DATABASE IF NOT EXISTS {{ cookiecutter.project_slug }} CHARACTER SET utf8mb4;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {{ cookiecutter.project_slug }}.* TO 'migrator'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON {{ cookiecutter.project_slug }}.* TO 'app'@'%';
# % if cookiecutter.__secondary

CREATE DATABASE IF NOT EXISTS {{ cookiecutter.project_slug }}_secondary CHARACTER SET utf8mb4;
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER, DROP, INDEX, REFERENCES ON {{ cookiecutter.project_slug }}_secondary.* TO 'migrator'@'%';
GRANT SELECT, INSERT, UPDATE, DELETE ON {{ cookiecutter.project_slug }}_secondary.* TO 'app'@'%';
# % endif
# % endif
