# Every sentence of testpool.advice() appears when its cause is there, and not before or after.

use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use Test::More;
use TestpoolCluster;

# A server that there is nothing to say of.
my %fine = (
    fsync => 'off', full_page_writes => 'off', synchronous_commit => 'off',
    max_connections => 60, max_worker_processes => 20, shared_buffers => '128MB', max_wal_size => '1GB',
    max_prepared_transactions => 2, allow_in_place_tablespaces => 'on',
    'testpool.pool_size' => 1, 'testpool.pool_max' => 8, 'testpool.workers' => 1,
    'testpool.min_free_space' => '1MB', 'testpool.lease_grace' => '1h');
my $node = TestpoolCluster->begin('advice', conf => join '', map { "$_ = '$fine{$_}'\n" } sort keys %fine);
my $sentences = () = PostgreSQL::Test::Utils::slurp_file('tests/advice.cpp') =~ /\bR"\(/g;
my %seen;

sub advice () { return $node->query('SELECT * FROM testpool.advice()'); }

# Sessions that begin now have these settings; and the postmaster told the launcher before it told them.
sub set (%values)
{
    $node->query("ALTER SYSTEM SET $_ = '$values{$_}'") for sort keys %values;
    $node->query('SELECT pg_reload_conf()');
    while (my ($name, $value) = each %values)
    {
        $node->poll_query_until('postgres', "SELECT pg_size_bytes_or_text(current_setting('$name')) = pg_size_bytes_or_text('$value')")
          or die "$name does not become $value";
    }
}

# What counts as the same value: '1GB' and '1024MB' do.
$node->query(<<'SQL');
CREATE FUNCTION pg_size_bytes_or_text(value text) RETURNS text LANGUAGE sql
RETURN CASE WHEN value ~ '^\d+ ?[kMGT]?B$' THEN pg_size_bytes(value)::text ELSE value END
SQL

sub gives ($pattern, $name)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $seen{$pattern} = 1;
    like(advice(), qr/^$pattern$/m, $name);
}

sub says_nothing ($name)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is(advice(), '', $name);
}

# While the settings are these, that sentence is given, and no other.
sub while_set ($values, $pattern)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $name = join ', ', map { "$_ = $values->{$_}" } sort keys %$values;
    set(%$values);
    gives($pattern, "$name: advice is given");
    is(() = advice() =~ /^/mg, 1, '… and no other');
    set(map { $_ => $fine{$_} // $node->query("SELECT boot_val || CASE WHEN unit = 'MB' THEN 'MB' ELSE '' END FROM pg_settings WHERE name = '$_'") } keys %$values);
    says_nothing("… and none once it is $name no longer");
}

# While the statistics tell of something, that sentence is given.
sub until_forgotten ($pattern, $name)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    gives($pattern, "$name: advice is given");
    $node->settle;
    $node->query('SELECT testpool.reset_stats()');
    says_nothing('… and none once it is forgotten');
}

$node->build('it', 'CREATE TABLE facts (fact text)');
$node->settle;
my $holder = $node->session;
my $clone = $holder->query(q{SELECT testpool.acquire('it')});
$holder->query('SELECT testpool.release()');
$node->settle;
says_nothing('a server without a fault gets no advice');

# --- settings ---------------------------------------------------------------------------------------

while_set({ $_ => 'on' }, "$_ is on: turn it off in a test server, .*") for qw(fsync full_page_writes synchronous_commit);
while_set({ 'testpool.recycle' => 'recreate' }, 'testpool.recycle is recreate: .*');
while_set({ 'testpool.max_size' => '8MB' }, 'The pools take .* of testpool.max_size \(8MB\): .*');
while_set({ 'testpool.min_free_space' => '1000TB' }, 'The disk has .* left, and nothing is cloned .* testpool.min_free_space \(1000TB\): free some\.');

# --- waiting ------------------------------------------------------------------------------------------

