# REASSIGN OWNED and DROP OWNED reach every database of a server. Run in a clone they reach that clone, and
# what else is not testpool's: a test does nothing to its template, nor to others' clones.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('given', conf => "testpool.pool_size = 2\ntestpool.workers = 1\n");
$node->query(<<SQL);
CREATE ROLE builder LOGIN;
CREATE ROLE heir LOGIN;
CREATE ROLE reader LOGIN;
GRANT USAGE ON SCHEMA testpool TO builder;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO builder;
CREATE DATABASE others OWNER builder;
SQL
my $template = $node->query(q{SELECT testpool.init_template('h')}, user => 'builder');
$node->query('CREATE TABLE t (i int)', user => 'builder', database => $template);
$node->query("GRANT CONNECT ON DATABASE $template TO reader; GRANT TEMPORARY ON DATABASE $template TO heir");
$node->query(q{SELECT testpool.finalize('h')}, user => 'builder');
$node->settle;

sub is_right ($what)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $ours = q{datname IN (SELECT database FROM testpool.templates UNION SELECT database FROM testpool.databases)};
    is($node->query("SELECT DISTINCT datdba::regrole FROM pg_database WHERE $ours"), 'builder', "$what: the owner");
    is($node->query("SELECT count(DISTINCT datacl::text) FROM pg_database WHERE $ours"), 1, '… the privileges');
    like($node->query("SELECT datacl FROM pg_database WHERE datname = '$template'"), qr/reader=c.builder/, '… all of them');
    is($node->query(<<SQL), "heir a|reader a|builder o", '… and the dependencies on roles');
SELECT DISTINCT string_agg(d, '|') FROM (
    SELECT objid, refobjid::regrole::text || ' ' || deptype::text AS d FROM pg_shdepend
     WHERE classid = 'pg_database'::regclass AND dbid = 0
       AND objid IN (SELECT oid FROM pg_database WHERE $ours)
     ORDER BY objid, deptype, refobjid::regrole::text) s
 GROUP BY objid
SQL
}
is_right('before');

for my $command ('REASSIGN OWNED BY builder TO heir', 'DROP OWNED BY reader, heir',
    'DO $$ BEGIN REASSIGN OWNED BY builder TO heir; DROP OWNED BY builder; END $$')
{
    my ($mine, $other) = map { $node->query(q{SELECT testpool.acquire('h')}, user => 'builder') } 1 .. 2;
    my $inside = $node->session(database => $mine);
    $inside->query('BEGIN');
    $inside->query($command);
    $inside->query('ROLLBACK');
    is_right("rolled back: $command");
    like($inside->try_query($command)->{err}, qr/testpool's other databases keep their owners and privileges/, 'it is told');
    $inside->quit;
    $node->query("SELECT testpool.release('$mine')");
    $node->settle;
    is_right($command);
    $node->query("SELECT testpool.release('$other')");
    $node->settle;
}
is($node->query(q{SELECT datdba::regrole FROM pg_database WHERE datname = 'others'}), 'heir',
    'a database that is not testpool\'s is given away');
is($node->query('SELECT bool_and(clone_reason IS NULL) FROM testpool.databases'), 't', 'clones were rewound');
$node->query('REASSIGN OWNED BY builder TO heir');
is($node->query("SELECT datdba::regrole FROM pg_database WHERE datname = '$template'"), 'heir',
    'run elsewhere, the command means all databases');

# --- what others need ---------------------------------------------------------------------------

# Drops wait until the suite pauses, but not of what roles or slots depend on: the next test may make its own of that name.
$node->query('CREATE ROLE passing');
my $holder = $node->session;
my $used = $holder->query(q{SELECT testpool.acquire('h')});
$node->query('GRANT SELECT ON t TO passing', database => $used);
$node->move_away($used);
$holder->query('SELECT testpool.release()');
TestpoolCluster::wait_until('the role can be dropped while the suite goes on', sub {
    $holder->query(q{SELECT testpool.acquire('h'), testpool.release()});
    return !$node->error_of('DROP ROLE passing');
});
pass('a role can be dropped soon after the test that used it');
$holder->quit;

$node->finish;
