# A rewind forgets the statistics of a database. PostgreSQL keeps what somebody has read until that
# process looks again, and would not forget it twice: a drop of the database then ended the whole
# server, or the standby that it was replayed on.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('read', init => { allows_streaming => 1 },
    conf => "autovacuum_naptime = 1h\ntestpool.pool_size = 0\n");
$node->query('CREATE EXTENSION IF NOT EXISTS testpool');
$node->backup('base');
my $standby = TestpoolCluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

# A transaction that stays open: its process does not look again.
my $look = 'ROLLBACK; BEGIN; SELECT sum(xact_commit) > 0 FROM pg_stat_database';
my ($reader, $reader_there) = ($node->session, $standby->session);

# Makes statistics of the database, and has them read.
sub look_at
{
    my ($database) = @_;
    $node->query('CREATE TABLE used (v int)', database => $database);
    $node->wait_for_catchup($standby, 'replay');
    $standby->query('SELECT FROM used', database => $database);
    $_->query($look) for $reader, $reader_there;
}

my $template = $node->build('app');
my $database = $node->query(q{SELECT testpool.acquire('app')});
for my $round (1 .. 2)
{
    look_at($database);
    $node->query("SELECT testpool.recreate('$database')");
    is($node->query("SELECT recycled FROM testpool.databases WHERE database = '$database'"),
        'rewind', "round $round: the database was rewound");
}
is($node->query(<<SQL), 't', 'nothing is known of the database any more');
SELECT numbackends = 0 AND xact_commit = 0 FROM pg_stat_database WHERE datname = '$database'
SQL

look_at($database);
$node->query("SELECT testpool.recreate('$database')");
$node->query("SELECT testpool.release('$database')");
$node->query(q{SELECT testpool.discard('app')});
$node->settle;
pass('it is dropped, and its template');

# By hand.
$template = $node->build('by hand');
$database = $node->query(q{SELECT testpool.acquire('by hand')});
look_at($database);
$node->query("SELECT testpool.recreate('$database')");
$node->query("ALTER DATABASE $template IS_TEMPLATE false");
$node->query("DROP DATABASE $_") for $database, $template;
pass('so are those that somebody drops by hand');
$node->query("SELECT testpool.release('$database')");

$node->wait_for_catchup($standby, 'replay');
is($standby->query($look), 't', 'the standby has replayed all of it');
$_->quit for $reader, $reader_there;
$standby->stop('fast');
$standby->log_is_clean;
$node->finish;
