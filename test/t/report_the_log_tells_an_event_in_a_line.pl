# What the server's log has of testpool: a line for each event, at the level and with the words that
# docs/reference.md says, no line break that somebody smuggles in, no password, and of a hash only its
# beginning.
use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('logged', conf => <<CONF);
testpool.pool_size = 1
testpool.lease_grace = 0
max_prepared_transactions = 5
log_line_prefix = '%m [%p] %b: '
lc_messages = 'C'
CONF
my $secret = 'sEcReT';
my $tail = 'tHeReSt';    # of a hash
my $hash = "line one\nLOG:  line two " . 'x' x 900 . $tail;
my $shown = quotemeta 'line one LOG:  line two ...';
my $reason = "it failed\r\n2026-01-01 00:00:00 UTC [1] testpool launcher: LOG:  testpool: forged";
$node->query("CREATE ROLE app LOGIN PASSWORD '$secret'");
$node->query('GRANT USAGE ON SCHEMA testpool TO app; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO app');

# --- a life ---------------------------------------------------------------------------------------

sub set_to ($setting, $value)
{
    $node->query("ALTER SYSTEM SET $setting = '$value'");
    $node->query('SELECT pg_reload_conf()');
    $node->becomes_true("SELECT current_setting('$setting') = '$value'", "$setting is $value");
}

sub use_one ($app, @statements)
{
    my $database = $app->query('SELECT testpool.acquire()');
    $node->query($_, database => $database) for @statements;
    $app->query("SELECT testpool.release('$database')");
    $node->settle;
}

sub live ()
{
    my $app = $node->session(user => 'app');
    my $quoted = TestpoolCluster::literal($hash);

    set_to('testpool.root_template', 'nowhere');
    ok($app->try_query("SELECT testpool.init_template($quoted)")->{error}, 'a build that fails');
    set_to('testpool.root_template', 'template1');
    my $template = $app->query("SELECT testpool.init_template($quoted)");
    $node->query("ALTER DATABASE $template SET app.password = '$secret'; BEGIN; CREATE TABLE t (); PREPARE TRANSACTION 'p'",
        database => $template);
    ok($app->try_query("SELECT testpool.finalize($quoted)")->{error}, 'a seal that fails');
    $node->query(q{ROLLBACK PREPARED 'p'}, database => $template);
    $app->query("SELECT testpool.finalize($quoted)");
    $node->settle;

    use_one($app, 'CREATE TABLE t ()');
    use_one($app, q{BEGIN; CREATE TABLE t (); PREPARE TRANSACTION 'q'},
        "CREATE SUBSCRIPTION s CONNECTION 'host=nowhere password=$secret' PUBLICATION p WITH (connect = false)");
    my $moved = $app->query('SELECT testpool.acquire()');
    $node->move_away($moved);
    $app->query("SELECT testpool.release('$moved')");
    $node->settle;
    my $kept = $app->query('SELECT testpool.acquire()');
    $app->query("SELECT testpool.recreate('$kept')");
    $app->query("SELECT testpool.keep('$kept', @{[ TestpoolCluster::literal($reason) ]})");
    $app->query("SELECT testpool.release('$kept')");
    $node->wait_for_lease_end($node->query('SELECT testpool.acquire()', user => 'app'));
    $node->settle;

    my $locker = $node->session;
    $app->query('SELECT testpool.acquire()');
    $locker->query('BEGIN; LOCK TABLE testpool.database IN EXCLUSIVE MODE');
    my $log = -s $node->logfile;
    $app->query('SELECT testpool.release()');
    $node->wait_for_log(qr/testpool: .* failed: canceling statement due to lock timeout/, $log);
    $locker->quit;
    $node->settle;
    $app->query("SELECT testpool.discard($quoted, @{[ TestpoolCluster::literal($reason) ]})");
    $node->settle;

    set_to('testpool.root_template', 'nowhere');
    ok($app->try_query(q{SELECT testpool.acquire(timeout => '10 ms')})->{error}, 'a clone that fails');
    $node->wait_for_log(qr/testpool: database "testpool_\d+_\d+" failed/, $log);
    set_to('testpool.root_template', 'template1');
    $node->query('SELECT testpool.reset()');
    $app->quit;
}

