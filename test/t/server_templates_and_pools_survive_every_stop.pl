# A clean restart, an immediate shutdown, the death of any process and of the postmaster: templates
# stay finalized and are not built again, ready clones stay, leases and claims of sessions that are
# gone end by the grace, and no file is left without a database.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('stops', conf => <<CONF);
testpool.pool_size = 3
testpool.lease_grace = '3s'
max_prepared_transactions = 1
CONF
my $template = $node->build('app', 'CREATE TABLE t AS SELECT 42 AS v');
my $layer    = $node->build('layer', 'ALTER TABLE t ADD w int DEFAULT 7', base => 'app');
$node->settle;

sub restart_server { $node->restart }

sub stop_immediately { $node->stop('immediate'); $node->start }

sub kill_postmaster { $node->kill_postmaster; $node->start_again }

# A crash of one process takes all others along; the postmaster then starts them anew.
sub kill_one
{
    my ($pid) = @_;
    my $started = $node->query('SELECT pg_postmaster_start_time()');
    my $log = -s $node->logfile;
    $node->kill_process($pid);
    $node->wait_for_log(qr/database system is ready to accept connections/, $log);
    $node->poll_query_until('postgres', "SELECT pg_postmaster_start_time() = '$started'");
}

my %stop = (
    'a clean restart'             => \&restart_server,
    'an immediate shutdown'       => \&stop_immediately,
    'the death of the postmaster' => \&kill_postmaster,
    'the death of the launcher'    => sub { kill_one($node->pids_of('launcher')) },
    'the death of a worker'       => sub { kill_one(($node->pids_of('worker'))[0]) },
    'the death of a session'      => sub { kill_one($_[0]{pid}) });

for my $what (sort keys %stop)
{
    $node->query("SELECT testpool.prewarm('app', 3), testpool.prewarm('layer', 3)");
    my ($holder, $builder) = $node->sessions(2);
    my $leased = $holder->query(q{SELECT testpool.acquire('app')});
    my $kept   = $holder->query(q{SELECT testpool.acquire('app')});
    $node->query('CREATE TABLE precious AS SELECT 1 AS v', database => $kept);
    $holder->query("SELECT testpool.keep('$kept', 'for later')");
    my $half_built = $builder->query("SELECT testpool.init_template('half-built before $what')");
    $node->query('CREATE TABLE half_built ()', database => $half_built);
    $node->settle;
    my $templates = $node->query(<<SQL);
SELECT string_agg(concat_ws(' ', t.id, t.oid, t.finalized_at, p.datistemplate), ',' ORDER BY t.id)
  FROM testpool.template t JOIN pg_database p USING (oid) WHERE state = 'finalized'
SQL
    my $ready = $node->query(q{SELECT string_agg(oid::text, ',') FROM testpool.database WHERE state = 'ready'});

    $stop{$what}->($holder);
    $_->quit for $holder, $builder;

    is( $node->query(<<SQL), $templates, "after $what the templates are finalized and the same");
SELECT string_agg(concat_ws(' ', t.id, t.oid, t.finalized_at, p.datistemplate), ',' ORDER BY t.id)
  FROM testpool.template t JOIN pg_database p USING (oid) WHERE state = 'finalized'
SQL
    is($node->query(q{SELECT testpool.init_template('app') IS NULL}),
        't', "after $what nobody is told to build what is built");
    $node->becomes_true(
        "SELECT count(*) >= 3 FROM testpool.database JOIN pg_database USING (oid)
          WHERE state = 'ready' AND oid IN ($ready) AND name ~ '^testpool_1_'",
        "after $what the clones that were ready are ready, but for those that were too many");
    $node->becomes_true(
        "SELECT NOT EXISTS (SELECT FROM pg_database WHERE datname IN ('$leased', '$half_built')
                               AND oid NOT IN (SELECT oid FROM testpool.database WHERE state = 'ready'))",
        "after $what leases and claims of before end by the grace");
    is($node->query('SELECT v FROM precious', database => $kept),
        1, "after $what a kept database is kept");
    $node->query("SELECT testpool.release('$kept')");
    $node->settle;
    $node->has_no_orphans("after $what no directory is left behind");
    my $clone = $node->query(q{SELECT testpool.acquire('layer')});
    is($node->query('SELECT v, w FROM t', database => $clone),
        '42|7', "after $what what is acquired equals the template");
    $node->query("SELECT testpool.release('$clone')");
}

