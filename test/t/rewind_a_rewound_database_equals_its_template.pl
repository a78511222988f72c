# After a rewind the files of the database equal those of its template, page by page, as a tool finds
# that knows nothing of the rewind. What a rewind cannot undo is cloned again, and says why.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use FindBin;
use IPC::Run;
use PostgreSQL::Test::Utils;
use RewindTest;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin(
    'rewind',
    init => { allows_streaming => 'logical' },
    conf => <<CONF);
max_prepared_transactions = 5
autovacuum_naptime = 1
testpool.pool_size = 1
CONF

$node->query('CREATE ROLE somebody');
$node->build('app', $RewindTest::content);
my $template = $node->query(q{SELECT oid FROM testpool.template WHERE hash = 'app'});

# Waits until the clone with that OID is clean again; returns how it became so, or '' if it is gone.
sub recycled ($oid)
{
    $node->becomes_true(
        "SELECT NOT EXISTS (SELECT FROM testpool.database WHERE oid = $oid AND state <> 'ready')",
        'it is clean again or gone');
    return $node->query("SELECT recycled || ' ' || relations FROM testpool.database WHERE oid = $oid");
}

sub differences ($oid)
{
    $node->query('CHECKPOINT');
    IPC::Run::run([ "$FindBin::Bin/compare-databases", $node->data_dir, $template, $oid ],
        '>', \my $out, '2>', \my $err);
    return $out . $err;
}

# Each SQL in one session; %s stands for the name of the database.
sub misuse (@statements)
{
    my $database = $node->query(q{SELECT testpool.acquire('app')});
    my $oid = $node->oid_of($database);
    $node->query(s/%s/$database/gr, database => $database) for @statements;
    $node->query("SELECT testpool.release('$database')");
    return $oid;
}

sub is_rewound ($what, @statements)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $oid = misuse(@statements);
    like(recycled($oid), qr/^rewind /, "$what is rewound");
    is(differences($oid), '', "$what leaves no trace");
}

# --- what is rewound ----------------------------------------------------------------------------

is_rewound('reading', 'SELECT count(*) FROM big', 'SELECT * FROM part');
is_rewound('DML', q{INSERT INTO big (t) SELECT 'new' FROM generate_series(1, 20)},
    q{UPDATE big SET t = 'upd' WHERE id < 10}, 'DELETE FROM big WHERE id = 50');
is_rewound('DML written out by a checkpoint',
    q{INSERT INTO big (t) SELECT 'new' FROM generate_series(1, 5000)},
    'CHECKPOINT', q{UPDATE big SET t = 'upd' WHERE id < 1000}, 'CHECKPOINT');
is_rewound('TRUNCATE', 'TRUNCATE big');
is_rewound('TRUNCATE before a checkpoint', 'TRUNCATE big, wide', 'CHECKPOINT');
is_rewound('TRUNCATE of an empty table', 'TRUNCATE empty');
is_rewound('TRUNCATE twice', q{INSERT INTO empty VALUES (1, 'x')},
    'TRUNCATE empty', 'TRUNCATE empty', q{INSERT INTO empty VALUES (2, 'y')});
is_rewound('DROP TABLE', 'DROP TABLE big, part, wide CASCADE');
is_rewound('DDL', 'CREATE TABLE one (a int PRIMARY KEY, b text)', 'CREATE TABLE two (a int)',
    q{CREATE FUNCTION g() RETURNS int LANGUAGE sql AS 'SELECT 2'}, 'CREATE INDEX ON big (id, t)',
    q{INSERT INTO one SELECT i, 'x' FROM generate_series(1, 1000) i});
is_rewound('unlogged and temporary tables', 'CREATE UNLOGGED TABLE u AS SELECT 1 AS a',
    'CREATE TEMPORARY TABLE t AS SELECT 1 AS a');
is_rewound('CLUSTER and REINDEX', 'REINDEX TABLE big', 'CLUSTER big USING big_pkey');
is_rewound('filling an empty table', q{INSERT INTO empty SELECT i, 'x' FROM generate_series(1, 20000) i},
    'VACUUM empty');
is_rewound('large objects', q{SELECT lo_unlink(7000)}, q{SELECT lo_from_bytea(0, 'other')});
is_rewound('sequences', q{SELECT nextval('numbers')}, q{SELECT setval('numbers', 100)},
    'ALTER SEQUENCE numbers RESTART');
is_rewound('a materialized view', 'REFRESH MATERIALIZED VIEW report');
is_rewound('values stored elsewhere', q{UPDATE wide SET d = repeat('y', 100000)},
    'DELETE FROM wide WHERE id < 10');
