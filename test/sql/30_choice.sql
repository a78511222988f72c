-- acquire() without a hash: the setting, else the only finalized template, else the root template.
SELECT current_database() AS home \gset
\pset format unaligned
\pset tuples_only on
SET application_name = 'choice';

-- No template at all: a clone of the root template, so that it works in the first minute.
SELECT testpool.acquire() AS clone \gset
SELECT state, hash, template FROM testpool.databases WHERE database = :'clone';
SELECT count(*) FROM testpool.templates;
SELECT d.encoding = t.encoding AND d.datcollate = t.datcollate
  FROM pg_database d, pg_database t
 WHERE d.datname = :'clone' AND t.datname = current_setting('testpool.root_template');
\c :"clone"
CREATE TABLE works ();
\c :"home"
SELECT testpool.recreate(:'clone');
\c :"clone"
SELECT to_regclass('works');
\c :"home"
SELECT testpool.release(:'clone');

-- The only one.
SELECT testpool_test.build('one', name => 'first');
SELECT testpool.acquire() AS clone \gset
SELECT hash, template FROM testpool.databases WHERE database = :'clone';

-- One that is being built, or was discarded, is no choice.
SELECT testpool.init_template('two', name => 'second') IS NOT NULL;
SELECT testpool.acquire() AS clone \gset
SELECT hash FROM testpool.databases WHERE database = :'clone';

-- Several, and no choice: an error that lists them.
SELECT testpool.finalize('two');
SELECT testpool_test.build('three');
SELECT testpool_test.error('SELECT testpool.acquire()');

-- The setting decides; a hash beats it.
SET testpool.template = 'two';
SELECT testpool.acquire() AS clone \gset
SELECT hash FROM testpool.databases WHERE database = :'clone';
SELECT testpool.acquire(NULL, '1 minute') AS clone \gset
SELECT hash FROM testpool.databases WHERE database = :'clone';
SELECT testpool.acquire('three') AS clone \gset
SELECT hash FROM testpool.databases WHERE database = :'clone';
SET testpool.template = 'nothing';
SELECT testpool_test.error('SELECT testpool.acquire()');
RESET testpool.template;

-- From the connection string, as PGOPTIONS does.
\c -reuse-previous=on "options='-c testpool.template=three'"
SELECT testpool.acquire() AS clone \gset
SELECT hash FROM testpool.databases WHERE database = :'clone';
\c -reuse-previous=on "options=''"
-- From the role, and from the database.
ALTER ROLE CURRENT_USER IN DATABASE :"home" SET testpool.template = 'one';
\c
SELECT testpool.acquire() AS clone \gset
SELECT hash FROM testpool.databases WHERE database = :'clone';
ALTER ROLE CURRENT_USER IN DATABASE :"home" RESET testpool.template;
ALTER DATABASE :"home" SET testpool.template = 'two';
\c
SELECT testpool.acquire() AS clone \gset
SELECT hash FROM testpool.databases WHERE database = :'clone';
ALTER DATABASE :"home" RESET testpool.template;
\c

-- When the others are gone, the one that is left is the choice again.
SELECT testpool.discard('one'), testpool.discard('three');
SELECT testpool.acquire() AS clone \gset
SELECT hash FROM testpool.databases WHERE database = :'clone';
SELECT testpool.reset();
