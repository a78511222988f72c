# What other services that hand out test databases lose, mix up or hang on, each tried here. Two more
# of that kind have tests of their own: pool_sessions_that_wait_are_woken.pl has 500 acquires race finalize,
# and template_a_dead_builder_is_replaced.pl has builders die in every way.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $pool = 8;
my $node = TestpoolCluster->begin('wedges', conf => <<CONF);
max_prepared_transactions = 1
testpool.pool_size = $pool
testpool.pool_max = $pool
testpool.lease_grace = '1s'
testpool.vacuum_templates = off
CONF

my $template = $node->build('app', 'CREATE TABLE used (by text)');
$node->build_clock;

sub users_of ($database)
{
    return $node->query(q{SELECT coalesce(string_agg(by, ' '), 'nobody') FROM used}, database => $database);
}

# --- 16 runners on a pool of 8, idle for longer than the grace ------------------------------------

my @runners = $node->sessions(2 * $pool);
$_->send(q{SELECT testpool.acquire('app', '150 s')}) for @runners;
my (%wrong, %turns);
for my $turn (1 .. 6)
{
    my $served = TestpoolCluster::wait_until("a full pool is handed out in turn $turn", sub {
        my @served = grep { $_->answered } @runners;
        return @served >= $pool && \@served;
    });
    my %database = map { $_->{pid} => $_->result->{out} } @$served;
    my %distinct = map { $_ => 1 } values %database;
    $wrong{'one database for two'} += @$served - keys %distinct;
    for my $runner (@$served)
    {
        my $database = $database{ $runner->{pid} };
        $wrong{'one that was used'} += users_of($database) ne 'nobody';
        $node->query("INSERT INTO used VALUES ('$runner->{pid}')", database => $database);
    }
    $node->pass_a_grace;
    for my $runner (@$served)
    {
        my $database = $database{ $runner->{pid} };
        $wrong{'one in which somebody else was'} += users_of($database) ne $runner->{pid};
        $turns{ $runner->{pid} }++;
        $runner->query("SELECT testpool.release('$database')");
        $runner->send(q{SELECT testpool.acquire('app', '150 s')});
    }
}
is_deeply({ map { $_ => $wrong{$_} } grep { $wrong{$_} } keys %wrong }, {},
    '16 runners on a pool of 8 that idle for longer than the grace: each has its own, and only that');
is(scalar(keys %turns), 2 * $pool, 'and each of them has its turn');
$_->kill_client for @runners;
$node->becomes_true(q{SELECT NOT EXISTS (SELECT FROM testpool.databases WHERE state = 'leased')},
    'and when all of them are gone, so are their leases');
$node->settle;

# --- a session that is left open in the template when it is finalized ----------------------------

my $builder = $node->session;
my $layer = $builder->query(q{SELECT testpool.init_template('left open')});
$node->query('CREATE TABLE done AS SELECT 1 AS v', database => $layer);
my $left_open = $node->session(database => $layer);
$left_open->query('BEGIN; INSERT INTO done VALUES (2)');
$builder->query(q{SELECT testpool.finalize('left open')});
ok($left_open->try_query('COMMIT')->{ended}, 'a session that is left open in a template is ended by finalize');
my $clone = $builder->query(q{SELECT testpool.acquire('left open')});
is($node->query('SELECT v FROM done', database => $clone), 1, 'what it had not committed is in no clone');
$builder->query("SELECT testpool.release('$clone'), testpool.discard('left open')");
$builder->quit;

# --- discard, twice, with a client connected ------------------------------------------------------

my $holder = $node->session;
$node->build('unwanted', 'CREATE TABLE t AS SELECT 1 AS v');
my $leased = $holder->query(q{SELECT testpool.acquire('unwanted')});
my $client = $node->session(database => $leased);
$node->query(q{SELECT testpool.discard('unwanted', 'once')});
$node->query(q{SELECT testpool.discard('unwanted', 'and again')});
is($client->query('SELECT v FROM t'), 1, 'a client works on while its template is discarded twice');
$node->build('unwanted', 'CREATE TABLE t AS SELECT 2 AS v');
my $next = $holder->query(q{SELECT testpool.acquire('unwanted', '60 s')});
is($node->query('SELECT v FROM t', database => $next), 2, 'the hash can be built and acquired again at once');
is($client->query('SELECT v FROM t'), 1, 'and the client still works on');
$holder->query('SELECT testpool.release()');
ok($node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT FROM pg_database WHERE datname = '$leased')"),
    'when its lease ends, its database goes');
