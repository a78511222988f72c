# Autovacuum or a superuser may change a template after it was finalized. Whatever is handed out
# then is whole: never files or pages of one time under catalogs of another.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use RewindTest;
use Test::More;

my $t = RewindTest->begin('drift', hash => 'undrifted');
my $node = $t->node;

sub recreate ($database, $what, $was_cloned)
{
    $node->query("SELECT testpool.recreate('$database')");
    my $way = $t->way_of($database);
    $node->query('CHECKPOINT');  # nothing of it may wait for one
    is($t->amcheck_complaints($database, with => []), '', "$what ($way): amcheck finds no fault");
    is($node->query(<<SQL, database => $database), 't', "$what ($way): no page is older than datfrozenxid says");
SELECT max(age(relfrozenxid)) <= (SELECT age(datfrozenxid) FROM pg_database WHERE datname = current_database())
   AND max(mxid_age(relminmxid)) <= (SELECT mxid_age(datminmxid) FROM pg_database WHERE datname = current_database())
  FROM pg_class WHERE relfrozenxid <> 0
SQL
    my $rows = eval { $node->query(<<'SQL', database => $database) } // $@;
SELECT (SELECT count(*) FROM empty), (SELECT count(*) FROM big), (SELECT count(*) FROM wide),
       (SELECT count(*) FROM part), (SELECT count(*) FROM bare)
SQL
    # Rewound is as it was when the template was finalized; cloned is as the template is now.
    $was_cloned ||= $way =~ /^clone/;
    like($rows, $was_cloned ? qr/^0\|(5000|4901)\|20\|(200|201|0)\|(1000|0)$/ : qr/^0\|5000\|20\|200\|1000$/,
        "$what ($way): its rows are whole");
    return $was_cloned;
}

# A clone that was leased before the template drifted is used and recreated thrice: after changes
# that touch no page that drifted, after some that may, after none.
sub drifts ($what, $drift)
{
    $t->build($what);
    my $template = $node->query("SELECT database FROM testpool.template WHERE hash = '$what'");
    my $database = $t->acquire;
    $node->query('INSERT INTO empty VALUES (1)', database => $database);

    $node->query("ALTER DATABASE $template ALLOW_CONNECTIONS true");
    $node->query($_, database => $template) for @$drift;
    $node->query("ALTER DATABASE $template ALLOW_CONNECTIONS false");
    $node->query('CHECKPOINT');

    my $was_cloned = recreate($database, "$what, after changes elsewhere", 0);
    $node->query('UPDATE big SET t = t || id WHERE id < 500; TRUNCATE wide', database => $database);
    $was_cloned = recreate($database, "$what, after many changes", $was_cloned);
    recreate($database, "$what, after no change", $was_cloned);
    $t->give_back($database);
    $node->query("SELECT testpool.discard('$what')");
}

# A worker remembers the files of a template that it has worked with. The next one that is started
# has to look.
my $workers = q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE backend_type = 'testpool worker' AND datname = 'postgres'};
my @ways = (['', 'SELECT 1'], [', known to no worker', "\\c postgres\n$workers"]);

for my $way (@ways)
{
    my ($when, $forget) = @$way;
    drifts("rows are added$when", [ 'INSERT INTO part VALUES (1)', $forget ]);
    drifts("rows are deleted$when", [ 'DELETE FROM big WHERE id < 100', 'VACUUM big', $forget ]);
    drifts("a table is truncated$when", [ 'TRUNCATE part', $forget ]);
    drifts("a table without an index is truncated$when", [ 'TRUNCATE bare', $forget ]);
    drifts("a table is dropped and made again$when",
        [ 'DROP TABLE part', 'CREATE TABLE part (a int, b text)', $forget ]);
    drifts("an index is made and one is dropped$when",
        [ 'CREATE INDEX i ON empty (t)', 'DROP INDEX big_t_idx', $forget ]);
    drifts("a table is rewritten$when", [ 'VACUUM FULL part1', $forget ]);
    drifts("everything is rewritten$when", [ 'VACUUM FULL', $forget ]);
    drifts("it is frozen again$when",
        [ ('SELECT txid_current()') x 20, 'VACUUM (FREEZE)', $forget ]);
}

$node->query('ALTER SYSTEM SET testpool.vacuum_templates = off');
$node->query('SELECT pg_reload_conf()');
$node->becomes_true(q{SELECT current_setting('testpool.vacuum_templates') = 'off'}, 'no VACUUM in finalize');
drifts('it was not vacuumed, and is frozen',
    [ ('SELECT txid_current()') x 20, 'VACUUM (FREEZE)' ]);
drifts('it was not vacuumed, and another table is vacuumed', [ 'VACUUM (FREEZE) part' ]);

$t->finish;
