# Unlogged tables of a template: what a test does to them is rewound. A crash empties them, in the
# template too, which then is no longer what was finalized: it is discarded, and built again.
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

$node->stop('immediate');
$node->start;
$node->becomes_true(q{SELECT state = 'discarded' AND reason ~ 'unlogged' FROM testpool.template WHERE hash = 'app'},
    'after a crash the template is discarded, and says why');
$node->fails_with('55000', q{SELECT testpool.acquire('app')}, 'nothing of it is handed out');
$node->settle;
isnt($node->query(q{SELECT testpool.init_template('app')}), '', 'it can be built again');
$node->query(q{SELECT testpool.discard('app')});

$t->finish;
