-- testpool lives in its home database; anywhere else it says so.
SELECT current_database() AS home \gset
\pset format unaligned
\pset tuples_only on
SELECT testpool.acquire() AS clone \gset
SELECT pg_get_functiondef('testpool_test.masked'::regproc) AS masked,
       pg_get_functiondef('testpool_test.error'::regproc) AS error \gset
\c :"clone"
CREATE SCHEMA testpool_test;
:masked;
:error;

-- The extension cannot be created in another database …
SELECT replace(testpool_test.error('CREATE EXTENSION testpool'), format('"%s"', :'home'), '"HOME"');
SELECT to_regnamespace('testpool') AS "nothing was created";

-- … and functions that got into one all the same, by a dump or a copy, refuse to work.
CREATE FUNCTION acquire(text, interval) RETURNS text LANGUAGE c AS '$libdir/testpool', 'testpool_acquire';
CREATE FUNCTION release(text) RETURNS void LANGUAGE c AS '$libdir/testpool', 'testpool_release';
CREATE FUNCTION init_template(text, text, text) RETURNS text LANGUAGE c AS '$libdir/testpool', 'testpool_init_template';
CREATE FUNCTION reset() RETURNS void LANGUAGE c AS '$libdir/testpool', 'testpool_reset';
SELECT replace(testpool_test.error(statement), format('"%s"', :'home'), '"HOME"') FROM unnest(ARRAY[
    'SELECT public.acquire(NULL, NULL)',
    'SELECT public.release(NULL)',
    'SELECT public.init_template(''h'', NULL, NULL)',
    'SELECT public.reset()'
]) statement;
\c :"home"
SELECT testpool_test.state_of(:'clone');
SELECT testpool.reset();
