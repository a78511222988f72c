# Connections to names, many at once and at bad moments: a name is one clone while its lease lives,
# whoever comes between two leases gets a clean one, and nothing is left behind.
use v5.20;
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('names', conf => <<CONF);
max_connections = 80
CONF
$node->build_clock;
$node->build('app', 'CREATE TABLE t (v int)');
$node->query(q{SELECT testpool.alias('app', 'app')});

sub in { my ($database, $sql) = @_; return $node->query($sql, database => $database) }

# Starts psql without waiting for it.
sub start_psql
{
    my ($database, $sql) = @_;
    my %psql = (database => $database, out => '', err => '');
    $psql{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr($database), '-c', $sql ],
        '>', \$psql{out}, '2>', \$psql{err});
    return \%psql;
}

sub finish_psql { $_->{run}->finish, chomp $_->{out} for @_ }

# One psql for each of the names, all at once.
sub burst
{
    my @psql = map { start_psql($_, 'INSERT INTO t VALUES (1) RETURNING (SELECT oid FROM pg_database'
              . ' WHERE datname = current_database())') } @_;
    finish_psql(@psql);
    return @psql;
}

sub distinct { my %seen = map { $_ => 1 } @_; return scalar keys %seen }

sub set_grace
{
    $node->query($_) for "ALTER SYSTEM SET testpool.lease_grace = '$_[0]'", 'SELECT pg_reload_conf()';
}

sub release_all
{
    $node->query(q{SELECT testpool.release(database) FROM testpool.databases WHERE state = 'leased'});
}