$node->query(q{SELECT testpool.discard('unwanted')});
$_->quit for $client, $holder;

# --- a restart under load -------------------------------------------------------------------------

my $script = PostgreSQL::Test::Utils::tempdir . '/cycle.sql';
append_to_file($script, q{SELECT testpool.release(testpool.acquire('app'))});
my $load = IPC::Run::start([ 'pgbench', '-n', '-c', 6, '-T', 600, '-f', $script, $node->connstr('postgres') ],
    '>', \my $out, '2>', \my $errors);
TestpoolCluster::wait_until('a load', sub {
    die "pgbench ended: $errors" unless $load->pumpable;
    $node->query(q{SELECT sum(acquires) > 200 FROM testpool.stats}) eq 't' });
$node->restart;
$load->finish;
is($node->query(q{SELECT testpool.init_template('app') IS NULL}), 't', 'after a restart under load the template is there');
is($node->query(q{SELECT oid FROM testpool.template WHERE hash = 'app'}),
    $node->oid_of($template), 'the same as before');
$clone = $node->query(q{SELECT testpool.acquire('app')});
is(users_of($clone), 'nobody', 'and a clean clone can be acquired');
$node->query("SELECT testpool.release('$clone')");
$node->settle;

# --- hashes of 64 characters that begin alike -----------------------------------------------------

my @hashes = map { 'a' x 63 . $_ } 1 .. 3;
my %database_of = map { $_ => $node->build($_, "CREATE TABLE mine AS SELECT '$_' AS hash") } @hashes;
my %names = reverse %database_of;
is(scalar(keys %names), 3, 'three hashes that differ in the last of 64 characters have three templates');
for my $hash (@hashes)
{
    $clone = $node->query("SELECT testpool.acquire('$hash')");
    is($node->query('SELECT hash FROM mine', database => $clone), $hash, 'and clones of their own');
    $node->query("SELECT testpool.release('$clone'), testpool.discard('$hash')");
}

# --- 41 rounds of making dirty and recreating, on a full pool -------------------------------------

$holder = $node->session;
my @leased = map { $holder->query(q{SELECT testpool.acquire('app', '60 s')}) } 1 .. $pool;
my $unclean = 0;
for my $round (1 .. 41)
{
    my $database = $leased[ $round % $pool ];
    $node->query("INSERT INTO used VALUES ('$round'); CREATE TABLE more ()", database => $database);
    $holder->query("SELECT testpool.recreate('$database')");
    $unclean += users_of($database) ne 'nobody';
}
is($unclean, 0, '41 rounds of making dirty and recreating on a full pool: each time it is clean');
is($node->query(q{SELECT count(*) FROM testpool.databases WHERE hash = 'app' AND state = 'leased'}),
    $pool, 'and the pool has as many as before');
$holder->quit;
$node->settle;

# --- a transaction that alters clones and does not end --------------------------------------------

my %owner = (user => 'owner');
$node->query(<<SQL);
CREATE ROLE owner LOGIN CREATEDB;
GRANT USAGE ON SCHEMA testpool TO owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO owner;
SQL
my $claimant = $node->session(%owner);
my $owned = $claimant->query(q{SELECT testpool.init_template('owned', NULL, 'owned')});
$node->query('CREATE TABLE mine AS SELECT 1 AS v', %owner, database => $owned);
my $inside = $node->session(%owner, database => $owned);
$inside->query("BEGIN; ALTER DATABASE $owned CONNECTION LIMIT 9");
is($claimant->try_query(q{SELECT testpool.finalize('owned')})->{err}, '',
    'finalize ends a session in the template that alters it');
$node->settle;

my $altering = $node->session(%owner);

sub alter (@databases)
{
    $altering->query(join ';', 'BEGIN', map { qq{ALTER DATABASE "$_" CONNECTION LIMIT 5} } @databases);
}

