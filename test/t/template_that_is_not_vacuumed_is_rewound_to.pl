# With testpool.vacuum_templates off a template's tables stay as they are, hint bits to be set included. Where hint
# bits are logged, as with data checksums, a page in which they are set is younger than the seal: nothing that
# testpool does may set them.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('unvacuumed',
    init => { extra => ['--data-checksums'] }, conf => "testpool.vacuum_templates = off\nautovacuum = off\n");
my $tables = join ';', map { "CREATE TABLE t_$_ (id int PRIMARY KEY, v text); INSERT INTO t_$_ SELECT i, i FROM generate_series(1, 20) i; DELETE FROM t_$_ WHERE id = 3" } 1 .. 200;
for my $strategy (qw(wal_log file_copy))
{
    $node->query($_) for "ALTER SYSTEM SET testpool.clone_strategy = '$strategy'", 'SELECT pg_reload_conf()';
    $node->becomes_true("SELECT current_setting('testpool.clone_strategy') = '$strategy'", $strategy);
    $node->build($strategy, $tables);
    $node->settle;
    my $session = $node->session;
    for my $turn (1 .. 3)
    {
        my $clone = $session->query("SELECT testpool.acquire('$strategy')");
        $node->query(<<'SQL', database => $clone);
DELETE FROM t_7; UPDATE t_8 SET v = 'x'; CREATE TABLE mine AS SELECT * FROM t_9; TRUNCATE t_10; DROP TABLE t_11;
DO $$ BEGIN FOR i IN 12 .. 200 LOOP EXECUTE format('SELECT count(*) FROM t_%s', i); END LOOP; END $$
SQL
        $session->query("SELECT testpool.diff('$clone')");
        $session->query("SELECT testpool.recreate('$clone')");
        is($node->query("SELECT recycled, clone_reason FROM testpool.databases WHERE database = '$clone'"), 'rewind|',
            "$strategy, turn $turn: a used clone is rewound");
        is($node->query(q{SELECT count(*), sum((SELECT count(*) FROM t_7)) FROM t_11 WHERE to_regclass('mine') IS NULL}, database => $clone), '19|361',
            "$strategy, turn $turn: … and clean");
        $session->query('SELECT testpool.release()');
        $node->query("SELECT testpool.prewarm('$strategy', " . (2 + $turn) . ')');  # another is made
    }
    $session->quit;
    is($node->query("SELECT refusals FROM testpool.stats WHERE hash = '$strategy'"), 0, "$strategy: no rewind was refused");
    $node->query("SELECT testpool.discard('$strategy')");
}
$node->finish;