set('testpool.pool_max' => 1);
$clone = $holder->query(q{SELECT testpool.acquire('it')});
my $waiter = $node->session;
$waiter->send(q{SELECT testpool.acquire('it')});
$node->wait_until_waiting($waiter);
$node->becomes_true("SELECT clock_timestamp() - query_start > '1.1 s' FROM pg_stat_activity WHERE pid = $waiter->{pid}",
    'somebody waits for a second');
says_nothing('a wait is told of when it is over');
$holder->query('SELECT testpool.release()');
ok($waiter->result->{out}, 'who waited is served');
gives('\d+ s were waited for template it in the last 10 minutes: raise testpool.pool_max from 1 to 2\.', 'a full pool');
set('testpool.pool_max' => 8);
until_forgotten('\d+ s were waited for template it in the last 10 minutes: raise testpool.pool_size from 1 to 2\.', 'an empty pool');
$waiter->query('SELECT testpool.release()');

set('testpool.pool_max' => 1);
$holder->query(q{SELECT testpool.acquire('it')});
$node->fails_with('55P03', q{SELECT testpool.acquire('it', '10 ms')}, 'somebody waits in vain');
$holder->query('SELECT testpool.release()');
set('testpool.pool_max' => 8);
until_forgotten('Requests for template it that timed out: 1; .*', 'a time-out');

# --- work that need not be ------------------------------------------------------------------------------

$clone = $holder->query(q{SELECT testpool.acquire('it')});
$node->move_away($clone);
$holder->query('SELECT testpool.release()');
$node->settle;
until_forgotten('Used clones of template it that were cloned again rather than rewound: 1; the last because it was moved to another tablespace\.',
    'a clone that could not be rewound');

$node->query(join ';', map { "CREATE TABLESPACE place_$_ LOCATION ''" } 1 .. 4);
$node->build('spread', join ';', map { "CREATE TABLE t_$_ (id int) TABLESPACE place_$_" } 1 .. 4);
$node->settle;
$clone = $holder->query(q{SELECT testpool.acquire('spread')});
$holder->query('SELECT testpool.release()');
$node->settle;
until_forgotten('Rewinds of template spread after which the files could not be watched: 1; .*', 'files that cannot be watched');
$node->query(q{SELECT testpool.discard('spread')});
$node->settle;

# --- trouble ----------------------------------------------------------------------------------------------

set('testpool.lease_grace' => 0);
$waiter->query(q{SELECT testpool.acquire('it')});
$waiter->kill_client;
$node->becomes_true(q{SELECT abandoned = 1 FROM testpool.stats WHERE hash = 'it'}, 'a lease is abandoned');
set('testpool.lease_grace' => '1h');
until_forgotten('Abandoned leases of template it: 1; .*', 'an abandoned lease');

set('testpool.root_template' => 'nothing');
$node->fails_with('3D000', q{SELECT testpool.init_template('broken')}, 'a build fails');
set('testpool.root_template' => 'template1');
until_forgotten('Failures with template broken: 1; the last at .*: template database "nothing" does not exist\.', 'a failure');