is_rewound('properties of the database', q{ALTER DATABASE %s SET work_mem = '1MB'},
    q{COMMENT ON DATABASE %s IS 'mine'}, 'ALTER DATABASE %s CONNECTION LIMIT 3');
is($node->query(q{SELECT count(*) FROM pg_db_role_setting WHERE setdatabase <> 0}),
    0, 'no setting of the database is left');
is_rewound('owners', 'ALTER TABLE big OWNER TO somebody', 'GRANT ALL ON part TO somebody',
    'ALTER DATABASE %s OWNER TO somebody');
is($node->query('SELECT count(*) FROM pg_shdepend WHERE refobjid = (SELECT oid FROM pg_authid '
        . q{WHERE rolname = 'somebody')}), 0, 'nothing depends on the role any more');
is_rewound('a privilege on the database', 'GRANT ALL ON DATABASE %s TO somebody',
    'REVOKE CONNECT ON DATABASE %s FROM public');
is_rewound('a mapped catalog written anew', 'VACUUM FULL pg_class', 'REINDEX TABLE pg_proc');
is_rewound('a table emptied in place', 'DELETE FROM big', 'VACUUM big', 'CHECKPOINT');
is_rewound('an event trigger',
    'CREATE FUNCTION e() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN END$$',
    'CREATE EVENT TRIGGER e ON ddl_command_start EXECUTE FUNCTION e()');
is_rewound('another schema', 'DROP SCHEMA public CASCADE', 'CREATE SCHEMA other');
is_rewound('marks of dead index entries', 'BEGIN; DELETE FROM big WHERE id % 2 = 0; ROLLBACK',
    'DELETE FROM big WHERE id % 3 = 0',
    'SET enable_seqscan = off; SELECT count(*) FROM big WHERE id > 0', 'CHECKPOINT');
is_rewound('ANALYZE', 'ANALYZE');

# --- nothing changed ----------------------------------------------------------------------------

my $untouched = misuse('SELECT 1');
is(recycled($untouched), 'rewind 0', 'a database in which nothing changed goes back as it is');

# --- the last holder's connections --------------------------------------------------------------

my $former = $node->query(q{SELECT testpool.acquire('app')});
my $oid = $node->oid_of($former);
$node->query("SELECT testpool.release('$former')");
recycled($oid);
like($node->error_of('SELECT 1', database => $former)->{message} // '',
    qr/does not exist/, 'whoever reconnects to a name that was released finds nobody there');

# --- recreate -----------------------------------------------------------------------------------

my $session = $node->session;
my $database = $session->query(q{SELECT testpool.acquire('app')});
$oid = $node->oid_of($database);
$node->query('DROP TABLE big CASCADE', database => $database);
$session->query("SELECT testpool.recreate('$database')");
is($node->oid_of($database), $oid, 'recreate rewinds the database that is leased');
is($node->query('SELECT count(*) FROM big', database => $database), 5000, 'and it is whole again');
$session->query('SELECT testpool.release()');
$session->quit;

# --- what the cluster keeps of a database is let go of --------------------------------------------

is_rewound('a prepared transaction',
    q{BEGIN; INSERT INTO empty VALUES (1); PREPARE TRANSACTION 'left behind'});
is_rewound('a replication slot',
    q{SELECT pg_create_logical_replication_slot('left_behind', 'pgoutput')});

# --- crashes ------------------------------------------------------------------------------------

# Kills a worker or the postmaster while databases are rewound; whatever is handed out is clean.
for my $round (1 .. 6)
{
    $node->query(q{SELECT testpool.prewarm('app', 2)});
    my ($one, $two) = map { $node->query(q{SELECT testpool.acquire('app')}) } 1 .. 2;
    $node->query($_, database => $one)
      for 'TRUNCATE big', 'CREATE TABLE mine AS SELECT 1 AS a', 'DELETE FROM part';
    $node->query('UPDATE big SET t = t || id', database => $two);
    my ($worker) = $node->pids_of('worker');
    my $log = -s $node->logfile;
    $node->query("SELECT testpool.release('$one'), testpool.release('$two')");
    if ($round % 2)
    {
        $node->kill_process($worker);
        $node->wait_for_log(qr/database system is ready to accept connections/, $log);
    }
    else
    {
        $node->kill_postmaster;
        $node->start_again;
    }
    my $next = $node->query(q{SELECT testpool.acquire('app')});
    is($node->query(q{SELECT count(*) || ' ' || (SELECT count(*) FROM part) || ' '
        || coalesce(to_regclass('mine')::text, 'clean') || ' ' || max(length(t)) FROM big}, database => $next),
        '5000 200 clean 104', "what is acquired after crash $round is clean");
    $node->query("SELECT testpool.release('$next')");
    $node->settle;
}

$node->finish;
