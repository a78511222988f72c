# PostgreSQL has autovacuum enter each database that is old enough, whatever its settings say. It changes a template's
# pages and horizons, not what is in it: the template is sealed again, before if possible, after if not, and its
# clones are rewound as ever.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('ageing', conf => <<'CONF');
autovacuum_freeze_max_age = 100000
autovacuum_naptime = 1
log_autovacuum_min_duration = 0
testpool.pool_max = 3
CONF

# Spends transaction ids: each subtransaction that writes has one. Then the launcher looks, as it does by itself some
# seconds later.
sub spend ($count)
{
    $node->query(<<"SQL");
CREATE TEMPORARY TABLE spent ();
DO \$\$ BEGIN
    FOR i IN 1 .. $count LOOP
        BEGIN INSERT INTO spent DEFAULT VALUES; EXCEPTION WHEN division_by_zero THEN END;
    END LOOP;
END \$\$;
SELECT pg_reload_conf();
SQL
}

sub age () { return $node->query(q{SELECT age(datfrozenxid) FROM pg_database WHERE datname = (SELECT database FROM testpool.templates)}) }

# How a used database became clean.
sub way_of ($database)
{
    $node->query('UPDATE t SET a = -a; CREATE TABLE mine AS SELECT * FROM t', database => $database);
    $node->query("SELECT testpool.recreate('$database')");
    is($node->query(q{SELECT count(*), sum(a), to_regclass('mine') IS NULL FROM t}, database => $database), '1000|500500|t', 'a recreated database is clean');
    return $node->query("SELECT recycled || coalesce(': ' || clone_reason, '') FROM testpool.databases WHERE database = '$database'");
}

$node->build('it', 'CREATE TABLE t AS SELECT generate_series(1, 1000) AS a; CREATE INDEX ON t (a)');
$node->settle;
my ($holder, $other) = $node->sessions(2);

# --- before autovacuum comes -----------------------------------------------------------------------

my $leased = $holder->query(q{SELECT testpool.acquire('it')});
is(way_of($leased), 'rewind', 'a clone of a young template is rewound');
$node->query('INSERT INTO t VALUES (0)', database => $leased);
my $ready = $node->query(q{SELECT string_agg(database, ' ' ORDER BY ready_at) FROM testpool.databases WHERE state = 'ready'});
spend(30_000) for 1 .. 2;
is($node->query('SELECT resealed_at FROM testpool.templates'), '', 'while it is young it stays as it is');
my $finalized_at = $node->query('SELECT finalized_at FROM testpool.templates');
my $log = -s $node->logfile;
spend(25_000);
$node->becomes_true('SELECT resealed_at IS NOT NULL FROM testpool.templates', 'an old template is sealed again');
cmp_ok(age(), '<', 50_000, '… and is young again');
like(slurp_file($node->logfile, $log), qr/testpool: template "it" was resealed: .* reason: it was getting old/, '… which the log tells');
unlike(slurp_file($node->logfile), qr/automatic.*table "testpool_template_/, '… before autovacuum comes');
is($node->query('SELECT state, finalized_at, drift FROM testpool.templates'), "finalized|$finalized_at|", 'it is the same template');
is($node->query('SELECT count(*) FROM t', database => $leased), 1001, 'what is leased goes on');
is($other->query(q{SELECT testpool.acquire('it')}), (split / /, $ready)[0], 'what was ready is handed out');
$other->query('SELECT testpool.release()');
is(way_of($leased), 'clone: its template was sealed again since it became clean', '… and cloned again when it comes back');
is(way_of($leased), 'rewind', '… to be rewound from then on');
$holder->query('SELECT testpool.release()');
$node->settle;
is($node->query('SELECT refusals, last_refusal FROM testpool.stats'), '2|its template was sealed again since it became clean', 'what was cloned again is counted, with the reason');
like($node->query('SELECT * FROM testpool.advice()'), qr/cloned again rather than rewound: 2; the last because its template was sealed again/, '… and told');

# --- after it came ----------------------------------------------------------------------------------

# An old snapshot keeps VACUUM from making the template much younger: it is not worth while to seal it again.
my $resealed_at = $node->query('SELECT resealed_at FROM testpool.templates');
my $reader = $node->session;
$reader->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
my $frozen = $node->query('SELECT datfrozenxid FROM pg_database d, testpool.template t WHERE t.oid = d.oid');
spend(30_000) for 1 .. 4;
$node->poll_query_until('postgres', "SELECT datfrozenxid <> '$frozen' FROM pg_database d, testpool.template t WHERE t.oid = d.oid")
  or die 'autovacuum is not done';
is($node->query('SELECT resealed_at, drift FROM testpool.templates'), "$resealed_at|", 'a template that stays old is not sealed again');
$leased = $holder->query(q{SELECT testpool.acquire('it')});
way_of($leased);
$node->becomes_true("SELECT resealed_at > '$resealed_at' AND drift IS NULL FROM testpool.templates", 'one that autovacuum has changed is sealed again');
like(slurp_file($node->logfile), qr/testpool: template "it" is not what was finalized: the template was vacuumed after it had been finalized/, '… as the log says');
like(slurp_file($node->logfile), qr/testpool: template "it" was resealed: .* reason: the template was vacuumed after it had been finalized/, '… with the reason');
$reader->quit;
$node->becomes_true('SELECT age(frozen_xid) < 50000 FROM testpool.template', '… and once more when it can be made younger');
$holder->query('SELECT testpool.release()');
$node->settle;
for my $turn (1 .. 6)  # whatever was made before has gone by then
{
    $leased = $holder->query(q{SELECT testpool.acquire('it')});
    way_of($leased);
    $holder->query('SELECT testpool.release()');
    $node->settle;
}
$node->query('SELECT testpool.reset_stats()');
for my $turn (1 .. 3)
{
    $leased = $holder->query(q{SELECT testpool.acquire('it')});
    is(way_of($leased), 'rewind', "clones are rewound again, turn $turn");
    $holder->query('SELECT testpool.release()');
    $node->settle;
}
is($node->query('SELECT refusals FROM testpool.stats'), 0, '… without exception');

$_->quit for $holder, $other;
$node->finish;
