-- How each test begins: the database must be the template, to the row, whoever had it before.
\ir facts.sql
SELECT :'facts_now' = :'facts' AS clean, split_part(:'facts', '|', 3) AS hosts,
       split_part(:'facts', '|', 4) AS items \gset
\if :clean
\else
    \warn this database is not clean: it has :facts_now, its template :facts
    SELECT 'dirty'::void;
\endif

CREATE FUNCTION pg_temp.must(ok boolean, what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF ok IS NOT TRUE THEN RAISE EXCEPTION 'this must hold: %', what; END IF;
END $$;
