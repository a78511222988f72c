-- docs/reference.md and the catalog name the same functions, views, columns and settings.
\set reference `cat ../../docs/reference.md 2>/dev/null || true`
SELECT :'reference' = '' AS missing \gset
\if :missing
SELECT '1..0 # SKIP docs/reference.md is not there';
\quit
\endif
BEGIN;
SELECT no_plan();
CREATE TEMP TABLE reference AS SELECT :'reference'::text AS body;
CREATE TEMP TABLE named AS
SELECT DISTINCT match[1] AS name FROM reference, regexp_matches(body, '\mtestpool\.([a-z_]+)\M', 'g') match;

-- What there is, is described.
SELECT ok(strpos(body, format('`testpool.%s(%s) → %s`', proname,
                              regexp_replace(pg_get_function_arguments(oid), '::\w+', '', 'g'),
                              pg_get_function_result(oid))) > 0,
          format('function %s is described, with its arguments and its result', proname))
  FROM reference, pg_proc WHERE pronamespace = 'testpool'::regnamespace;
SELECT ok(body ~ ('\mtestpool\.' || relname || '\M'), format('view %s is described', relname))
  FROM reference, pg_class WHERE relnamespace = 'testpool'::regnamespace AND relkind IN ('v', 'c');
SELECT ok(strpos(body, format('`%s` | %s |', attname,
                              replace(format_type(atttypid, atttypmod), 'timestamp with time zone', 'timestamptz'))) > 0,
          format('column %s.%s is described, with its type', relname, attname))
  FROM reference, pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND attnum > 0
 WHERE relnamespace = 'testpool'::regnamespace AND relkind IN ('v', 'c') AND relname NOT IN ('tally', 'wait_step', 'job') ORDER BY relname, attnum;
SELECT ok(body ~ ('\m' || replace(name, '.', '\.') || '\M'), format('setting %s is described', name))
  FROM reference, pg_settings WHERE name LIKE 'testpool.%';
SELECT ok(body ~ code, format('SQLSTATE %s is described', code))
  FROM reference, (SELECT DISTINCT code[1] FROM pg_proc p,
                          regexp_matches(obj_description(p.oid, 'pg_proc'), '\m([245]\d[0-9A-Z]{3})\M', 'g') code
                    WHERE pronamespace = 'testpool'::regnamespace AND proname <> 'created') raised (code);

-- What is described, there is.
SELECT is_empty($$
    SELECT name FROM named
    EXCEPT SELECT proname FROM pg_proc WHERE pronamespace = 'testpool'::regnamespace
    EXCEPT SELECT relname FROM pg_class WHERE relnamespace = 'testpool'::regnamespace
    EXCEPT SELECT substr(s.name, 10) FROM pg_settings s WHERE s.name LIKE 'testpool.%' $$,
    'nothing is described that is not there');

SELECT * FROM finish();
ROLLBACK;