sub becomes_nameless
{
    my ($name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $node->becomes_true(q{SELECT count(*) = 0 FROM pg_database WHERE datname LIKE 'app~%'}, $name);
}

# --- bursts -------------------------------------------------------------------------------------

my @burst = burst(('app~same') x 32);
is(join('', map { $_->{err} } @burst), '', '32 connections to a new name at once: no error');
is(distinct(map { $_->{out} } @burst), 1, 'all of them are in one database');
is(in('app~same', 'SELECT count(*) FROM t'), 32, 'and see what all of them did');
is($node->query(q{SELECT count(*) FROM testpool.databases WHERE database LIKE 'app~%'}), 1, 'one clone was leased');
release_all();

@burst = burst(map { "app~$_" } 1 .. 32);
is(join('', map { $_->{err} } @burst), '', '32 connections to 32 new names, more than are ready: no error');
is(distinct(map { $_->{out} } @burst), 32, 'each is in a database of its own');
is(distinct(map { in("app~$_", 'SELECT count(*) FROM t') } 1 .. 32), 1, 'which was clean');
release_all();
becomes_nameless('released names are gone');

# --- release against connections ----------------------------------------------------------------

my $releaser = $node->session;
my $release = q{SELECT testpool.release(database) FROM testpool.databases
                 WHERE database = 'app~busy' AND state = 'leased'};
my ($dirty, @odd) = (0);
for my $round (1 .. 25)
{
    my @psql = map { start_psql('app~busy', 'INSERT INTO t VALUES (1)') } 1 .. 3;
    $releaser->try_query($release);
    finish_psql(@psql);
    $releaser->query($release);
    $dirty++ if in('app~busy', 'SELECT count(*) FROM t') > 0;
    # A release ends sessions inside, and those that are on their way in find the name gone.
    push @odd, grep { !/terminating connection|server closed the connection/
          && !/"app~busy" (does not exist\s*(\z|DETAIL:  It seems)|has disappeared)/ } grep { $_ ne '' } map { $_->{err} } @psql;
}
is("@odd", '', 'connections that race with releases end by the release or succeed');
is($dirty, 0, 'and who comes next meets nothing of theirs');
$releaser->quit;
release_all();

# --- the end of the grace against connections ---------------------------------------------------

set_grace(0);
my @failed;
for (1 .. 60)
{
    my @psql = map { start_psql('app~brief', 'SELECT 1') } 1 .. 2;
    finish_psql(@psql);
    push @failed, map { $_->{err} } @psql;
}
is(join('', @failed), '', 'without a grace, connections that come and go never fail');
becomes_nameless('and the name ends by itself');
set_grace('2s');
$node->settle;

# --- the grace ----------------------------------------------------------------------------------

my $first = $node->session(database => 'app~team');
my $second = $node->session(database => 'app~team');
$second->query('INSERT INTO t VALUES (1)');
$first->kill_client;
$node->pass_a_grace for 1 .. 2;
is(in('app~team', 'SELECT count(*) FROM t'), 1, 'a name lives on while another session than the first is there');
$second->kill_client;
$node->wait_for_lease_end('app~team');
is(in('app~team', 'SELECT count(*) FROM t'), 0, 'a grace after the last was killed it is clean again');
release_all();

# --- a connection that is given up --------------------------------------------------------------

$node->settle;
my ($status, $out, $err) = $node->psql('postgres', 'SELECT 1',
    connstr => $node->connstr('app~failing') . q{ options='-c no_such_setting=1'});
like($err, qr/no_such_setting/, 'a connection that fails after it got its clone');
becomes_nameless('leaves nothing behind');

$node->query($_) for 'ALTER SYSTEM SET testpool.pool_max = 1', 'ALTER SYSTEM SET testpool.pool_size = 0',
  'SELECT pg_reload_conf()';
$node->build('scarce', 'CREATE TABLE t (v int)');
$node->query(q{SELECT testpool.alias('scarce', 'scarce')});
my $holder = $node->session(database => 'scarce~1');
my $waiting = start_psql('scarce~2', 'SELECT 1');
$node->wait_for_connection_to('scarce~2');
$waiting->{run}->kill_kill;
my $other = start_psql('scarce~3', 'SELECT count(*) FROM t');
$node->wait_for_connection_to('scarce~3');
$node->query("SELECT testpool.release('scarce~1')");
finish_psql($other);
is($other->{out}, 0, 'who waits gets the clone that is released, also behind one whose client is gone')
  or diag($other->{err});
$holder->quit;
$node->query($_) for 'ALTER SYSTEM RESET testpool.pool_max', q{ALTER SYSTEM SET testpool.pool_size = 2},
  'SELECT pg_reload_conf()';
$node->query(q{SELECT testpool.discard('scarce')});
release_all();
$node->settle;

# --- restart, immediate stop, kill -9 -----------------------------------------------------------

# The grace is long enough for all that is done before it ends.
set_grace('1h');
my %stops = (
    'a restart'                      => sub { $node->restart },
    'an immediate stop'              => sub { $node->stop('immediate'); $node->start },
    'kill -9 of the postmaster'      => sub { $node->kill_postmaster; $node->start_again },
    'kill -9 of a process inside' => sub {
        my $inside = $node->session(database => 'app~stop');
        my $log = -s $node->logfile;
        $node->kill_process($inside->{pid});
        $node->wait_for_log(qr/database system is ready to accept connections/, $log);
        $inside->quit;
    },
    'the end of the launcher' => sub {
        my ($launcher) = $node->pids_of('launcher');
        $node->query("SELECT pg_terminate_backend($launcher)");
        TestpoolCluster::wait_until('a new launcher', sub { ($node->pids_of('launcher'))[0] // $launcher != $launcher });
    });
for my $stop (sort keys %stops)
{
    in('app~stop', 'INSERT INTO t VALUES (1)');
    $stops{$stop}->();
    is(in('app~stop', 'SELECT count(*) FROM t'), 1, "$stop: the name is the same database as before");
    is($node->query(q{SELECT state FROM testpool.databases WHERE database = 'app~stop'}), 'leased', "$stop: it is leased");
    $node->query(q{SELECT testpool.release('app~stop')});
    is(in('app~stop', 'SELECT count(*) FROM t'), 0, "$stop: it can be released, and comes back clean");
    release_all();
}
in('app~stop', 'INSERT INTO t VALUES (1)');
$node->query(q{ALTER SYSTEM SET testpool.lease_grace = '2s'});
$node->restart;
becomes_nameless('after a restart a name that nobody comes back to ends by itself');

# --- changed by hand ----------------------------------------------------------------------------

in('app~gone', 'SELECT 1');
$node->query(q{DROP DATABASE "app~gone"});
is($node->query(q{SELECT count(*) FROM pg_database WHERE datname = 'app~gone'}), 0, 'a name that is dropped by hand');
$node->wait_for_lease_end('app~gone');
is(in('app~gone', 'SELECT count(*) FROM t'), 0, 'can be connected to again once its lease has ended');
in('app~old', 'SELECT 1');
$node->query(q{ALTER DATABASE "app~old" RENAME TO "renamed by hand"});
$node->wait_for_lease_end('app~old');
$node->becomes_true(q{SELECT count(*) = 0 FROM pg_database WHERE datname = 'renamed by hand'},
    'a clone that is renamed by hand is still recycled');
is(in('app~old', 'SELECT count(*) FROM t'), 0, 'and its name is free again');

$node->finish;
