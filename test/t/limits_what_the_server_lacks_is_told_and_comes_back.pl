# No connection is free, the table of locks is full, few files may be open: who asks is told, nothing
# is lost, and when there is enough again all is as before.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

# --- connections ----------------------------------------------------------------------------------

my $node = TestpoolCluster->begin('lacks', conf => <<CONF);
max_connections = 10
max_locks_per_transaction = 10
max_files_per_process = 64
CONF
my $content = join ';', map { "CREATE TABLE t$_ AS SELECT $_ AS v" } 1 .. 50;
$node->build('app', $content);
$node->settle;
$node->query(<<SQL);
CREATE ROLE tester LOGIN;
GRANT USAGE ON SCHEMA testpool TO tester;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO tester;
SQL

my $tester = $node->session(user => 'tester');
my @crowd;
while (!$node->error_of('SELECT 1', user => 'tester')) { push @crowd, $node->session(user => 'tester'); }
is($node->error_of('SELECT 1', user => 'tester')->{message} =~ /connection/, 1, 'no connection is left for ordinary roles');
my $database = $tester->query(q{SELECT testpool.acquire('app')});
like($database, qr/^testpool_/, 'who is connected gets a database');
$tester->query("SELECT testpool.release('$database')");
$node->build('more', 'CREATE TABLE t AS SELECT 1 AS v');
$node->settle;
is($node->query(q{SELECT count(*) >= 4 FROM testpool.databases WHERE state = 'ready'}), 't',
    'templates are built, clones made and cleaned: that needs no connection');
$_->quit for @crowd;
is($node->query(q{SELECT sum(v) FROM t}, database => $tester->query(q{SELECT testpool.acquire('more')})), 1,
    'when connections are free again, tests go on');
$tester->query('SELECT testpool.release()');

# --- locks ----------------------------------------------------------------------------------------

my $hog = $node->session;
is($hog->try_query('SELECT pg_advisory_lock(i) FROM generate_series(1, 1000000) i')->{error}{sqlstate},
    '53200', 'a session takes all locks that there are');
my $result = $tester->try_query(q{SELECT testpool.acquire('app', '3 s')});
is($result->{error}{sqlstate} // 'none', '53200', 'an acquire says what is lacking') or diag(explain($result));
$hog->query('SELECT pg_advisory_unlock_all()');
$hog->quit;
$database = $tester->query(q{SELECT testpool.acquire('app', '60 s')});
is($node->query('SELECT sum(v) FROM t50', database => $database), 50, 'when there are locks again, it works');

# --- files ----------------------------------------------------------------------------------------

# A database has more files than a process may have open.
$node->query(join(';', map { "INSERT INTO t$_ VALUES (0); CREATE INDEX ON t$_ (v)" } 1 .. 50), database => $database);
$tester->query("SELECT testpool.release('$database')");
$node->settle;
my @all = map { $tester->query(q{SELECT testpool.acquire('app', '60 s')}) } 1 .. 3;
my $rows = join ' + ', map { "(SELECT count(*) FROM t$_)" } 1 .. 50;
is_deeply([ map { $node->query("SELECT $rows", database => $_) } @all ], [ 50, 50, 50 ],
    'with few files open, used databases are as new');
is($node->query(q{SELECT rewinds > 0 FROM testpool.stats WHERE hash = 'app'}), 't', 'and were rewound');
$tester->query('SELECT testpool.release()');
$tester->quit;
$node->settle;
$node->finish;
