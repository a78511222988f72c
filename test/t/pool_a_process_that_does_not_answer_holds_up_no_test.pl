# Before the name of a dropped file can be used again, and in DROP DATABASE, every process of the
# server has to answer. Some do not: a client that is silent at its password prompt until
# authentication_timeout, an extension's worker that does not look, a process that was stopped. The
# next test gets a database all the same, and it is said who is waited for.
use v5.20;
use warnings FATAL => 'all';

use IO::Socket::UNIX;
use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('silent', conf => <<CONF);
authentication_timeout = '10min'
testpool.acquire_timeout = '90s'
testpool.pool_max = 4
testpool.workers = 2
CONF
$node->query(q{CREATE ROLE silent LOGIN PASSWORD 'secret'});
$node->build('h', 'CREATE TABLE t (i int); INSERT INTO t SELECT 1');
$node->settle;
my $hba = slurp_file($node->data_dir . '/pg_hba.conf');
open(my $rules, '>', $node->data_dir . '/pg_hba.conf') or die $!;
print {$rules} "local all silent scram-sha-256\n$hba";
close $rules;
$node->reload;

# A client that has said who it is, and nothing since it was asked for the password.
sub silent_client
{
    my $socket = IO::Socket::UNIX->new(Peer => $node->host . '/.s.PGSQL.' . $node->port) or die $!;
    my $startup = pack('N Z* Z* Z* Z* x', 196608, 'user', 'silent', 'database', 'postgres');
    print {$socket} pack('N', 4 + length $startup), $startup;
    $socket->flush;
    sysread($socket, my $answer, 9) or die 'no answer';
    is(substr($answer, 0, 1), 'R', 'a client is asked for its password');
    return $socket;
}

sub is_rewound
{
    my $database = $node->query(q{SELECT testpool.acquire('h')});
    my $oid = $node->oid_of($database);
    $node->query('TRUNCATE t', database => $database);
    $node->query("SELECT testpool.release('$database')");
    $node->settle;
    return $node->query("SELECT count(*) FROM testpool.databases JOIN pg_database ON datname = database
                           WHERE oid = $oid AND recycled = 'rewind'");
}
is(is_rewound(), 1, 'a database is rewound after TRUNCATE');

# --- a pool as large as it may be, and all that comes back is held up ----------------------------

my $session = $node->session;

# As many tests, one after the other, as databases there may be, and as many again: nothing is clean or dropped before the
# last one has come.
sub full_pool_serves
{
    my ($how, $use) = @_;
    $node->becomes_true(q{SELECT count(*) = 2 AND bool_and(state = 'ready') FROM testpool.databases}, "$how: a pool is full");
    my $client = silent_client();
    for my $round (1 .. 4)
    {
        my $database = $session->query(q{SELECT testpool.acquire('h', '40s')});
        is($node->query('SELECT count(*) FROM t', database => $database), 1, "$how: a clean database is handed out");
        $use->($database);
        $session->query('SELECT testpool.release()');
    }
    cmp_ok($node->query('SELECT count(*) FROM testpool.databases'), '<=', 4, "$how: there are at most twice as many as may be");
    close $client;
    $node->becomes_true(q{SELECT count(*) = 2 AND bool_and(state = 'ready') FROM testpool.databases},
        "$how: there are as many as may be when the client is gone");
}
$node->query(q{ALTER SYSTEM SET testpool.pool_max = 2; SELECT pg_reload_conf()});
full_pool_serves('rewinds', sub { $node->query('TRUNCATE t', database => $_[0]) });
$node->query(q{ALTER SYSTEM RESET testpool.pool_max; SELECT pg_reload_conf()});
$node->settle;

# --- a client at the password prompt ------------------------------------------------------------

my $client = silent_client();
my @used;
for my $round (1 .. 2)
{
    my $database = $session->query(q{SELECT testpool.acquire('h')});
    push @used, $database;
    is($node->query('SELECT count(*) FROM t', database => $database), 1, 'a clean database is handed out');
    $node->query('TRUNCATE t', database => $database);
    $session->query('SELECT testpool.release()');
}
$node->poll_query_until('postgres', q{SELECT count(*) > 0 FROM testpool.stats WHERE failures > 1}) or die;
# What it would change now, nobody would notice.
for my $database (@used)
{
    my ($status, $out, $error) = $node->psql('postgres', 'TRUNCATE t', connstr => $node->connection(database => $database));
    like($error, qr/cannot connect to invalid database|does not exist/, 'nobody gets into a database that is put off');
}
like($node->query('SELECT last_error FROM testpool.stats'),
    qr/process \d+ \(a client that is still being authenticated\) does not say that it has closed its files/,
    'it is told who is waited for');
like($node->query('SELECT testpool.advice()'), qr/Failures with template.*still being authenticated/, '… in the advice as well');
$node->becomes_true(q{SELECT count(*) = 2 FROM testpool.databases WHERE state = 'ready'}, 'the pool is filled again');
is($node->query(q{SELECT count(*) FROM pg_locks WHERE locktype = 'object' AND mode = 'ShareLock' AND granted
                     AND objid = (SELECT oid FROM testpool.template)}), 0, 'nobody holds the template meanwhile');
$session->query("SELECT testpool.acquire('h')") for 1 .. 4;
my $error = $node->error_of(q{SELECT testpool.acquire('h', '1s')});
like($error->{detail} // '', qr/still being authenticated/, 'who waits in vain is told as well') or diag(explain($error));
$session->query('SELECT testpool.release()');
close $client;
$node->becomes_true(q{SELECT count(*) = 0 FROM testpool.databases WHERE state NOT IN ('ready')},
    'what waited is rewound when the client is gone');
is($node->query('SELECT sum(refusals) FROM testpool.stats'), 0, '… and not cloned again');
is(is_rewound(), 1, 'then databases are rewound again');

# --- a process that was stopped -----------------------------------------------------------------

my $stopped = $node->session;
kill 'STOP', $stopped->{pid};
for my $round (1 .. 2)
{
    my $database = $session->query(q{SELECT testpool.acquire('h')});
    is($node->query('SELECT count(*) FROM t', database => $database), 1, 'a clean database is handed out');
    $node->query('TRUNCATE t', database => $database);
    $session->query('SELECT testpool.release()');
}
$node->becomes_true(qq{SELECT last_error ~ 'process $stopped->{pid} \\(client backend, database postgres' FROM testpool.stats},
    'a stopped process is named');
$node->query(q{ALTER SYSTEM SET testpool.recycle = recreate; SELECT pg_reload_conf()});
$session->query(q{SELECT testpool.acquire('h')});
$session->query('SELECT testpool.release()');
$node->becomes_true(q{SELECT count(*) > 0 FROM pg_stat_activity
                       WHERE backend_type = 'testpool worker' AND wait_event = 'ProcSignalBarrier'}, 'a drop waits for it');
is($node->query(q{SELECT testpool.acquire('h') IS NOT NULL}), 't', '… and no test');
kill 'CONT', $stopped->{pid};
$stopped->quit;
$session->quit;

# --- the same of a full pool, where all is dropped ----------------------------------------------

$node->query(q{ALTER SYSTEM SET testpool.pool_max = 2});
$node->query(q{SELECT testpool.release(database) FROM testpool.databases WHERE state = 'leased'});
$node->settle;
$node->restart;
$session = $node->session;
full_pool_serves('drops', sub { });
$session->quit;

$node->finish;
