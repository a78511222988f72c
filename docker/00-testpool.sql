-- Run at the first start, before the scripts that users mount beside it.
SELECT current_setting('testpool.database') AS home \gset
SELECT format('CREATE DATABASE %I', :'home')
 WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'home') \gexec
\connect :"home"
CREATE EXTENSION testpool;
