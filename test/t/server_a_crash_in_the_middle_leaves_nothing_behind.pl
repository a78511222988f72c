# A crash while databases are created, sealed or dropped: a directory without a row in pg_database,
# which PostgreSQL itself never removes, is cleared away, and the work is done again.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('crash', conf => <<CONF);
testpool.pool_size = 0
testpool.workers = 1
testpool.lease_grace = '2s'
max_wal_size = '4GB'
CONF
# Large enough that a clone is found in the making.
$node->build('app', q{CREATE TABLE t AS SELECT i, repeat('x', 1000) AS v FROM generate_series(1, 50000) i});

my $stopped;    # a process that the test has stopped with SIGSTOP

END { kill 'CONT', $stopped if $stopped }

# Asks for a database by the SQL, and stops the worker while it creates it: the directory has just
# appeared. No query may be sent until the worker is killed or goes on: it may hold any lock.
# Returns the session that waits, and the one that holds what was ready.
sub stop_while_creating
{
    my ($sql) = @_;
    my ($worker) = $node->pids_of('worker');
    my ($holder, $asking) = $node->sessions(2);
    $holder->query(<<'DRAIN');    # no clone is ready: one has to be made
SELECT testpool.acquire('app') FROM testpool.templates, generate_series(1, ready) WHERE hash = 'app'
DRAIN
    my @before = glob($node->data_dir . '/base/[0-9]*');
    my %before = map { $_ => 1 } @before;
    $asking->send($sql);
    TestpoolCluster::wait_until(
        'a database is being created',
        sub { (grep { !$before{$_} } glob($node->data_dir . '/base/[0-9]*'))[0] });
    kill 'STOP', $worker;
    $stopped = $worker;
    return ($asking, $holder);
}

# Ends the sessions that the crash has cut off.
sub hang_up { $_->quit for @_ }

sub kill_stopped
{
    my $log = -s $node->logfile;
    $node->kill_process($stopped);
    undef $stopped;
    return $log;
}

# --- a worker, and the postmaster, are killed while a clone is created ---------------------------

for my $strategy (qw(wal_log file_copy))
{
    $node->query("ALTER SYSTEM SET testpool.clone_strategy = $strategy");
    $node->query('SELECT pg_reload_conf()');
    my @cut_off = stop_while_creating(q{SELECT testpool.acquire('app')});
    my $log = kill_stopped();
    $node->wait_for_log(qr/database system is ready to accept connections/, $log);
    hang_up(@cut_off);
    $node->settle;
    $node->has_no_orphans("$strategy: a clone in the making leaves no directory when its worker is killed");
    my $clone = $node->query(q{SELECT testpool.acquire('app')});
    is($node->query('SELECT count(*) FROM t', database => $clone),
        50000, "$strategy: and what is acquired next is whole");

    $node->query("SELECT testpool.release('$clone')");
    $node->settle;
    @cut_off = stop_while_creating(q{SELECT testpool.acquire('app')});
    $node->kill_postmaster;
    kill_stopped();
    hang_up(@cut_off);
    $node->start_again;
    $node->settle;
    $node->has_no_orphans("$strategy: nor when the postmaster is killed");
}

# --- ... while a template is created ------------------------------------------------------------

$node->settle;
my @cut_off =
  stop_while_creating(q{SELECT testpool.init_template('layer', base => 'app')});
$node->kill_postmaster;
kill_stopped();
hang_up(@cut_off);
$node->start_again;
$node->becomes_true(
    q{SELECT count(*) = 0 FROM testpool.templates WHERE hash = 'layer' AND state <> 'discarded'},
    'the claim of a template in the making ends');
$node->settle;
$node->has_no_orphans('a template in the making leaves no directory when the postmaster is killed');
is($node->query(q{SELECT testpool.init_template('layer', base => 'app') IS NOT NULL}),
    't', 'and the next caller is told to build it');
$node->query(q{SELECT testpool.discard('layer')});

# --- a worker is terminated while it creates a clone --------------------------------------------

$node->settle;
my ($asking, $holder) = stop_while_creating(q{SELECT testpool.acquire('app')});
my $worker = $stopped;
kill 'TERM', $worker;    # what pg_terminate_backend sends
kill 'CONT', $worker;
undef $stopped;
my $clone = $asking->result->{out};
is($node->query('SELECT count(*) FROM t', database => $clone),
    50000, 'an acquire gets its clone though the worker that made it was terminated');
isnt(($node->pids_of('worker'))[0], $worker, 'from another worker');
hang_up($asking, $holder);
$node->wait_for_lease_end($clone);
$node->settle;
$node->has_no_orphans('a terminated worker leaves no directory');

# --- everything is terminated while leases are held and sessions wait ----------------------------

($holder, my $waiting) = $node->sessions(2);
$clone = $holder->query(q{SELECT testpool.acquire('app')});
$holder->query(q{SELECT testpool.init_template('slow')});
$waiting->send(q{SELECT coalesce(testpool.init_template('slow'), 'ready')});
$node->wait_until_waiting($waiting);
for my $round (1 .. 3)
{
    my @all = map { $node->pids_of($_) } qw(launcher worker);
    my $pids = join ',', @all;
    $node->query("SELECT pg_terminate_backend(pid) FROM unnest(ARRAY[$pids]) pid");
    $node->becomes_true(
        "SELECT count(*) = 2 FROM pg_stat_activity
          WHERE backend_type IN ('testpool launcher', 'testpool worker') AND pid NOT IN ($pids)",
        "terminated for the ${round}th time, launcher and worker come again");
    ok(!$waiting->answered, 'the session that waits goes on waiting');
}
is($holder->query('SELECT count(*) FROM testpool.databases WHERE state = \'leased\''),
    1, 'the lease is held throughout');
$node->query('CREATE TABLE mine ()', database => $clone);
$holder->query(q{SELECT testpool.finalize('slow')});
is($waiting->result->{out}, 'ready', 'the session that waits is answered by the new launcher');
$holder->query('SELECT testpool.release()');
$node->wait_for_lease_end($clone);

# --- the launcher is terminated while a session acquires in a loop -------------------------------

$holder->send(<<'SQL');
DO $$
DECLARE d text;
BEGIN
    FOR i IN 1..10 LOOP
        d := testpool.acquire('slow');
        COMMIT;
        PERFORM testpool.release(d);
        COMMIT;
    END LOOP;
END $$;
SELECT 'served'
SQL
until ($holder->answered)
{
    my ($launcher) = $node->pids_of('launcher');
    $node->query("SELECT pg_terminate_backend($launcher)") if $launcher;
    $node->poll_query_until('postgres', <<SQL);
SELECT EXISTS (SELECT FROM pg_stat_activity
                WHERE backend_type = 'testpool launcher' AND pid <> @{[ $launcher // 0 ]})
SQL
}
is($holder->result->{out}, 'served', 'a loop of acquire and release survives launchers that end');

$_->quit for $holder, $waiting;
$node->finish;