sub others_are_served ($while)
{
    is($node->query(q{SELECT testpool.release(testpool.acquire('app', '60 s'))}), '', "others are served while $while");
}

# Connects to a name in the background; its output and errors go to $out and $err.
sub connect_to ($name)
{
    my $client = { out => '', err => '' };
    $client->{psql} = IPC::Run::start(
        [ 'psql', '-XAtq', '-d', $node->connection(%owner, database => $name), '-c', 'SELECT v FROM mine' ],
        '>', \$client->{out}, '2>', \$client->{err});
    $node->wait_for_connection_to($name);
    return $client;
}

sub is_let_in ($client, $when)
{
    $client->{psql}->finish;
    is("$client->{out}$client->{err}", "1\n", "and is let into a clean clone when $when");
}

my @ready = split /\n/, $node->query(
    q{SELECT database FROM testpool.databases WHERE hash = 'owned' AND state = 'ready' ORDER BY ready_at});
my $last = pop @ready;
alter(@ready);
is($claimant->query(q{SELECT testpool.acquire('owned')}), $last,
    'an acquire passes over ready clones that somebody is altering');
my $waiting = $node->session(%owner);
$waiting->send(q{SELECT testpool.acquire('owned', '150 s')});
$node->wait_until_waiting($waiting);
others_are_served('there is no other clone');
ok(!$waiting->answered, 'who wants one of those waits');
$altering->query('ROLLBACK');
$clone = $waiting->result->{out};
ok((grep { $_ eq $clone } @ready), 'and gets one when nobody alters them any more');

alter($clone);
$waiting->query("SELECT testpool.release('$clone')");
others_are_served('a clone cannot be cleaned');
$altering->query('ROLLBACK');
$node->settle;

$clone = $waiting->query(q{SELECT testpool.acquire('owned')});
alter($clone);
TestpoolCluster::is_error($waiting->try_query("SELECT testpool.recreate('$clone')")->{error},
    '55006', 'recreate says that somebody is altering the database', message => qr/is being altered/);
$altering->query('ROLLBACK');
$node->becomes_true("SELECT state = 'leased' FROM testpool.databases WHERE database = '$clone'",
    'and it is clean when nobody does any more');
$waiting->quit;
$claimant->quit;
$node->settle;

my $prepared = $node->query(q{SELECT testpool.acquire('owned')}, %owner);
$node->query("BEGIN; ALTER DATABASE $prepared CONNECTION LIMIT 5; PREPARE TRANSACTION 'left'", %owner,
    database => $prepared);
$node->query("SELECT testpool.release('$prepared')", %owner);
$node->becomes_true("SELECT NOT EXISTS (SELECT FROM pg_database WHERE datname = '$prepared')",
    'a clone that was altered by a prepared transaction inside goes, and the transaction with it');
$node->settle;

# --- the same with names ---------------------------------------------------------------------------

is($node->query('SELECT v FROM mine', %owner, database => 'owned~name'), 1, 'a clone that is asked for by name');
my $first = $node->oid_of('owned~name');
alter('owned~name');
$node->query(q{SELECT testpool.release('owned~name')}, %owner);
others_are_served('a name cannot be taken from its clone');
my $next_client = connect_to('owned~name');
others_are_served('somebody waits for that name');
$altering->query('ROLLBACK');
is_let_in($next_client, 'that is over');
isnt($node->oid_of('owned~name'), $first, 'which is another one');

$node->query('CREATE DATABASE other', %owner);
$altering->query('BEGIN; ALTER DATABASE other RENAME TO "owned~other"');
my $rival = connect_to('owned~other');
others_are_served('another database may be about to bear a name');
$altering->query('ROLLBACK');
is_let_in($rival, 'it does not');
$node->query('DROP DATABASE other');

alter('owned~other');
my $reset = $node->session;
$reset->send('SELECT testpool.reset()');
$node->wait_until_waiting($reset);
$altering->query('ROLLBACK');
is($reset->result->{err}, '', 'reset waits for what somebody alters');
$_->quit for $reset, $altering;
unlike(slurp_file($node->logfile), qr/lock timeout/, 'and testpool never waits for a lock of theirs');

$node->finish;
