-- The settings: names, types, units, bounds, who may change them.
BEGIN;
SELECT no_plan();

CREATE TEMP TABLE contract (name text, vartype text, unit text, context text);
INSERT INTO contract VALUES
    ('testpool.acquire_timeout', 'integer', 'ms', 'user'),
    ('testpool.arrival_grace', 'integer', 'ms', 'user'),
    ('testpool.clone_strategy', 'enum', NULL, 'sighup'),
    ('testpool.connect', 'bool', NULL, 'sighup'),
    ('testpool.connect_separator', 'string', NULL, 'sighup'),
    ('testpool.database', 'string', NULL, 'postmaster'),
    ('testpool.lease_grace', 'integer', 'ms', 'sighup'),
    ('testpool.max_databases', 'integer', NULL, 'postmaster'),
    ('testpool.max_drop_debt', 'integer', 'MB', 'sighup'),
    ('testpool.max_leases_per_role', 'integer', NULL, 'sighup'),
    ('testpool.max_size', 'integer', 'MB', 'sighup'),
    ('testpool.min_free_space', 'integer', 'MB', 'sighup'),
    ('testpool.name_prefix', 'string', NULL, 'sighup'),
    ('testpool.notify', 'bool', NULL, 'sighup'),
    ('testpool.pool_max', 'integer', NULL, 'sighup'),
    ('testpool.pool_size', 'integer', NULL, 'sighup'),
    ('testpool.private', 'bool', NULL, 'sighup'),
    ('testpool.recycle', 'enum', NULL, 'sighup'),
    ('testpool.rewind', 'string', NULL, 'user'),
    ('testpool.rewind_on_discard', 'bool', NULL, 'user'),
    ('testpool.rewind_timeout', 'integer', 'ms', 'user'),
    ('testpool.root_template', 'string', NULL, 'sighup'),
    ('testpool.shrink_after', 'integer', 's', 'sighup'),
    ('testpool.template', 'string', NULL, 'user'),
    ('testpool.template_ttl', 'integer', 's', 'sighup'),
    ('testpool.template_timeout', 'integer', 'ms', 'user'),
    ('testpool.vacuum_templates', 'bool', NULL, 'sighup'),
    ('testpool.visit_grace', 'integer', 'ms', 'user'),
    ('testpool.workers', 'integer', NULL, 'postmaster');
SELECT is((SELECT array[s.vartype, s.unit, s.context] FROM pg_settings s WHERE s.name = c.name),
          array[c.vartype, c.unit, c.context], c.name || ': type, unit, context')
  FROM contract c;

SELECT ok(short_desc ~ '^[A-Z].*\.$', name || ' has a description, which is a sentence')
  FROM pg_settings WHERE name LIKE 'testpool.%';
SELECT ok(extra_desc IS NULL OR extra_desc ~ '\.$', name || ' has no half sentence in its details')
  FROM pg_settings WHERE name LIKE 'testpool.%';
SELECT ok(min_val IS NOT NULL AND max_val IS NOT NULL AND min_val::numeric < max_val::numeric, name || ' has bounds')
  FROM pg_settings WHERE name LIKE 'testpool.%' AND vartype IN ('integer', 'real');
SELECT ok(boot_val::numeric BETWEEN min_val::numeric AND max_val::numeric, name || ' has a default within them')
  FROM pg_settings WHERE name LIKE 'testpool.%' AND vartype IN ('integer', 'real');
SELECT ok(boot_val <> '' OR name IN ('testpool.template', 'testpool.rewind'), name || ' has a default that works')
  FROM pg_settings WHERE name LIKE 'testpool.%';
SELECT is(boot_val, value, name || ' is ' || value || ' by default')
  FROM (VALUES ('testpool.database', 'postgres'), ('testpool.root_template', 'template1'),
               ('testpool.acquire_timeout', '60000'), ('testpool.template_timeout', '60000'),
               ('testpool.lease_grace', '10000'), ('testpool.connect', 'on'),
               ('testpool.connect_separator', '~')) promised (name, value)
  JOIN pg_settings USING (name);

-- Out of bounds, or unknown.
SELECT throws_ok(format('SET %s = %s', name, min_val::bigint - 1), '22023')
  FROM pg_settings WHERE name LIKE 'testpool.%' AND vartype = 'integer' AND context = 'user';
SELECT throws_ok(format('SET %s = %L', name, max_val::bigint + 1), '22023')
  FROM pg_settings WHERE name LIKE 'testpool.%' AND vartype = 'integer' AND context = 'user';
SELECT lives_ok(format('SET %s = %s', name, bound))
  FROM pg_settings, LATERAL (VALUES (min_val), (max_val)) bounds (bound)
 WHERE name LIKE 'testpool.%' AND vartype = 'integer' AND context = 'user';
SELECT throws_ok('SET testpool.no_such_setting = 1', '42602');

SELECT * FROM finish();
ROLLBACK;
