# A lease ends by release, or once its session is gone and nobody has been in the database for the
# grace. Until then the database is its holder's, however short the pool is.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('leases', conf => q{testpool.lease_grace = '2s'});
$node->build_clock;
$node->build('app', 'CREATE TABLE t (v int)');

sub state_of
{
    my ($database) = @_;
    return $node->query("SELECT state FROM testpool.databases WHERE database = '$database'");
}

# True if the log says that the lease was given up, and that not before the grace had passed.
sub given_up_a_grace_after
{
    my ($database, $left_at, $grace) = @_;
    my $ended_at = $node->time_of_log_line(qr/database "$database" was abandoned/);
    # The log's times are cut off after the millisecond.
    return $node->query(<<SQL) eq 't';
SELECT timestamptz '$ended_at' + interval '1 ms' - timestamptz '$left_at' >= interval '$grace'
SQL
}

# --- a session inside ---------------------------------------------------------------------------

my $database = $node->query(q{SELECT testpool.acquire('app')});
my $inside = $node->session(database => $database);
$node->pass_a_grace for 1 .. 2;
is(state_of($database), 'leased',
    'a lease outlives the psql that acquired it while a session is in the database');
$inside->query('INSERT INTO t VALUES (1)');

my $left_at = $inside->query('SELECT clock_timestamp()');
$inside->quit;
$node->wait_for_lease_end($database);
ok(given_up_a_grace_after($database, $left_at, '2 s'),
    'it ends a grace after the last session has left, not before');

# --- a short visit ------------------------------------------------------------------------------

# A longer grace, so that the visit is inside it on a busy machine as well.
$node->query($_) for q{ALTER SYSTEM SET testpool.lease_grace = '4s'}, 'SELECT pg_reload_conf()';
$database = $node->query(q{SELECT testpool.acquire('app')});
$left_at = $node->query('SELECT clock_timestamp()', database => $database);
my $second = $node->query('SELECT clock_timestamp()', database => $database);
$node->wait_for_lease_end($database);
ok(given_up_a_grace_after($database, $second, '4 s'), 'a short visit begins the grace anew');
$node->query($_) for 'ALTER SYSTEM RESET testpool.lease_grace', 'SELECT pg_reload_conf()';

# --- nobody inside, but the holder lives --------------------------------------------------------

my $holder = $node->session;
$database = $holder->query(q{SELECT testpool.acquire('app')});
$node->query('INSERT INTO t VALUES (2)', database => $database);
$node->pass_a_grace for 1 .. 3;
is(state_of($database), 'leased',
    'a lease lasts while its session lives, though nobody is in the database');
is($node->query('SELECT v FROM t', database => $database), 2, 'and so does what was done in it');

# --- a killed holder ----------------------------------------------------------------------------

my $oid = $node->oid_of($database);
my $killed_at = $node->now;
$holder->kill_client;
$node->wait_for_lease_end($database);
ok(given_up_a_grace_after($database, $killed_at, '2 s'), 'a killed holder is given its grace');
$node->settle;
is($node->query(<<SQL), 't', 'then its database is gone, or clean and ready again');
SELECT count(*) = 0 FROM pg_database p
 WHERE p.oid = $oid
   AND NOT EXISTS (SELECT FROM testpool.database d WHERE d.oid = p.oid AND d.state = 'ready')
SQL
$node->has_no_orphans('a killed holder leaves no directory behind');

# --- a holder that was ended by the server, with many leases ------------------------------------

$holder = $node->session;
my @leased = split /\n/,
  $holder->query(q{SELECT testpool.acquire('app') FROM generate_series(1, 5)});
is(scalar(keys %{ { map { $_ => 1 } @leased } }), 5, 'one statement can acquire several databases');
$inside = $node->session(database => $leased[0]);
$node->query("SELECT pg_terminate_backend($holder->{pid})");
$node->wait_for_lease_end($_) for @leased[ 1 .. 4 ];
is(state_of($leased[0]), 'leased', 'only the one that somebody is in stays leased');
$inside->kill_client;
$node->wait_for_lease_end($leased[0]);
$node->settle;

# --- released, with sessions inside -------------------------------------------------------------

$holder = $node->session;
$database = $holder->query(q{SELECT testpool.acquire('app')});
$inside = $node->session(database => $database);
$inside->send('SELECT pg_sleep(3600)');
$holder->query("SELECT testpool.release('$database')");
ok($inside->result->{ended}, 'release ends the sessions inside');
$inside->quit;
$node->wait_for_lease_end($database);

# --- kept ---------------------------------------------------------------------------------------

$database = $holder->query(q{SELECT testpool.acquire('app')});
$holder->query("SELECT testpool.keep('$database', 'look at this')");
$holder->kill_client;
$node->pass_a_grace for 1 .. 2;
is(state_of($database), 'kept', 'a kept database outlives its holder and any grace');
$node->query("SELECT testpool.release('$database')");
$node->wait_for_lease_end($database);

# --- an exhausted pool --------------------------------------------------------------------------

$node->query($_) for 'ALTER SYSTEM SET testpool.pool_max = 2', 'SELECT pg_reload_conf()';
my ($first, $other, $third) = $node->sessions(3);
$_->query(q{SET application_name = 'runner %s "7"'}) for $first, $other;
$node->build('scarce', 'CREATE TABLE t (v int)');
my %held = map { $_->query(q{SELECT testpool.acquire('scarce')}) => $_ } $first, $other;
is(keys %held, 2, 'two holders have the two databases that pool_max allows');
TestpoolCluster::is_error(
    $third->try_query(q{SELECT testpool.acquire('scarce', '2500 ms')})->{error},
    '55P03', 'the third waits in vain, and hears who holds them',
    detail => qr/2 leased.*process $first->{pid}, application "runner %s "7"".*process $other->{pid}/s,
    hint   => qr/pool_max/);
$node->pass_a_grace;
is($node->query('SELECT 1', database => $_),
    1, 'a database is not taken from a live holder, however short the pool')
  for sort keys %held;

$third->send(q{SELECT testpool.acquire('scarce')});
$node->wait_until_waiting($third);
my ($released) = sort keys %held;
$node->query('INSERT INTO t VALUES (3)', database => $released);
$held{$released}->query('SELECT testpool.release()');
my $got = $third->result->{out};
is($node->query('SELECT count(*) FROM t', database => $got),
    0, 'who waits gets a clean one as soon as one is released');

# --- what fails elsewhere is no sign of life ------------------------------------------------------

my $left = $node->query(q{SELECT testpool.acquire('app')});
TestpoolCluster::wait_until('the lease ends, though an error comes every moment', sub {
    $node->error_of(q{SELECT testpool.acquire('no such template')});
    return state_of($left) ne 'leased';
});
pass('a lease that was given up ends, though somebody makes mistakes all the time');

# --- the dead make room for the living ----------------------------------------------------------

$held{$released}->send(q{SELECT testpool.acquire('scarce')});
$node->wait_until_waiting($held{$released});
$third->kill_client;
like($held{$released}->result->{out},
    qr/^testpool_/, 'who waits gets the place of a holder that was killed');

$_->quit for $first, $other;
$node->finish;
