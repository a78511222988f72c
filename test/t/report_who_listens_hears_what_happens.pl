# With testpool.notify, templates and leases are told of on the channel testpool: each event once, in
# order, as JSON, and only if it happened. Nobody is held up by it.

use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use JSON::PP;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('events', conf => "testpool.pool_size = 1\ntestpool.notify = on\nwal_level = replica\nmax_wal_senders = 2\n");
my $listener = $node->session;
$listener->query('LISTEN testpool');

# The events heard until the one that is named, each as its word and the keys that are asked for.
sub heard_until ($last, @keys)
{
    my @events;
    TestpoolCluster::wait_until("event $last", sub {
        my $result = $listener->query('SELECT 1');
        push @events, map { decode_json($_) } $result =~ /^Asynchronous notification "testpool" with payload "(\{.*\})" received/mg;
        return @events && $events[-1]{event} eq $last;
    });
    return [ map { my $e = $_; join ' ', $e->{event}, map { $e->{$_} // 'none' } @keys } @events ];
}

sub hears ($expected, $name, @keys)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $heard = heard_until($expected->[-1] =~ s/ .*//r, @keys);
    is_deeply($heard, $expected, $name) or diag(explain($heard));
}

# --- a life -----------------------------------------------------------------------------------------

$node->query('CREATE ROLE alice LOGIN; GRANT USAGE ON SCHEMA testpool TO alice; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO alice');
my $alice = $node->session(user => 'alice');
my $hash = qq{3f "9a" \\ e\x{301}};
my $quoted = TestpoolCluster::literal($hash);
$alice->query("SELECT testpool.init_template($quoted, name => 'orders')");
$alice->query("SELECT testpool.finalize($quoted)");
hears([ 'claimed orders', 'finalized orders' ], 'a template is claimed and finalized', 'template');
$node->settle;

my $clone = $alice->query('SELECT testpool.acquire()');
$alice->query("SELECT testpool.keep('$clone', 'it failed')");
$alice->query("SELECT testpool.release('$clone')");
my $pid = $alice->{pid};
hears([ "leased $clone alice $pid orders none", "kept $clone alice $pid orders it failed", "released $clone alice $pid orders it failed" ],
    'a clone is leased, kept and released', qw(database role pid template reason));

# --- what did not happen ------------------------------------------------------------------------------

$alice->query('BEGIN');
$clone = $alice->query('SELECT testpool.acquire()');
$alice->query('ROLLBACK');
hears([ "leased $clone", "released $clone" ], 'what is rolled back is given back', 'database');
$node->fails_with('42704', q{SELECT testpool.acquire('nothing')}, 'an error');
$node->fails_with('22023', q{SELECT testpool.init_template('')}, 'another');
my $named = $node->query('SELECT current_database()', database => 'orders~test');
hears([ 'leased orders~test' ], 'an error is no event; a connection to a name is', 'database');

# --- ends -----------------------------------------------------------------------------------------------

$node->query(q{ALTER SYSTEM SET testpool.lease_grace = 0; SELECT pg_reload_conf()});
hears([ 'abandoned orders~test', 'released orders~test' ], 'a lease that nobody uses', 'database');
my $long = 'x' x 1000;
$node->query("SELECT testpool.discard($quoted, '$long')");
my $heard = heard_until('discarded', 'hash', 'reason');
utf8::decode(my $wanted = "discarded $hash $long");
is($heard->[-1], "discarded $hash $long", 'a template is discarded, for a reason');
my $control = "\x{1}" x 1024;
$node->query("SELECT testpool.init_template(repeat(chr(1), 1024)) IS NOT NULL; SELECT testpool.discard(repeat(chr(1), 1024), repeat(chr(2), 1024))");
is_deeply(heard_until('discarded', 'hash', 'reason'), [ "claimed $control none", "discarded $control none" ],
    'what is too long is left out');

# --- nobody is held up ------------------------------------------------------------------------------------

$node->build('next');
$node->settle;
# Who commits a notification keeps others from committing theirs: here for as long as no standby
# confirms it.
$node->query(q{ALTER SYSTEM SET testpool.lease_grace = '1h'; ALTER SYSTEM SET synchronous_standby_names = 'nobody'; SELECT pg_reload_conf()});
$node->becomes_true(q{SELECT current_setting('synchronous_standby_names') = 'nobody'}, 'no standby is there');
my $writer = $node->session;
$writer->send(q{BEGIN; CREATE TEMP TABLE written (); NOTIFY testpool, '{"event": "theirs"}'; COMMIT});
$node->becomes_true("SELECT wait_event = 'SyncRep' FROM pg_stat_activity WHERE pid = $writer->{pid}", 'somebody commits a notification');
my @leases = map { $alice->query(q{SELECT testpool.acquire('next', '1 s')}) } 1 .. 5;
is(@leases, 5, 'acquires do not wait for that');
$node->query(q{ALTER SYSTEM SET synchronous_standby_names = ''; SELECT pg_reload_conf()});
$writer->result;
$alice->query("SELECT testpool.release('$leases[0]')");
hears([ 'claimed none', 'finalized none', 'theirs none', (map { "leased $_" } @leases), "released $leases[0]" ],
    'what happened meanwhile is told later', 'database');
$node->query(q{ALTER SYSTEM SET testpool.notify = off; SELECT pg_reload_conf()});
$node->becomes_true(q{SELECT current_setting('testpool.notify') = 'off'}, 'testpool.notify is off');
$listener->query('SELECT 1');
$alice->query("SELECT testpool.release('$leases[1]')");
$node->settle;
unlike($listener->query('SELECT 1'), qr/notification/, 'then nothing is told');

$listener->quit;
$alice->quit;
$writer->quit;
$node->finish;
