# testpool.stats counts what happened in each pool, also while the launcher is replaced, and
# testpool.advice() says what to do about it.

use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('told', conf => <<CONF);
testpool.pool_size = 1
testpool.pool_max = 1
max_prepared_transactions = 2
fsync = on
CONF

sub stat_of ($column) { return $node->query("SELECT $column FROM testpool.stats WHERE hash = 'told'"); }

sub advises ($pattern, $name)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    like($node->query('SELECT * FROM testpool.advice()'), $pattern, $name);
}

$node->build('told', 'CREATE TABLE facts (fact text)');
$node->settle;
is(stat_of('clones'), 1, 'a clone that was made is counted');
is(stat_of('acquires'), 0, 'nothing is counted that did not happen');

# --- what comes back --------------------------------------------------------------------------

my $holder = $node->session;
my $clone = $holder->query(q{SELECT testpool.acquire('told')});
$node->query(q{INSERT INTO facts VALUES ('changed')}, database => $clone);
$holder->query('SELECT testpool.release()');
$node->settle;
is(stat_of('rewinds || clean_returns::text'), '10', 'a change is a rewind');

$holder->query(q{SELECT testpool.acquire('told')});
$holder->query('SELECT testpool.release()');
$node->settle;
is(stat_of('rewinds || clean_returns::text'), '11', 'no change is a clean return');

$clone = $holder->query(q{SELECT testpool.acquire('told')});
$node->move_away($clone);
$holder->query('SELECT testpool.release()');
$node->settle;
is(stat_of('refusals'), 1, 'what could not be rewound is counted');
is(stat_of('last_refusal'), 'it was moved to another tablespace', 'and why');
advises(qr/^Used clones of template told that were cloned again .*: 1; the last because it was moved to another tablespace\.$/m,
    'and advice is given');

# --- who waits --------------------------------------------------------------------------------

is(stat_of('waits'), 0, 'nobody has waited');
$clone = $holder->query(q{SELECT testpool.acquire('told')});
my $waiter = $node->session;
$waiter->send(q{SELECT testpool.acquire('told')});
$node->wait_until_waiting($waiter);
$node->becomes_true("SELECT clock_timestamp() - query_start > '1.1 s' FROM pg_stat_activity WHERE pid = $waiter->{pid}",
    'somebody waits for a second');
$holder->query('SELECT testpool.release()');
ok($waiter->result->{out}, 'who waited is served');
is(stat_of('waits || misses::text'), '11', 'one waited, for a clone');
ok(stat_of('wait_p99_ms BETWEEN 1000 AND waited_ms * 1.25') eq 't', 'and the histogram has it');
ok(stat_of('wait_p50_ms < 1000') eq 't', 'most did not');
advises(qr/^\d+ s were waited for template told in the last 10 minutes: raise testpool.pool_max from 1 to 2\.$/m,
    'a pool that is too small is told of');

$node->fails_with('55P03', q{SELECT testpool.acquire('told', '10 ms')}, 'who waits in vain');
is(stat_of('timeouts'), 1, 'is counted');
advises(qr/^Requests for template told that timed out: 1;/m, 'and advice is given');

# --- a launcher ends, counting goes on ---------------------------------------------------------

my $before = stat_of('(acquires, waits, rewinds, clones, wait_p99_ms)');
my ($launcher) = $node->pids_of('launcher');
$node->query("SELECT pg_terminate_backend($launcher)");
$node->becomes_true("SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'testpool launcher' AND pid <> $launcher",
    'another launcher comes');
is(stat_of('(acquires, waits, rewinds, clones, wait_p99_ms)'), $before, 'it counts on from there');

# --- trouble ----------------------------------------------------------------------------------

$node->query(q{ALTER SYSTEM SET testpool.lease_grace = 0});
$node->query('SELECT pg_reload_conf()');
$waiter->kill_client;
$node->becomes_true(q{SELECT abandoned = 1 FROM testpool.stats WHERE hash = 'told'},
    'an abandoned lease is counted');
advises(qr/^Abandoned leases of template told: 1;/m, 'and advice is given');

$node->query(q{ALTER SYSTEM SET testpool.root_template = 'nothing'});
$node->query('SELECT pg_reload_conf()');
$node->becomes_true(q{SELECT current_setting('testpool.root_template') = 'nothing'}, 'no root template');
$node->fails_with('3D000', q{SELECT testpool.init_template('broken')}, 'a build that fails');
is($node->query(q{SELECT failures, last_error FROM testpool.stats WHERE hash = 'broken'}),
    '1|template database "nothing" does not exist', 'is counted, with its error');
advises(qr/^Failures with template broken: 1; the last at .*: template database "nothing" does not exist\.$/m,
    'and advice is given');
advises(qr/^fsync is on: turn it off in a test server/m, 'the server, too, gets advice');

# --- again from zero --------------------------------------------------------------------------

$node->query('SELECT testpool.reset_stats()');
is(stat_of('(acquires, waits, misses, timeouts, rewinds, clones, failures)'), '(0,0,0,0,0,0,0)',
    'reset_stats sets all back');
unlike($node->query('SELECT * FROM testpool.advice()'), qr/waited|timed out|Abandoned|Failures/,
    'and what was advised is forgotten');
$holder->query('SELECT testpool.acquire($$told$$)');
is(stat_of('acquires'), 1, 'counting goes on');

$node->query('SELECT testpool.reset()');
is($node->query('SELECT count(*) FROM testpool.tallies()'), 0, 'what is counted goes with its template');

$node->finish;
