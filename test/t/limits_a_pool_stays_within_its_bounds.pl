# A pool grows with its load and shrinks when it is idle; what is used least recently makes room when
# testpool.max_databases or testpool.max_size is reached, a template in use never; below
# testpool.min_free_space nothing is cloned; a role has its share.

use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('bounded', conf => <<CONF);
testpool.pool_size = 1
testpool.pool_max = 6
testpool.max_databases = 8
testpool.template_ttl = 0
CONF

sub set_to ($setting, $value)
{
    $node->query("ALTER SYSTEM SET testpool.$setting = '$value'");
    $node->query('SELECT pg_reload_conf()');
    $node->becomes_true("SELECT setting = '$value' FROM pg_settings WHERE name = 'testpool.$setting'",
        "testpool.$setting is $value");
}

sub ready ($hash) { return $node->query("SELECT ready FROM testpool.templates WHERE hash = '$hash'"); }

sub state_of ($hash) { return $node->query("SELECT state, reason FROM testpool.templates WHERE hash = '$hash'"); }

# --- it grows and shrinks ---------------------------------------------------------------------

$node->build('one');
$node->settle;
is(ready('one'), 1, 'an idle pool has its size');
my @holders = $node->sessions(4);
$_->query(q{SELECT testpool.acquire('one')}) for @holders;
$_->query('SELECT testpool.release()') for @holders;
$node->becomes_true(q{SELECT ready >= 4 AND recycling = 0 AND cloning = 0 FROM testpool.templates},
    'as many clones stay as were in use at once');
$node->query('SELECT testpool.reset_stats()');
$node->becomes_true(q{SELECT ready = 1 AND recycling = 0 AND cloning = 0 FROM testpool.templates},
    'and go when the demand is forgotten');
is($node->query(q{SELECT testpool.prewarm('one', 3)}) >= 3, 1, 'more can be asked for');
$node->settle;
ok(ready('one') >= 3, 'and they stay for a while');
$node->query('SELECT testpool.reset_stats()');

# --- a role has its share ---------------------------------------------------------------------

set_to('max_leases_per_role', 2);
$holders[$_]->query(q{SELECT testpool.acquire('one')}) for 0, 1;
$node->fails_with('53400', q{SELECT testpool.acquire('one', '10 ms')}, 'no role has more than its share',
    message => qr/has 2 leases already/, detail => qr/testpool.max_leases_per_role is 2/);
$node->query('CREATE ROLE other LOGIN');
$node->query('GRANT USAGE ON SCHEMA testpool TO other');
$node->query('GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO other');
my $other = $node->session(user => 'other');
$holders[2]->send(q{SELECT testpool.acquire('one')});
$node->wait_until_waiting($holders[2]);
ok($other->query(q{SELECT testpool.acquire('one')}), 'another role is served meanwhile');
$holders[0]->query('SELECT testpool.release()');
ok($holders[2]->result->{out}, 'who waits is served when one is released');
$_->query('SELECT testpool.release()') for @holders, $other;
set_to('max_leases_per_role', 0);
$node->settle;

# --- the disk ---------------------------------------------------------------------------------

set_to('min_free_space', 2147483647);
$node->query('SELECT testpool.acquire()');    # what is ready is handed out
$node->query('SELECT testpool.reset_stats()');
$node->fails_with('53100', q{SELECT testpool.init_template('two')}, 'nothing is built on a full disk',
    message => qr/no room/, detail => qr/testpool.min_free_space is 2147483647 MB/);
for my $holder (@holders)
{
    $holder->query(q{SELECT testpool.acquire('one')}) if ready('one') > 0;
}
my $error = $node->error_of(q{SELECT testpool.acquire('one', '100 ms')});
TestpoolCluster::is_error($error, '53100', 'and acquire says why it hands out no more');
$node->query(q{SELECT testpool.alias('shop', 'one')});
set_to('acquire_timeout', 100);
$node->fails_with('53100', q{SELECT testpool.prewarm('one', 5)}, 'so does prewarm', message => qr/no room/);
like($node->error_of('SELECT 1', database => 'shop~full')->{message},
    qr/the disk has no room for another database.*testpool.min_free_space is 2147483647 MB/s,
    'and who connects to a name is told');
set_to('acquire_timeout', 60000);
my $clones = $node->query('SELECT clones FROM testpool.stats WHERE hash = $$one$$');
is($clones, 0, 'nothing was cloned meanwhile');
set_to('min_free_space', 0);
$_->query('SELECT testpool.release()') for @holders;

# --- room for others --------------------------------------------------------------------------

set_to('lease_grace', 0);
$node->settle;
set_to('lease_grace', 3600000);
$node->query('SELECT testpool.reset_stats()');
$node->build('two');
$node->build('three');
$node->settle;
my $user = $node->session;
$user->query(q{SELECT testpool.acquire('one')});
is(ready('two') + ready('three'), 2, 'three templates and their clones');
$holders[0]->query(q{SELECT testpool.acquire('three')});
$holders[1]->query(q{SELECT testpool.acquire('three')});
is($node->query('SELECT count(*) <= 8 FROM testpool.database'), 't', 'there are never too many');
$node->build('four');
is($node->query(q{SELECT count(*) + 4 - (SELECT count(*) FROM testpool.templates WHERE state = 'discarded')
                    FROM testpool.databases}) <= 8, 1, 'another template makes idle clones go');
$node->build('five');
ok($holders[2]->query(q{SELECT testpool.acquire('five')}), 'when all clones are in use, an acquire makes room');
like(state_of('two'), qr/^discarded\|others needed its room, and it was the least recently used$/,
    'by the template that was used least recently');
is(state_of('one'), 'finalized|', 'one of which a clone is leased stays, however old');
is(state_of('three'), 'finalized|', 'and so does the other');
$_->query('SELECT testpool.release()') for @holders, $user;

# --- old age ----------------------------------------------------------------------------------

$user->query(q{SELECT testpool.acquire('one')});
set_to('template_ttl', 1);
$node->becomes_true(q{SELECT count(*) = 1 FROM testpool.templates WHERE state = 'finalized'},
    'what is not used for long is dropped');
like(state_of('four'), qr/^discarded\|it was not used for testpool.template_ttl$/, 'and the reason is told');
is(state_of('one'), 'finalized|', 'but not what is in use');
set_to('template_ttl', 0);

# --- bytes ------------------------------------------------------------------------------------

$user->query('SELECT testpool.release()');
my $megabytes = $node->query(q{SELECT 3 * bytes / 1048576 + 1 FROM testpool.templates WHERE hash = 'one'});
set_to('max_size', $megabytes);
$holders[$_]->query(q{SELECT testpool.acquire('one')}) for 0, 1;
$node->fails_with('55P03', q{SELECT testpool.acquire('one', '300 ms')}, 'no more bytes are taken than allowed',
    detail => qr/No more are made: testpool.max_size is reached/);
is($node->query(q{SELECT count(*) FROM testpool.database}), 2, 'a template and two clones');

$node->finish;
