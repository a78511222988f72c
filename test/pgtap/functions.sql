-- The functions: names, arguments, defaults, results, and how the planner may use them.
BEGIN;
SELECT no_plan();

CREATE TEMP TABLE contract (name text, arguments text, defaults text, result text, volatility "char", parallel "char");
INSERT INTO contract VALUES
    ('init_template', 'text, text, text', 'hash text, base text DEFAULT NULL::text, name text DEFAULT NULL::text', 'text', 'v', 'u'),
    ('finalize', 'text', 'hash text', 'void', 'v', 'u'),
    ('discard', 'text, text', 'hash text, reason text DEFAULT NULL::text', 'void', 'v', 'u'),
    ('alias', 'text, text', 'name text, hash text', 'void', 'v', 'u'),
    ('acquire', 'text, interval', 'hash text DEFAULT NULL::text, timeout interval DEFAULT NULL::interval', 'text', 'v', 'u'),
    ('release', 'text', 'database text DEFAULT NULL::text', 'void', 'v', 'u'),
    ('rewind', 'text', 'database text', 'void', 'v', 'u'),
    ('recreate', 'text', 'database text', 'void', 'v', 'u'),
    ('renew', 'text', 'database text', 'void', 'v', 'u'),
    ('keep', 'text, text', 'database text, reason text DEFAULT NULL::text', 'text', 'v', 'u'),
    ('diff', 'text', 'database text', 'setof testpool.difference', 'v', 'u'),
    ('keep_failed', 'text, text, text, integer', 'database text, test text, run text, at_most integer DEFAULT 3, OUT url text, OUT changes text', 'record', 'v', 'u'),
    ('url', 'text', 'database text', 'text', 's', 'r'),
    ('prewarm', 'text, integer', 'hash text, count integer', 'integer', 'v', 'u'),
    ('reset', '', '', 'void', 'v', 'u'),
    ('advice', '', '', 'setof text', 's', 'r'),
    ('tallies', '', '', 'setof testpool.tally', 'v', 'r'),
    ('free_space', '', '', 'bigint', 'v', 'r'),
    ('wait_steps', '', '', 'setof testpool.wait_step', 'v', 'r'),
    ('jobs', '', '', 'setof testpool.job', 'v', 'r'),
    ('reset_stats', '', '', 'void', 'v', 'r'),
    ('version', '', '', 'text', 'i', 's'),
    ('created', '', '', 'void', 'v', 'u');

SELECT has_schema('testpool');
SELECT functions_are('testpool', ARRAY(SELECT name FROM contract));
SELECT is(count(*), (SELECT count(*) FROM contract), 'no function is overloaded')
  FROM pg_proc WHERE pronamespace = 'testpool'::regnamespace;

SELECT has_function('testpool'::name, name::name, string_to_array(arguments, ', ')::name[]) FROM contract;
SELECT is(pg_get_function_arguments(p.oid), defaults, format('%s(%s): names and defaults', name, arguments))
  FROM contract JOIN pg_proc p ON p.proname = name AND p.pronamespace = 'testpool'::regnamespace;
SELECT function_returns('testpool'::name, name::name, result) FROM contract;
SELECT function_lang_is('testpool'::name, name::name, string_to_array(arguments, ', ')::name[],
                        CASE name WHEN 'keep_failed' THEN 'sql' ELSE 'c' END) FROM contract;
SELECT is(p.provolatile, volatility, format('%s: volatility', name))
  FROM contract JOIN pg_proc p ON p.proname = name AND p.pronamespace = 'testpool'::regnamespace;
SELECT is(p.proparallel, parallel, format('%s: parallel safety', name))
  FROM contract JOIN pg_proc p ON p.proname = name AND p.pronamespace = 'testpool'::regnamespace;
SELECT isnt_strict('testpool'::name, name::name, name || ' checks its nulls itself') FROM contract;
SELECT isnt_definer('testpool'::name, name::name, name || ' runs with the rights of its caller') FROM contract;
SELECT is(p.prokind, 'f', name || ' is a plain function') FROM contract
  JOIN pg_proc p ON p.proname = name AND p.pronamespace = 'testpool'::regnamespace;
SELECT is(proretset, result LIKE 'setof %', name || ' returns one value, or a set of them')
  FROM contract JOIN pg_proc ON proname = name AND pronamespace = 'testpool'::regnamespace;

-- The extension itself.
SELECT has_extension('testpool');
SELECT is(extrelocatable, false, 'the extension stays in its schema') FROM pg_extension WHERE extname = 'testpool';
SELECT is(extnamespace::regnamespace::text, 'testpool', 'which is testpool') FROM pg_extension WHERE extname = 'testpool';
SELECT is(testpool.version(), extversion, 'library and script have one version') FROM pg_extension WHERE extname = 'testpool';
SELECT is_empty($$
    SELECT p.oid::regprocedure FROM pg_proc p WHERE pronamespace = 'testpool'::regnamespace
       AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'testpool'
                        WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e') $$,
    'every function belongs to the extension');

SELECT * FROM finish();
ROLLBACK;
