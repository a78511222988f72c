# Unlogged tables of a template: what a test does to them is rewound. A crash empties them, in the
# template too, which then is no longer what was finalized: it is discarded, and built again. Where they
# were empty nothing is lost.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use RewindTest;
use Test::More;
use TestpoolCluster;

my $t = RewindTest->begin('unlogged', content => <<'SQL');
CREATE UNLOGGED TABLE fast (a int PRIMARY KEY, b text);
INSERT INTO fast SELECT i, 'x' || i FROM generate_series(1, 3000) i;
CREATE UNLOGGED TABLE fast_empty (a int);
SQL
my $node = $t->node;

$t->is_put_back('reading', 'rewind', 'SELECT count(*) FROM fast');
$t->is_put_back('changed rows', 'rewind', 'UPDATE fast SET b = b || a WHERE a % 3 = 0',
    'INSERT INTO fast_empty SELECT generate_series(1, 1000)');
$t->is_put_back('changed rows, written out', 'rewind', 'DELETE FROM fast WHERE a > 100', 'CHECKPOINT',
    'VACUUM fast');
$t->is_put_back('truncated', 'rewind', 'TRUNCATE fast, fast_empty');
$t->is_put_back('truncated across a checkpoint', 'rewind', 'TRUNCATE fast', 'CHECKPOINT',
    q{INSERT INTO fast VALUES (1, 'y')});
$t->is_put_back('dropped', 'rewind', 'DROP TABLE fast, fast_empty');
$t->is_put_back('made logged', 'rewind', 'ALTER TABLE fast SET LOGGED');

# Without a crash they survive, as in any database.
$node->stop('fast');
$node->start;
my $database = $t->acquire;
is($node->query('SELECT count(*) FROM fast', database => $database), 3000, 'a restart keeps their rows');
$t->equals($database, 'after a restart');
$t->give_back($database);

sub crash ()
{
    $node->query('CHECKPOINT');    # so that no release is forgotten
    $node->stop('immediate');
    $node->start;
}

# What has nothing to lose: empty tables, with indexes of every kind, and sequences that nobody used.
my $nothing_to_lose = <<'SQL';
CREATE UNLOGGED TABLE unlogged (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a int, b text, p point, r int4range,
    EXCLUDE USING gist (r WITH &&));
CREATE INDEX ON unlogged USING hash (b);
CREATE INDEX ON unlogged USING brin (a);
CREATE INDEX ON unlogged USING spgist (p);
CREATE INDEX ON unlogged USING gin (to_tsvector('simple', b));
CREATE UNLOGGED TABLE emptied (a int PRIMARY KEY);
INSERT INTO emptied SELECT generate_series(1, 1000);
TRUNCATE emptied;
CREATE TABLE parted (a int) PARTITION BY RANGE (a);
CREATE UNLOGGED TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
SQL
$node->build('counted', $nothing_to_lose . q{SELECT nextval('unlogged_id_seq')});
$t->build('empty', $nothing_to_lose);

crash();
$node->becomes_true(q{SELECT count(*) = 2 AND bool_and(reason ~ 'unlogged') FROM testpool.template WHERE state = 'discarded'},
    'after a crash a template with rows is discarded, and one with a sequence that was used');
is($node->query(q{SELECT hash FROM testpool.template WHERE state = 'finalized'}), 'empty', 'but none that had nothing to lose');
$t->give_back($t->acquire);
$t->is_put_back('what was empty and is filled', 'rewind', <<'SQL', 'TRUNCATE emptied');
INSERT INTO unlogged (a, b, p, r) SELECT i, 'x' || i, point(i, i), int4range(i, i + 1) FROM generate_series(1, 1000) i;
INSERT INTO parted SELECT generate_series(0, 9);
SQL
$t->is_put_back('an insert after that', 'rewind', q{INSERT INTO unlogged (a) VALUES (1)}, 'DROP TABLE emptied');
crash();
$t->give_back($t->acquire);
$t->is_put_back('the same after another crash', 'rewind', q{INSERT INTO unlogged (a) VALUES (1)});
$node->becomes_true(q{SELECT state = 'discarded' AND reason ~ 'unlogged' FROM testpool.template WHERE hash = 'app'},
    'after a crash the template is discarded, and says why');
$node->fails_with('55000', q{SELECT testpool.acquire('app')}, 'nothing of it is handed out');
$node->settle;
isnt($node->query(q{SELECT testpool.init_template('app')}), '', 'it can be built again');
$node->query(q{SELECT testpool.discard('app')});

$t->finish;
