# What a dump of the home database, of its rows, or of the whole server means elsewhere: a new
# and empty testpool. It takes over, hands out and drops nothing that it did not create there, though
# names and OIDs be the same. And a home that is renamed stays what it was.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $conf = "testpool.lease_grace = '1h'\ntestpool.pool_size = 1\n";
my $node = TestpoolCluster->begin('dumped', conf => $conf);
$node->query('CREATE TABLE mine AS SELECT 7 AS v');
$node->build('app', 'CREATE TABLE t AS SELECT 1 AS v');
$node->settle;
my $holder = $node->session;
my $leased = $holder->query(q{SELECT testpool.acquire('app')});
$node->settle;

sub output_of (@command)
{
    my ($out, $errors);
    IPC::Run::run(\@command, '>', \$out, '2>', \$errors) or die "@command: $errors";
    return $out;
}

sub restore ($into, $database, $dump)
{
    my ($out, $errors);
    IPC::Run::run([ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', '-d', $into->connstr($database) ], '<', \$dump, '>', \$out, '2>', \$errors);
    return $errors;
}

# --- the home database ----------------------------------------------------------------------------

my $home = output_of('pg_dump', '-d', $node->connstr('postgres'));
like($home, qr/^CREATE EXTENSION IF NOT EXISTS testpool/m, 'a dump of the home creates the extension');
unlike($home, qr/COPY testpool\.|INSERT INTO testpool\./, 'and has none of its rows');

$node->query('CREATE DATABASE same_server');
like(restore($node, 'same_server', $home), qr/55000: extension "testpool" cannot be created in database "same_server"/,
    'restored into another database of the server: there is no second testpool');
is($node->query('SELECT v FROM mine', database => 'same_server'), 7, 'all else is restored');
is($node->query('SELECT v FROM t', database => $leased), 1, 'and the pool is as it was');

# Another server is one of another initdb, not a copy of the first as tests' servers are from 17 on.
my %elsewhere = (conf => $conf, create => 0, init => { force_initdb => 1 });
my $other = TestpoolCluster->begin('other', %elsewhere);
unlike(restore($other, 'postgres', $home), qr/ERROR|WARNING/, 'restored into another server: nothing is wrong');
is($other->query('SELECT count(*) FROM testpool.template') + $other->query('SELECT count(*) FROM testpool.database'),
    0, 'its testpool has no templates and no clones');
$other->build('app', 'CREATE TABLE t AS SELECT 2 AS v');
$other->settle;
my $there = $other->query(q{SELECT testpool.acquire('app')});
is($other->query('SELECT v FROM t', database => $there), 2, 'and works');
$other->query('SELECT testpool.reset()');

# --- the rows, by force ---------------------------------------------------------------------------

# Databases of the other server that have the same names and OIDs, ready clones refusing clients.
my @rows = split /\n/, $node->query(<<SQL);
SELECT format('CREATE DATABASE %I OID %s', datname, oid) FROM pg_database WHERE datname LIKE 'testpool\\_%' ORDER BY oid
SQL
my @named = map { /DATABASE (\S+)/ } @rows;
$other->query($_) for @rows;
$other->query('CREATE TABLE t AS SELECT 9 AS v', database => $_) for @named;
$other->query("ALTER DATABASE $_ ALLOW_CONNECTIONS false") for grep { $_ ne $leased } @named;
my %oid = map { $_ => $other->oid_of($_) } @named;
is_deeply(\%oid, { map { $_ => $node->oid_of($_) } @named }, 'another server has databases of the same names and OIDs');

my $copy = join '', map { "COPY testpool.$_ FROM stdin;\n" . $node->query("COPY testpool.$_ TO stdout") . "\n\\.\n" } qw(template database);
my $from = -s $other->logfile;
unlike(restore($other, 'postgres', $copy), qr/ERROR/, 'and the rows of this one');
$other->restart;
ok($other->wait_for_log(qr/was not written by testpool on this server/, $from), 'they are not believed');
$other->fails_with('42704', q{SELECT testpool.acquire('app')}, 'the template that they tell of is unknown there');
$other->fails_with('42704', "SELECT testpool.release('$leased')", 'and so is the lease');
$other->query('SELECT testpool.reset()');
is_deeply({ map { $_ => $other->oid_of($_) } @named }, \%oid, 'reset() drops none of the databases');
is($other->query('SELECT v FROM t', database => $leased), 9, 'which have their content');
$other->build('app', 'CREATE TABLE t AS SELECT 2 AS v');
$other->settle;
$there = $other->query(q{SELECT testpool.acquire('app')});
is($other->query('SELECT v FROM t', database => $there), 2, 'the hash can be built, and its own clones are handed out');
$other->finish(foreign => \@named, more => 1);

# --- the whole server -----------------------------------------------------------------------------

my $all = output_of('pg_dumpall', '-d', $node->connstr('postgres'));
like($all, qr/^CREATE DATABASE $leased /m, 'pg_dumpall has the databases that let clients in');
unlike($all, qr/^CREATE DATABASE testpool_template/m, 'and not the templates, nor what is ready');
my $third = TestpoolCluster->begin('third', %elsewhere);
my $errors = restore($third, 'postgres', $all);
unlike($errors, qr/ERROR:(?!.*role "\S+" already exists)/, 'another server takes it');
is($third->query('SELECT count(*) FROM testpool.database'), 0, 'to its testpool the lease is an ordinary database');
is($third->query('SELECT v FROM t', database => $leased), 1, 'with its content');
like($third->query('SELECT * FROM testpool.advice()'), qr/^Database $leased is named like testpool's/m, 'advice() tells of it');
$third->query('SELECT testpool.reset()');
is($third->oid_of($leased) ne '', 1, 'and reset() leaves it');
$third->finish(foreign => [$leased], more => 1);

# --- the home is renamed --------------------------------------------------------------------------

sub restart_with (%settings)
{
    $node->append_conf('postgresql.conf', join '', map { "$_ = '$settings{$_}'\n" } sort keys %settings);
    $node->restart;
}

$node->fails_with('55006', 'ALTER DATABASE postgres RENAME TO house', 'the home cannot be renamed while the launcher is in it',
    database => 'template1');
restart_with(shared_preload_libraries => '');
$node->query('ALTER DATABASE postgres RENAME TO house', database => 'template1');
restart_with(shared_preload_libraries => 'testpool');
$node->fails_with('55000', 'SELECT testpool.acquire()', 'a home that was renamed says what to set',
    database => 'house', detail => qr/"postgres", does not exist/, hint => qr/set testpool\.database/);
restart_with('testpool.database' => 'house');
is($node->query(q{SELECT v FROM mine, testpool.release(testpool.acquire('app', '60 s'))}, database => 'house'), 7,
    'then it works as before');
is($node->query(q{SELECT testpool.init_template('app') IS NULL}, database => 'house'), 't', 'nothing need be built again');
restart_with(shared_preload_libraries => '');
$node->query('ALTER DATABASE house RENAME TO postgres', database => 'template1');
restart_with(shared_preload_libraries => 'testpool', 'testpool.database' => 'postgres');

$holder->quit;
$node->finish;
