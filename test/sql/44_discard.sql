-- discard() gives up a build, or removes a finalized template and its idle clones.
\pset format unaligned
\pset tuples_only on

-- A build: its database goes, and the next caller gets a fresh one.
SELECT testpool.init_template('given up') AS first \gset
SELECT testpool.discard('given up', 'migration failed');
SELECT state, reason FROM testpool.templates;
SELECT testpool_test.eventually(format('NOT EXISTS (SELECT FROM pg_database WHERE datname = %L)', :'first'));
SELECT testpool.init_template('given up') AS second \gset
SELECT :'second' <> :'first' AS "a fresh one";
SELECT state, reason FROM testpool.templates WHERE hash = 'given up';
SELECT testpool.finalize('given up');

-- A finalized template: idle clones go, leased and kept ones stay until their lease ends.
SELECT testpool.acquire('given up') AS leased, testpool.acquire('given up') AS kept \gset
SELECT testpool.keep(:'kept') IS NOT NULL;
SELECT testpool.discard('given up', 'old');
SELECT testpool_test.eventually($$ (SELECT count(*) = 2 FROM testpool.databases) $$);
SELECT testpool_test.state_of(:'leased'), testpool_test.state_of(:'kept');
SELECT datallowconn FROM pg_database WHERE datname IN (:'leased', :'kept');
SELECT testpool_test.eventually(format('NOT EXISTS (SELECT FROM pg_database WHERE datname = %L)', :'second'));
SELECT testpool.release(:'leased');
SELECT testpool.release(:'kept');
SELECT testpool_test.eventually('NOT EXISTS (SELECT FROM testpool.databases)');
SELECT testpool_test.eventually(format('NOT EXISTS (SELECT FROM pg_database WHERE datname IN (%L, %L))', :'leased', :'kept'));

-- The same hash can live again while leases of the former one go on.
SELECT testpool_test.build('again', name => 'before');
SELECT testpool.acquire('again') AS former \gset
SELECT testpool.discard('again');
SELECT testpool_test.build('again', name => 'after');
SELECT testpool.acquire('again') AS latter \gset
SELECT database = :'former' AS former, hash, template, state FROM testpool.databases
 WHERE database IN (:'former', :'latter') ORDER BY 1 DESC;
SELECT name, state, leased FROM testpool.templates WHERE hash = 'again' ORDER BY claimed_at;
SELECT testpool.release();
SELECT testpool.reset();

-- The reason may be as long as it likes: 1,024 bytes of it are remembered.
SELECT testpool.init_template('reason') IS NOT NULL;
SELECT testpool.discard('reason', repeat('é', 10000));
SELECT octet_length(reason), reason ~ '^é+$' FROM testpool.templates WHERE hash = 'reason';
SELECT testpool.reset();