$node->build('unanalyzed', <<'SQL');
CREATE FUNCTION plain(a int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION f(a int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN plain(a); END $$;
CREATE TABLE t (a int); CREATE INDEX ON t (f(a)); INSERT INTO t VALUES (1);
SQL
$node->settle;
gives('Template unanalyzed lacks statistics, .*: 1 of its relations could not be analyzed; the first, public.t: function plain\(integer\) does not exist\.',
    'a table that cannot be analyzed: advice is given');
$node->query(q{SELECT testpool.discard('unanalyzed')});
$node->settle;
says_nothing('… and none once it is gone');

my $template = $node->build('drifting', 'CREATE TABLE t AS SELECT generate_series(1, 1000) AS a');
$node->settle;
$clone = $holder->query(q{SELECT testpool.acquire('drifting')});
$node->query($_) for "ALTER DATABASE $template ALLOW_CONNECTIONS true";
$node->query('UPDATE t SET a = -a', database => $template);
$node->query("ALTER DATABASE $template ALLOW_CONNECTIONS false");
$node->query('UPDATE t SET a = a + 1', database => $clone);
$holder->query("SELECT testpool.recreate('$clone')");
gives('Template drifting is not what was finalized, .*: .*template.*; its database was altered since, so it is not sealed again\. If somebody changed it, build it again\.',
    'a template that somebody has changed: advice is given');
gives('Used clones of template drifting that were cloned again rather than rewound: [12]; the last because .*template.*', '… and what that costs is told');
$holder->query('SELECT testpool.release()');
$node->query(q{SELECT testpool.discard('drifting')});
$node->settle;
$node->query('SELECT testpool.reset_stats()');
says_nothing('… and none once it is gone');

$clone = $holder->query(q{SELECT testpool.acquire('it')});
$holder->query("SELECT testpool.keep('$clone')");
says_nothing('a kept database is nothing special');
like($node->query("BEGIN; UPDATE testpool.database SET leased_at = now() - interval '25 hours'; SELECT * FROM testpool.advice(); ROLLBACK"),
    qr/^Database $clone has been kept for more than a day: .*$/m, '… until a day has gone by');
$seen{kept} = 1;
$holder->query("SELECT testpool.release('$clone')");
$holder->quit;
$node->settle;

$node->query('CREATE DATABASE testpool_77_77');
gives(q{Database testpool_77_77 is named like testpool's, but testpool does not know it and will not drop it: .*},
    'a database that testpool does not know: advice is given');
$node->query('DROP DATABASE testpool_77_77');
says_nothing('… and none once it is gone');

# --- what is set at the start -------------------------------------------------------------------------------

sub restart_with (%values)
{
    $node->query("ALTER SYSTEM SET $_ = '$values{$_}'") for sort keys %values;
    $node->restart;
    $node->settle if ($values{max_worker_processes} // 20) > 2;  # without a worker nothing is done
}

# What was made before a restart is made anew, and counted.
sub make_anew ()
{
    lease_at_once(2);
    $node->query('SELECT testpool.reset_stats()');
}

sub lease_at_once ($count)
{
    my $session = $node->session;
    $session->query(q{SELECT testpool.acquire('it')}) for 1 .. $count;
    $session->query('SELECT testpool.release()');
    $session->quit;
    $node->settle;
}

restart_with(max_connections => 12, shared_buffers => '16MB');
make_anew();
says_nothing('few connections and buffers are enough for nobody');
lease_at_once(5);
gives('max_connections \(12\) will not carry 5 leases, which need a session that holds each and one inside: raise it to 20\.',
    'few connections: advice is given');
gives('shared_buffers \(16MB\) is less than what was leased at once \(\d+ MB\): .*', 'few buffers: advice is given');
restart_with(max_connections => 20, shared_buffers => '128MB');
make_anew();
lease_at_once(1);
says_nothing('… and none once there are more');

restart_with(max_worker_processes => 2);
gives('1 of 2 processes of testpool run: raise max_worker_processes \(2\)\.', 'few processes: advice is given');
restart_with(max_worker_processes => 20);
says_nothing('… and none once there are more');

$node->query(q{SELECT testpool.alias('it', 'it'); CREATE DATABASE "it~mine"});
gives('Database it~mine was not made by testpool, and whoever connects to that name gets it instead of .*', 'a database in the way: advice is given');
$node->query('DROP DATABASE "it~mine"');
says_nothing('… and none once it is gone');

my $old = $node->session;
$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
$node->query('DO $$ BEGIN FOR i IN 1 .. 6000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$');
gives('Session \d+ \(database postgres, application ".*"\) has kept a snapshot for \d+ transactions, .*', 'an old snapshot: advice is given');
$old->quit;
says_nothing('… and none once it is gone');

# A pool that has grown stays large for a while.
while_set({ 'testpool.pool_size' => 5, max_wal_size => '32MB' }, 'max_wal_size \(32MB\) is less than the pool of template it writes .*');

# Three of the settings share a sentence, one sentence has two ends, and one was given twice.
is(keys(%seen), $sentences + 2 + 1 + 1, 'each sentence has been given');

$node->finish;
