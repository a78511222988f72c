# acquire, release and init_template follow the transaction that calls them: what is rolled back has
# not happened, at every isolation level. No lease ends by the grace here: it is long.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('rollback', conf => 'max_prepared_transactions = 5');
$node->build('app', 'CREATE TABLE t (v int)');

my ($test) = $node->sessions(1);

sub lease_state
{
    my ($database) = @_;
    return $node->query("SELECT state FROM testpool.databases WHERE database = '$database'");
}

sub is_leased
{
    my ($database, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(lease_state($database), 'leased', $name);
}

# Makes the database dirty; it must not be handed out so.
sub spoil { $node->query('CREATE TABLE dirt ()', database => $_[0]); }

# Passes if every clone that can be had is clean.
sub all_clean
{
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @clones = split /\n/,
      $node->query(q{SELECT testpool.acquire('app') FROM generate_series(1, 4)});
    my @dirty = grep {
        $node->query(q{SELECT to_regclass('dirt') IS NULL}, database => $_) ne 't'
    } @clones;
    $node->query("SELECT testpool.release('$_')") for @clones;
    is("@dirty", '', $name);
}

# --- acquire, rolled back -----------------------------------------------------------------------

$test->query('BEGIN');
my $database = $test->query(q{SELECT testpool.acquire('app')});
spoil($database);
is_leased($database, 'what a transaction acquires can be used before it commits');
$test->query('ROLLBACK');
$node->wait_for_lease_end($database);
pass('a transaction that is rolled back gives the database back');
all_clean('and what was done in it is not handed out');

is($test->try_query(q{SELECT testpool.acquire('app'), 1 / 0})->{error}{sqlstate},
    '22012', 'a statement acquires, and fails');
$node->becomes_true(q{SELECT NOT EXISTS (SELECT FROM testpool.databases WHERE state = 'leased')},
    'then the database is given back');

$test->query('BEGIN');
$database = $test->query(q{SELECT testpool.acquire('app')});
spoil($database);
$test->kill_client;
$node->wait_for_lease_end($database);
pass('a transaction whose client is killed gives the database back without a grace');
all_clean('and it is not handed out dirty');
($test) = $node->sessions(1);

# --- savepoints ---------------------------------------------------------------------------------

$test->query('BEGIN');
my $outer = $test->query(q{SELECT testpool.acquire('app')});
$test->query('SAVEPOINT s');
my $inner = $test->query(q{SELECT testpool.acquire('app')});
spoil($inner);
$test->query('ROLLBACK TO s');
$node->wait_for_lease_end($inner);
is_leased($outer, 'a savepoint that is rolled back gives back what was acquired in it, only');
$test->query('SAVEPOINT s1');
$test->query('SAVEPOINT s2');
$inner = $test->query(q{SELECT testpool.acquire('app')});
$test->query('RELEASE s2');
$test->query('ROLLBACK TO s1');
$node->wait_for_lease_end($inner);
pass('a savepoint that was released belongs to the one around it');
$test->query('COMMIT');
is_leased($outer, 'the commit keeps the rest');
$test->query("SELECT testpool.release('$outer')");
$node->wait_for_lease_end($outer);
all_clean('nothing of a savepoint that was rolled back is handed out');

# --- PL/pgSQL -----------------------------------------------------------------------------------

$test->query(<<'SQL');
CREATE FUNCTION acquire_and_fail() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..3 LOOP
        BEGIN
            PERFORM set_config('test.inner', testpool.acquire('app'), false);
            RAISE EXCEPTION 'no' USING DETAIL = current_setting('test.inner');
        EXCEPTION WHEN raise_exception THEN
            NULL;
        END;
    END LOOP;
END $$;
CREATE PROCEDURE acquire_and_commit(INOUT kept text) LANGUAGE plpgsql AS $$
BEGIN
    kept := testpool.acquire('app');
    COMMIT;
    PERFORM testpool.acquire('app');
    ROLLBACK;
END $$;
SQL
$test->query('SELECT acquire_and_fail()');
$node->becomes_true(q{SELECT NOT EXISTS (SELECT FROM testpool.databases WHERE state = 'leased')},
    'an exception block that fails gives back what it acquired');
$database = $test->query('CALL acquire_and_commit(NULL)');
$node->becomes_true(
    qq{SELECT array_agg(database) = ARRAY['$database'::name]
         FROM testpool.databases WHERE state = 'leased'},
    'a procedure keeps what it committed and gives back what it rolled back');

# --- release, rolled back -----------------------------------------------------------------------

my ($inside) = $node->sessions(1, database => $database);
$inside->query('CREATE TABLE precious AS SELECT 42 AS v');
$test->query('BEGIN');
$test->query("SELECT testpool.release('$database')");
$test->query('ROLLBACK');
is($inside->query('SELECT v FROM precious'),
    42, 'release in a transaction that is rolled back does not touch the sessions inside');
$test->query('BEGIN');
$test->query('SAVEPOINT s');
$test->query('SELECT testpool.release()');
$test->query('ROLLBACK TO s');
$test->query('COMMIT');
is($inside->query('SELECT v FROM precious'),
    42, 'nor does it in a savepoint that is rolled back');
is_leased($database, 'the lease is kept');

$test->query('BEGIN');
$test->query("SELECT testpool.release('$database')");
TestpoolCluster::is_error($test->try_query("SELECT testpool.release('$database')")->{error},
    '55000', 'a transaction cannot release the same database twice');
$test->query('ROLLBACK');
is($inside->query('SELECT v FROM precious'), 42, 'and after that error it is leased as before');

$test->query("SELECT testpool.release('$database')");
$node->wait_for_lease_end($database);
pass('a release that commits ends the lease');
$inside->quit;

# --- acquired and released in one transaction ---------------------------------------------------

for my $end (qw(COMMIT ROLLBACK))
{
    $test->query('BEGIN');
    $database = $test->query(q{SELECT testpool.acquire('app')});
    spoil($database);
    $test->query("SELECT testpool.release('$database')");
    $test->query($end);
    $node->wait_for_lease_end($database);
    all_clean("acquired and released in one transaction, which ends with $end");
}

# --- isolation levels ---------------------------------------------------------------------------

for my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
    my $name = lc $level;
    $test->query("BEGIN ISOLATION LEVEL $level");
    $test->query('SELECT count(*) FROM testpool.databases');    # takes the snapshot
    my @two = map { $test->query(q{SELECT testpool.acquire('app')}) } 1 .. 2;
    isnt($two[0], $two[1], "$name: acquire works after the snapshot was taken, and twice");
    spoil($two[0]);
    $test->query("SELECT testpool.release('$two[0]')");
    $test->query('COMMIT');
    $node->wait_for_lease_end($two[0]);
    is_leased($two[1], "$name: release takes effect at commit, the rest stays leased");

    $test->query("BEGIN ISOLATION LEVEL $level");
    $test->query('SELECT count(*) FROM testpool.databases');
    $test->query("SELECT testpool.release('$two[1]')");
    $test->query('ROLLBACK');
    is_leased($two[1], "$name: a release that is rolled back keeps the lease");
    $test->query("BEGIN ISOLATION LEVEL $level; SELECT testpool.release(); COMMIT");
    $node->wait_for_lease_end($two[1]);
    all_clean("$name: what is handed out next is clean");
}

