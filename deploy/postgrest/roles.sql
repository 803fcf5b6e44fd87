-- The two roles of PostgREST. By an administrator of the PostgreSQL server, any number of times:
--
--   PGRST_PASSWORD=... psql --dbname facesearch --file deploy/postgrest/roles.sql
--
-- facesearch_reader may read the views of the schema api, and nothing else.
-- facesearch_authenticator is whom PostgREST logs in as. It becomes the reader for each request, and
-- may do nothing as itself. Roles belong to the whole server, so all its databases share them: what
-- the reader sees is granted in each database (views.sql).
--
-- Needs psql 14 or newer, which reads the password from the environment: it is in no list of
-- processes.

\set ON_ERROR_STOP on
\getenv password PGRST_PASSWORD
\if :{?password}
\else
DO $$ BEGIN RAISE 'set PGRST_PASSWORD to the password that PostgREST will log in with'; END $$;
\endif

BEGIN;

SELECT 'CREATE ROLE facesearch_reader NOLOGIN'
WHERE to_regrole('facesearch_reader') IS NULL \gexec

SELECT 'CREATE ROLE facesearch_authenticator'
WHERE to_regrole('facesearch_authenticator') IS NULL \gexec

ALTER ROLE facesearch_authenticator LOGIN NOINHERIT PASSWORD :'password';
GRANT facesearch_reader TO facesearch_authenticator;
GRANT CONNECT ON DATABASE :"DBNAME" TO facesearch_authenticator;

-- A request that reads everything must not hold up the service. PostgreSQL applies the first to
-- every connection, PostgREST the second to every request of the reader.
ALTER ROLE facesearch_authenticator SET statement_timeout = '5s';
ALTER ROLE facesearch_reader SET statement_timeout = '5s';

COMMIT;
