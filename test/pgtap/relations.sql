-- The views that people read, and the tables below them.
BEGIN;
SELECT no_plan();

SELECT tables_are('testpool', ARRAY['template', 'database']);
SELECT views_are('testpool', ARRAY['templates', 'databases', 'stats', 'waits', 'progress']);
SELECT col_is_pk('testpool', 'template', 'id', 'template: a row has an id');
SELECT col_is_pk('testpool', 'database', 'id', 'database: a row has an id');
SELECT fk_ok('testpool', 'database', 'template', 'testpool', 'template', 'id');

-- What the contract promises of the views; they may show more.
CREATE TEMP TABLE contract (view text, "column" text, type text);
INSERT INTO contract VALUES
    ('templates', 'hash', 'text'), ('templates', 'name', 'text'), ('templates', 'database', 'name'),
    ('templates', 'state', 'text'), ('templates', 'owner', 'name'), ('templates', 'base', 'text'),
    ('templates', 'bytes', 'bigint'), ('templates', 'ready', 'integer'), ('templates', 'leased', 'integer'),
    ('templates', 'kept', 'integer'), ('templates', 'cloning', 'integer'), ('templates', 'recycling', 'integer'),
    ('templates', 'failed', 'integer'), ('templates', 'builder_pid', 'integer'),
    ('templates', 'builder_application_name', 'text'), ('templates', 'builder_client', 'text'),
    ('templates', 'claimed_at', 'timestamp with time zone'),
    ('templates', 'finalized_at', 'timestamp with time zone'),
    ('templates', 'discarded_at', 'timestamp with time zone'), ('templates', 'reason', 'text'),
    ('databases', 'database', 'name'), ('databases', 'hash', 'text'), ('databases', 'state', 'text'),
    ('databases', 'template', 'text'), ('databases', 'generation', 'integer'), ('databases', 'role', 'name'),
    ('databases', 'pid', 'integer'), ('databases', 'application_name', 'text'), ('databases', 'client', 'text'),
    ('databases', 'leased_at', 'timestamp with time zone'), ('databases', 'sessions', 'integer'),
    ('databases', 'created_at', 'timestamp with time zone'),
    ('databases', 'ready_at', 'timestamp with time zone'), ('databases', 'reason', 'text'),
    ('databases', 'error', 'text');
SELECT col_type_is('testpool', view::name, "column"::name, type, format('%s.%s is %s', view, "column", type)) FROM contract;
SELECT is((SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = 'testpool.templates'::regclass AND attnum BETWEEN 1 AND 4),
          ARRAY['hash', 'name', 'database', 'state'], 'templates begins with what identifies it');
SELECT is((SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
            WHERE attrelid = 'testpool.databases'::regclass AND attnum BETWEEN 1 AND 3),
          ARRAY['database', 'hash', 'state'], 'databases begins with what identifies it');

-- The tables refuse what cannot be. (Only the launcher writes them; this is undone.)
SELECT throws_ok($$ INSERT INTO testpool.template (hash, state, owner) VALUES ('h', 'done', 10) $$, '23514');
SELECT throws_ok($$ INSERT INTO testpool.template (hash, state, owner) VALUES ('', 'building', 10) $$, '23514');
SELECT throws_ok($$ INSERT INTO testpool.template (hash, state, owner)
                    VALUES (repeat('x', 1025), 'building', 10) $$, '23514');
SELECT lives_ok($$ INSERT INTO testpool.template (hash, state, owner)
                   VALUES ('pgtap', 'discarded', 10), ('pgtap', 'discarded', 10), ('pgtap', 'finalized', 10) $$,
                'a hash may have been discarded before');
SELECT throws_ok($$ INSERT INTO testpool.database (template, oid, name, state, created_at)
                    SELECT id, 1, 'd', 'idle', now() FROM testpool.template WHERE hash = 'pgtap' $$, '23514');

-- The views do not lend their owner's rights to anything but these tables, and nothing can be inserted.
SELECT is(is_insertable_into, 'NO', table_name || ' cannot be inserted into')
  FROM information_schema.views WHERE table_schema = 'testpool';

SELECT * FROM finish();
ROLLBACK;
