# A session that keeps a snapshot for long, in whatever database, keeps all versions that rows of pg_database
# get meanwhile. Nobody walks them: the newest is found directly, and a clone whose row has very many is
# replaced. And nothing piles up in the launcher's memory.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('snapshot', conf => <<CONF);
testpool.pool_size = 1
testpool.pool_max = 1
testpool.workers = 1
autovacuum = off
CONF
$node->query('CREATE DATABASE elsewhere');
$node->build('it');
$node->settle;

sub lease_and_release ($times)
{
    my $session = $node->session;
    $session->query(q{SELECT testpool.acquire('it'); SELECT testpool.release()}) for 1 .. $times;
    $session->quit;
    $node->settle;
}

# What our processes and sessions that connect have read of the index by OID, and of the one of our table.
sub index_rows ()
{
    return $node->query(<<SQL);
SELECT sum(idx_tup_read) FROM pg_stat_all_indexes
 WHERE indexrelid IN ('pg_database_oid_index'::regclass, 'testpool.database_pkey'::regclass)
SQL
}

my $before = index_rows();
my $old = $node->session(database => 'elsewhere');
$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
lease_and_release(600);
$old->quit;
$node->restart;  # each process tells what it has read when it ends
my $read = index_rows() - $before;
cmp_ok($read, '<', 60 * 600, "600 leases under an old snapshot read few versions in the index: $read");

lease_and_release(1);  # what was made before a restart is made anew
$old = $node->session(database => 'elsewhere');
$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$node->query(q{DO $$ BEGIN FOR i IN 1 .. 6000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$});
my $pid = $old->query('SELECT pg_backend_pid()');
like($node->query('SELECT * FROM testpool.advice()'),
    qr/^Session $pid \(database elsewhere, application ".*"\) has kept a snapshot for \d+ transactions/m,
    'advice names the session');

my $oid = $node->query('SELECT oid FROM testpool.database');
lease_and_release(2010);
isnt($node->query('SELECT oid FROM testpool.database'), $oid, 'after at most two thousand leases another clone takes its place');
like($node->query('SELECT last_refusal FROM testpool.stats'), qr/an old snapshot keeps all versions/,
    '… and says why');

$old->query('COMMIT');
$oid = $node->query('SELECT oid FROM testpool.database');
unlike($node->query('SELECT string_agg(a, chr(10)) FROM testpool.advice() a'), qr/has kept a snapshot/, 'the advice goes with it');
lease_and_release(2010);
is($node->query('SELECT oid FROM testpool.database'), $oid, 'and so does the need of another clone');

# --- what the launcher keeps of templates that are forgotten --------------------------------------

sub memory ()
{
    my ($pid) = $node->pids_of('launcher');
    my $offset = -s $node->logfile;
    $node->query("SELECT pg_log_backend_memory_contexts($pid)");
    $node->wait_for_log(qr/Grand total/, $offset);
    my $log = PostgreSQL::Test::Utils::slurp_file($node->logfile, $offset);
    $log =~ /testpool state: (\d+) total in \d+ blocks; (\d+) free/ or die $log;
    return $1 - $2;
}
sub build_and_discard ($times)
{
    my $session = $node->session;
    $session->query("SELECT testpool.init_template('t$_'); SELECT testpool.discard('t$_')") for 1 .. $times;
    $session->quit;
    $node->settle;
}
build_and_discard(210);  # as many as are remembered, and some
my $used = memory();
build_and_discard(100);
cmp_ok(memory(), '<', $used + 20_000, 'forgotten templates leave nothing in its memory');

$node->finish;