# --- what the log has of it -------------------------------------------------------------------------

my $database = qr/database "testpool_\d+_\d+"/;
my $template = qr/template "$shown"/;
my $lease = qr/role "app", process \d+/;
my $build = qr/database "testpool_template_\d+", role "app"/;
my $because = quotemeta ', reason: it failed  2026-01-01 00:00:00 UTC [1] testpool launcher: LOG:  testpool: forged';

# Level, process, and how the line reads.
my @events = (
    [ LOG     => launcher => qr/$template was claimed: $build/ ],
    [ LOG     => launcher => qr/$template was finalized: $build/ ],
    [ LOG     => launcher => qr/$template was discarded: $build$because/ ],
    [ LOG     => launcher => qr/$template was discarded: $build, reason: template database "nowhere" does not exist/ ],
    [ LOG     => launcher => qr/$database was abandoned: $lease/ ],
    [ LOG     => launcher => qr/$database is cloned again, not rewound: it was moved to another tablespace/ ],
    [ WARNING => launcher => qr/$template could not be finalized: database "testpool_template_\d+" has prepared transactions/ ],
    [ WARNING => launcher => qr/$database failed: database "nowhere" does not exist/ ],
    [ WARNING => launcher => qr/[a-z ]+ failed: canceling statement due to lock timeout/ ],
    [ DEBUG   => launcher => qr/$database was leased: $lease/ ],
    [ DEBUG   => launcher => qr/$database was kept: $lease$because/ ],
    [ DEBUG   => launcher => qr/$database was released: $lease(?:$because)?/ ],
    (map { [ DEBUG => worker => qr/$_ database "testpool_\w+" took \d+\.\d ms/ ] } qw(creating sealing rewinding dropping)));

# The lines that testpool's processes wrote, without what they begin with: process, level, text.
sub lines_since ($log)
{
    my @entries = split /^(?=\d{4}-\d\d-\d\d )/m, slurp_file($node->logfile, $log);
    return map { /^\S+ \S+ \S+ \[\d+\] testpool (\w+): (\w+):  (.*)\n\z/s ? [ $1, $2, $3 ] : () } @entries;
}

for my $level (qw(info debug1 debug5))
{
    set_to('log_min_messages', $level);
    my $log = -s $node->logfile;
    live();
    my @lines = lines_since($log);
    my @own = grep { $_->[2] =~ /^testpool: / } @lines;
    for my $event (@events)
    {
        my ($severity, $process, $text) = @$event;
        my @found = grep { $_->[2] =~ /\Atestpool: $text\z/ } @own;
        is(!!@found, $severity ne 'DEBUG' || $level ne 'info', "$level: $severity $text");
        is_deeply([ grep { $_->[0] ne $process || $_->[1] ne $severity } @found ], [], "$level: $text from the $process, at this level");
    }
    my @unknown = grep { my $line = $_->[2]; !grep { $line =~ /\Atestpool: $_->[2]\z/ } @events } @own;
    is_deeply(\@unknown, [], "$level: no other lines");
    my @after = map { $lines[$_ - 1][2] =~ /^testpool: / ? $lines[$_] : () } 1 .. $#lines;
    is_deeply([ grep { $_->[1] =~ /^(?:DETAIL|HINT|CONTEXT|STATEMENT)$/ } @after ], [], "$level: nor any that belong to them");
    is_deeply([ grep { $_->[2] =~ /\n/ } @own ], [], "$level: each on one line");
    is_deeply([ grep { $_->[2] =~ /$secret/ } @lines ], [], "$level: no password");
    is_deeply([ grep { $_->[2] =~ /$tail/ } @lines ], [], "$level: no whole hash");
}
set_to('log_min_messages', 'warning');

$node->finish;
