# A drop waits for a checkpoint, and no test for either: while the checkpointer is stopped, so that the
# drop of a template goes on for as long as the test likes, databases are acquired, used, released and
# rewound as ever. Nor is a worker idle while somebody waits for what takes long. But what waits to be
# dropped does not grow without end.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('drop', conf => <<CONF);
testpool.pool_size = 2
testpool.workers = 2
testpool.max_drop_debt = 0
testpool.clone_strategy = wal_log
autovacuum = off
CONF
$node->build('app', 'CREATE TABLE facts (fact text)');
$node->build('old');
$node->build('large', q{CREATE TABLE pages (t text) WITH (fillfactor = 10);
    INSERT INTO pages SELECT repeat('x', 900) FROM generate_series(1, 34000)});
$node->settle;
my ($holder) = $node->sessions(1);
my $stopped;    # the checkpointer, while it stands still

END { kill 'CONT', $stopped if $stopped }

# --- a drop that does not end -------------------------------------------------------------------

my $checkpointer = $node->query(q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'});
kill 'STOP', $checkpointer;
$stopped = $checkpointer;
$node->query('SELECT testpool.reset_stats()');
$holder->query(q{SELECT testpool.acquire('app')});    # it is not quiet, but the debt is too large
$node->query(q{SELECT testpool.discard('old')});
$node->becomes_true(<<'SQL', 'a drop waits for its checkpoint');
SELECT count(*) = 1 FROM pg_stat_activity
 WHERE backend_type = 'testpool worker' AND query LIKE 'dropping database %'
   AND wait_event IN ('CheckpointStart', 'CheckpointDone')
SQL
$holder->query('SELECT testpool.release()');
$node->becomes_true(q{SELECT ready >= 2 FROM testpool.templates WHERE hash = 'app'}, 'the pool is full');

for my $round (1 .. 20)
{
    my $database = $holder->query(q{SELECT testpool.acquire('app')});
    $node->query(q{INSERT INTO facts VALUES ('used')}, database => $database);
    $holder->query('SELECT testpool.release()');
    $node->poll_query_until('postgres', q{SELECT ready >= 2 FROM testpool.templates WHERE hash = 'app'})
      or die "round $round: the pool is not full again";
}
is($node->query(q{SELECT acquires, waits, rewinds FROM testpool.stats WHERE hash = 'app'}),
    '21|0|20', '20 tests go on meanwhile: none waits, and what they used is rewound');
is($node->query(q{SELECT count(*) > 0 FROM pg_stat_activity
                   WHERE backend_type = 'testpool worker' AND query LIKE 'dropping database %'}),
    't', 'the drop waits still');
ok($node->query(q{SELECT drop_debt > 0 FROM testpool.stats WHERE hash = 'old'}) eq 't', 'and the debt is told');

my $builder = $node->session;
like($builder->query(q{SELECT testpool.init_template('layer', 'large')}), qr/^testpool_/,
    'a large copy that somebody waits for is made by the other worker');
$builder->send(q{SELECT testpool.finalize('layer')});
$node->becomes_true(<<'SQL', 'and so begins a seal that somebody waits for');
SELECT array_agg(split_part(query, ' ', 1) ORDER BY query) = '{dropping,sealing}' FROM pg_stat_activity
 WHERE backend_type = 'testpool worker'
SQL

# --- it ends ------------------------------------------------------------------------------------

kill 'CONT', $checkpointer;
undef $stopped;
is($builder->result->{err}, '', 'the checkpointer goes on, and so does the seal');
$builder->query(q{SELECT testpool.discard('layer')});
$builder->quit;
$node->settle;
is($node->query(q{SELECT count(*) FROM pg_database WHERE datname LIKE 'testpool_%'
                     AND oid NOT IN (SELECT oid FROM testpool.database UNION SELECT oid FROM testpool.template)}),
    0, 'then all that was discarded goes');
is($node->query(q{SELECT coalesce(sum(drop_debt), 0) FROM testpool.stats}), 0, 'and so does the debt');

# --- who has large databases made and gives them up, without a pause ------------------------------

my @builders = $node->sessions(3);
for my $round (1 .. 4)
{
    $builders[$_]->send("SELECT testpool.init_template('$_', 'large'); SELECT testpool.discard('$_')") for 0 .. $#builders;
    $_->result for @builders;
    my $left = $node->query(q{SELECT count(*) FROM testpool.template WHERE state = 'discarded' AND oid <> 0});
    cmp_ok($left, '<=', @builders, "round $round: is served as fast as what is given up can be dropped");
}
$_->quit for @builders;
$node->settle;

# --- a clone that took long to make is not dropped to be made again ---------------------------------

sub set_pool_size ($size)
{
    $node->query("ALTER SYSTEM SET testpool.pool_size = $size");
    $node->reload;
}
set_pool_size(0);
my $template = $node->build('slow', 'CREATE TABLE used (by text)');
$node->settle;
my $brake = $node->session;    # nobody clones what somebody else has locked
$brake->query("BEGIN; COMMENT ON DATABASE $template IS 'busy'");
set_pool_size(1);
$node->becomes_true(q{SELECT clock_timestamp() - created_at > '5 s' FROM testpool.databases WHERE hash = 'slow'},
    'a clone takes long');
$brake->query('ROLLBACK');
$brake->quit;
$node->settle;
for my $test (1 .. 40)
{
    my $database = $holder->query(q{SELECT testpool.acquire('slow')});
    $node->query("INSERT INTO used VALUES ('$test')", database => $database);
    $holder->query('SELECT testpool.release()');
}
$node->settle;
is($node->query(q{SELECT clones, drops FROM testpool.stats WHERE hash = 'slow'}), '2|0',
    '40 tests, one after the other, need one more, and none of them is dropped');

$node->finish;
