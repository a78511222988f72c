# testpool.progress shows what each worker is at. A lock on a database holds a job up at a known
# place, for as long as it takes to look.

use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('progress', conf => "testpool.pool_size = 1\ntestpool.workers = 1\n");
my $lock = $node->session;
my $holder = $node->session;

# What is told of a job that waits for the lock.
sub shows ($expected, $name)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    $node->becomes_true(<<SQL, $name) or diag($node->query('SELECT * FROM testpool.progress'));
SELECT count(*) = 1 FROM testpool.progress p JOIN pg_stat_activity a USING (pid)
 WHERE (task, phase, database, hash, template) = $expected AND backend_type = 'testpool worker'
   AND started_at BETWEEN a.backend_start AND clock_timestamp()
   AND a.query = format('%s database %s', replace(task || 'ing', 'eing', 'ing'), database)
SQL
}

my $database = $holder->query(q{SELECT testpool.init_template('it', name => 'orders')});
$node->query('CREATE TABLE facts AS SELECT g FROM generate_series(1, 10000) g', database => $database);
$lock->query("BEGIN; SELECT FROM pg_database WHERE datname = '$database' FOR UPDATE");
$holder->send(q{SELECT testpool.finalize('it')});
$node->becomes_true("SELECT count(*) = 1 FROM testpool.progress WHERE task = 'seal' AND phase = 'ending sessions' AND bytes_done IS NULL",
    'a seal is shown');
$lock->query('ROLLBACK');
$holder->result;
$node->settle;
$node->becomes_true('SELECT count(*) = 0 FROM testpool.progress', 'nothing is shown when nothing is done');

$lock->query("BEGIN; COMMENT ON DATABASE $database IS 'busy'");
my $clone = $holder->query(q{SELECT testpool.acquire('it')});
$node->becomes_true("SELECT count(*) = 1 FROM testpool.database WHERE state = 'cloning'", 'a clone is made');
my $next = $node->query("SELECT name FROM testpool.database WHERE state = 'cloning'");
shows("('create', 'copying files', '$next', 'it', 'orders')", 'a clone is shown');
is($node->query('SELECT bytes_done < bytes_total AND bytes_total = (SELECT bytes FROM testpool.templates) FROM testpool.progress'), 't',
    'and how much of it is done');
$lock->query('ROLLBACK');
$node->settle;

$lock->query("BEGIN; COMMENT ON DATABASE $clone IS 'busy'");
$holder->query('SELECT testpool.release()');
shows("('rewind', 'ending sessions', '$clone', 'it', 'orders')", 'a rewind is shown');
is($node->query('SELECT (bytes_done, bytes_total) FROM testpool.progress'), '(0,)', 'of which nobody knows how long it takes');
$lock->query('ROLLBACK');
$node->settle;

$clone = $holder->query(q{SELECT testpool.acquire('it')});
$node->settle;
$lock->query("BEGIN; COMMENT ON DATABASE $clone IS 'busy'");
$node->query(q{SELECT testpool.discard('it')});
$node->becomes_true("SELECT count(*) = 1 FROM pg_database WHERE datname LIKE 'testpool\\_%'", 'the others are dropped');
$holder->query('SELECT testpool.release()');
$node->becomes_true("SELECT count(*) = 1 FROM testpool.progress WHERE (task, phase, database) = ('drop', 'ending sessions', '$clone')",
    'a drop that waits for somebody is shown');
my ($checkpointer) = $node->query("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'");
kill 'STOP', $checkpointer;
$lock->query('ROLLBACK');
$node->becomes_true(<<SQL, 'a drop is shown, and how much is done');
SELECT count(*) = 1 FROM testpool.progress
 WHERE (task, phase, database) = ('drop', 'dropping', '$clone') AND bytes_done BETWEEN 0 AND bytes_total
SQL
kill 'CONT', $checkpointer;
$node->settle;

$node->query('CREATE ROLE nobody LOGIN; GRANT USAGE ON SCHEMA testpool TO nobody');
is($node->query('SELECT count(*) FROM testpool.progress', user => 'nobody'), 0, 'anybody may look');
$holder->quit;
$lock->quit;
$node->finish;