# --- what was used before a shutdown in order is rewound after it; after a crash it is cloned again -

sub use_and_stop
{
    my ($stop) = @_;
    $node->becomes_true(q{SELECT count(*) = 3 FROM testpool.database WHERE state = 'ready' AND template = (SELECT id FROM testpool.template WHERE hash = 'again')}, 'three are ready');
    my $used = $node->query(q{SELECT testpool.acquire('again')});
    $node->query('UPDATE t SET v = 1; CREATE TABLE mine AS SELECT 1 AS v', database => $used);
    my $oid = $node->query("SELECT oid FROM pg_database WHERE datname = '$used'");
    $stop->();
    $node->query("SELECT testpool.release('$used')");
    $node->settle;
    my $how = $node->query(<<SQL);
SELECT (SELECT rewinds > 0 AND refusals = 0 AND clones = 0 FROM testpool.stats WHERE hash = 'again'),
       EXISTS (SELECT FROM testpool.database WHERE oid = $oid)
SQL
    my $next = $node->session;
    my @clones = map { $next->query(q{SELECT testpool.acquire('again')}) } 1 .. 3;
    my @found = map { $node->query(q{SELECT v, to_regclass('mine') FROM t}, database => $_) } @clones;
    $next->query('SELECT testpool.release()');
    $next->quit;
    $node->settle;
    return (\@found, $how);
}
$node->query('ALTER SYSTEM SET testpool.pool_max = 3');
$node->restart;
$node->build('again', 'CREATE TABLE t AS SELECT 42 AS v');
my ($found, $how) = use_and_stop(\&restart_server);
is_deeply($found, [ ('42|') x 3 ], 'after a clean restart all that is handed out is clean');
is($how, 't|t', 'and nothing was cloned for that');
($found, $how) = use_and_stop(\&kill_postmaster);
is_deeply($found, [ ('42|') x 3 ], 'after a crash as well');
is($how, 'f|f', 'but what had been used was cloned again');

# --- a lease whose holder's tests go on is not lost by a restart ---------------------------------

my $database = $node->query(q{SELECT testpool.acquire('app')});
$node->query('CREATE TABLE mine AS SELECT 1 AS v', database => $database);
$node->restart;
my $inside = $node->session(database => $database);
$node->build_clock;
$node->pass_a_grace;
is($inside->query('SELECT v FROM mine'),
    1, 'who comes back to a leased database within the grace after a restart still has it');
$inside->quit;

# --- what a session was told holds, however soon after it the server crashes ----------------------

$node->build('wrong');
my $kept = $node->query(q{SELECT testpool.keep(testpool.acquire('app'))}) =~ s{.*/([^?]*).*}{$1}r;
$node->query(q{SELECT testpool.discard('wrong', 'it was wrong')});
stop_immediately();
is($node->query("SELECT state FROM testpool.databases WHERE database = '$kept'"),
    'kept', 'what was kept just before a crash is kept');
is($node->query(q{SELECT state FROM testpool.templates WHERE hash = 'wrong'}),
    'discarded', 'what was discarded just before a crash is discarded');

# --- a release does not depend on how far the launcher has come ------------------------------------

$node->query(q{BEGIN; LOCK TABLE testpool.database; PREPARE TRANSACTION 'in the way'});
stop_immediately();
my $early = $node->session;
$early->send("SELECT testpool.release('$kept')");
$node->wait_until_waiting($early);
$node->query(q{ROLLBACK PREPARED 'in the way'});
is($early->result->{error}, undef, 'a release right after a crash finds the lease');
$node->wait_for_lease_end($kept);
$early->quit;

$node->finish;
