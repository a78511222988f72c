# Autovacuum visits a database as long as there are statistics of it. A template has none once it is
# finalized, but a worker that was on its way then, or a superuser who looks at it, makes new ones.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use RewindTest;
use Test::More;

# Autovacuum is so slow that it is never done.
my $t = RewindTest->begin('autovacuum', conf => <<'CONF');
autovacuum_vacuum_cost_delay = 100
autovacuum_vacuum_cost_limit = 1
CONF
my $node = $t->node;
my $template = $node->query("SELECT database FROM testpool.template WHERE hash = 'app'");
my $database = $t->acquire;

$node->query("ALTER DATABASE $template ALLOW_CONNECTIONS true");
$node->query('UPDATE big SET t = t', database => $template);
$node->query("ALTER DATABASE $template ALLOW_CONNECTIONS false");
my $visits = "SELECT count(*) FROM pg_stat_activity
               WHERE datname = '$template' AND backend_type = 'autovacuum worker'";
$node->becomes_true("SELECT ($visits) > 0", 'autovacuum is in the template');

$node->query('INSERT INTO empty VALUES (1)', database => $database);
$node->query("SELECT testpool.recreate('$database')");
is($t->way_of($database), 'rewind', 'a rewind ends it');

# One that waits for the rewind to end goes in once more.
my $left_alone = "SELECT ($visits) + pg_stat_get_db_xact_commit(oid) = 0
                    FROM pg_database WHERE datname = '$template'";
for (1 .. 20)
{
    last if $node->query($left_alone) eq 't';
    $node->query("SELECT testpool.recreate('$database')");
}
is($node->query($left_alone), 't', 'it is gone, and has no reason to come again');

$t->give_back($database);
$t->finish;
