-- Every object says what it is, and every function what it may raise.
BEGIN;
SELECT no_plan();

SELECT isnt(obj_description(oid, 'pg_proc'), NULL, format('%s has a comment', oid::regprocedure))
  FROM pg_proc WHERE pronamespace = 'testpool'::regnamespace ORDER BY proname;
SELECT isnt(obj_description(oid, 'pg_class'), NULL, format('%s has a comment', oid::regclass))
  FROM pg_class WHERE relnamespace = 'testpool'::regnamespace AND relkind IN ('r', 'v') ORDER BY relname;
SELECT isnt(col_description(c.oid, a.attnum), NULL, format('%s.%s has a comment', c.relname, a.attname))
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE relnamespace = 'testpool'::regnamespace AND relkind IN ('r', 'v', 'c') AND attnum > 0 AND NOT attisdropped
   AND relname NOT IN ('tally', 'wait_step', 'job')  -- the views have the same columns
 ORDER BY relname, attnum;
SELECT isnt(obj_description(i.indexrelid, 'pg_class'), NULL, format('%s has a comment', i.indexrelid::regclass))
  FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
 WHERE t.relnamespace = 'testpool'::regnamespace AND NOT i.indisprimary AND t.relkind = 'r';
SELECT isnt(obj_description(oid, 'pg_extension'), NULL, 'the extension has a comment')
  FROM pg_extension WHERE extname = 'testpool';

-- The errors that a caller has to reckon with, as conditions that the code raises.
CREATE TEMP TABLE raised (name text, code text);
INSERT INTO raised
SELECT name, unnest(string_to_array(codes, ' ')) FROM (VALUES
    ('init_template', '22023 25006 42501 42704 53100 53400 55000 55006 55P03'),
    ('finalize', '22023 25006 42501 53000 55000 55006'),
    ('discard', '22023 25006 42501 42704'),
    ('acquire', '22023 25006 42704 42P08 53100 53400 55000 55P03'),
    ('alias', '22023 25006 42501 42704 55000'),
    ('release', '22023 25006 42501 42704 55000'),
    ('rewind', '22023 25006 42501 42704 55000 55006'),
    ('recreate', '22023 25006 42501 42704 55000 55006'),
    ('renew', '22023 25006 42501 42704 55000'),
    ('keep', '22023 25006 42501 42704 55000 55006'),
    ('diff', '22023 25006 42501 42704 55000'),
    ('keep_failed', '22023 25006 42501 42704 55000 55006'),
    ('url', '22023 42704'),
    ('prewarm', '22023 25006 42704 53100 55000 55P03'),
    ('reset', '25006 42501'),
    ('created', '55000')) list (name, codes);
SELECT ok(obj_description(p.oid, 'pg_proc') ~ ('\m' || code || '\M'), format('%s tells of %s', name, code))
  FROM raised JOIN pg_proc p ON p.proname = name AND p.pronamespace = 'testpool'::regnamespace;
SELECT is_empty($$
    SELECT p.proname::text, told[1] FROM pg_proc p,
           regexp_matches(obj_description(p.oid, 'pg_proc'), '\m([245]\d[0-9A-Z]{3})\M', 'g') told
     WHERE pronamespace = 'testpool'::regnamespace
    EXCEPT SELECT name, code FROM raised $$,
    'no comment tells of an error that is not tested');

-- Every function that people call tells whether it blocks, what it returns, and what it takes.
SELECT ok(obj_description(oid, 'pg_proc') ~* '\mblocks?\M', format('%s tells whether it blocks', proname))
  FROM pg_proc WHERE pronamespace = 'testpool'::regnamespace AND proname <> 'created';
SELECT ok(obj_description(oid, 'pg_proc') ~ 'Privileges: ', format('%s tells what it takes to call it', proname))
  FROM pg_proc WHERE pronamespace = 'testpool'::regnamespace AND proname <> 'created';
SELECT ok(obj_description(p.oid, 'pg_proc') ~ ('\m' || argument || ': '), format('%s explains %s', proname, argument))
  FROM pg_proc p, unnest(proargnames) argument WHERE pronamespace = 'testpool'::regnamespace;

SELECT * FROM finish();
ROLLBACK;
