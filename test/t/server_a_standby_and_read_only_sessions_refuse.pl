# On a hot standby and in a read-only transaction the functions raise 25006; the views can be read.
# Once the standby is promoted, it serves.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('primary', 
    init => { allows_streaming => 1 },
    conf => q{testpool.lease_grace = '2s'});
my $template = $node->build('app', 'CREATE TABLE t AS SELECT 42 AS v');
$node->settle;

my %call = (
    init_template => q{('x')},
    finalize      => q{('x')},
    discard       => q{('x')},
    alias         => q{('x', 'x')},
    acquire       => q{()},
    release       => q{()},
    recreate      => q{('x')},
    keep          => q{('x')},
    prewarm       => q{('x', 1)},
    reset         => q{()});

# --- read-only transactions ---------------------------------------------------------------------

my $before = $node->query('SELECT t FROM testpool.template t; SELECT d FROM testpool.database d');
for my $name (sort keys %call)
{
    $node->fails_with('25006', "BEGIN READ ONLY; SELECT testpool.$name$call{$name}",
        "$name is refused in a read-only transaction", message => qr/testpool\.$name\(\)/);
}
$node->fails_with('25006',
    q{SET default_transaction_read_only = on; SELECT testpool.acquire('app')},
    'acquire is refused in a read-only session');
is($node->query('SELECT t FROM testpool.template t; SELECT d FROM testpool.database d'),
    $before, 'and the state is as before');
like($node->query('BEGIN READ ONLY; SELECT testpool.url(\'postgres\')'),
    qr{^postgresql://}, 'url is not refused in a read-only transaction');

# --- a hot standby ------------------------------------------------------------------------------

$node->backup('base');
my $standby = TestpoolCluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
my $leased = $node->query(q{SELECT testpool.acquire('app')});
$node->query(q{SELECT testpool.alias('app', 'app')});
my @inside = map { $node->session(database => $_) } $leased, 'app~1';    # they keep the leases
$node->query('UPDATE t SET v = 43', database => 'app~1');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));

for my $name (sort keys %call)
{
    $standby->fails_with('25006', "SELECT testpool.$name$call{$name}",
        "$name is refused on a standby", message => qr/testpool\.$name\(\).*recovery/);
}
is($standby->query(q{SELECT hash, state FROM testpool.templates}),
    'app|finalized', 'the views can be read on a standby');
like($standby->query(q{SELECT testpool.version(), testpool.url('postgres')}),
    qr/^\d+\.\d+\.\d+\|postgresql:/, 'and so do version and url');
is($standby->query('SELECT v FROM t', database => 'app~1'), 43, 'a name that is leased can be read on a standby');
is($standby->error_of('SELECT 1', database => 'app~2')->{message} =~ /FATAL:  (.*)/s ? $1 : '',
    'database "app~2" does not exist', 'a new name is unknown there');
is_deeply([ $standby->pids_of('launcher'), $standby->pids_of('worker') ],
    [], 'no process of testpool runs on a standby');

# --- promoted -----------------------------------------------------------------------------------

$_->quit for @inside;
$node->stop('immediate');
$standby->promote;
is($standby->query('SELECT v FROM t', database => $standby->query(q{SELECT testpool.acquire('app')})),
    42, 'a promoted standby hands out clones');
is($standby->query(q{SELECT testpool.init_template('app') IS NULL}),
    't', 'of the template that was built on the primary');
$standby->becomes_true(
    "SELECT NOT EXISTS (SELECT FROM testpool.databases WHERE database = '$leased' AND state = 'leased')",
    'leases of the primary end on it');
$standby->settle;

$standby->finish;