# --- two-phase commit ---------------------------------------------------------------------------

$test->query('BEGIN');
$database = $test->query(q{SELECT testpool.acquire('app')});
spoil($database);
TestpoolCluster::is_error($test->try_query(q{PREPARE TRANSACTION 'p'})->{error},
    '0A000', 'a transaction that has acquired cannot be prepared');
$node->wait_for_lease_end($database);
all_clean('and gives back what it has acquired');
$database = $test->query(q{SELECT testpool.acquire('app')});
$test->query('BEGIN; SELECT testpool.release()');
TestpoolCluster::is_error($test->try_query(q{PREPARE TRANSACTION 'p'})->{error},
    '0A000', 'a transaction that has released cannot be prepared');
is_leased($database, 'and keeps the lease');

# --- claims -------------------------------------------------------------------------------------

$test->query('BEGIN');
my $half_built = $test->query(q{SELECT testpool.init_template('claimed')});
$node->query('CREATE TABLE dirt ()', database => $half_built);
my ($heir) = $node->sessions(1);
$heir->send(q{SELECT testpool.init_template('claimed')});
$node->wait_until_waiting($heir);
$test->query('ROLLBACK');
$database = $heir->result->{out};
isnt($database, $half_built, 'a claim that is rolled back passes to the session that waits');
is($node->query(q{SELECT to_regclass('dirt') IS NULL}, database => $database),
    't', 'which begins with an empty database');
$heir->query(q{SELECT testpool.finalize('claimed')});

$test->query('BEGIN');
$test->query(q{SELECT testpool.init_template('sealed')});
$test->query(q{SELECT testpool.finalize('sealed')});
$test->query('ROLLBACK');
is($node->query(q{SELECT state FROM testpool.templates WHERE hash = 'sealed'}),
    'finalized', 'finalize takes effect at once, whatever becomes of the transaction');

$_->quit for $test, $heir;
$node->finish;
