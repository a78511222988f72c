# DROP EXTENSION in the middle of work, without and with reset(), in every way that SQL has for it:
# nobody hangs, nobody loses a database, and the databases that are left behind are named, never
# dropped or taken over by the extension that is created next.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('dropped', conf => "testpool.lease_grace = '1s'\n");
$node->query('CREATE DATABASE testpool_app');    # is not named as testpool names its own
my @foreign = ('testpool_app');

sub warning_of ($sql)
{
    my ($status, $out, $err) = $node->psql('postgres', $sql, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
    is($status, 0, "$sql succeeds") or diag($err);
    return $err;
}

# --- without reset() ------------------------------------------------------------------------------

$node->build('app', 'CREATE TABLE t AS SELECT 1 AS v');
$node->settle;
my $holder = $node->session;
my $leased = $holder->query(q{SELECT testpool.acquire('app')});
my $inside = $node->session(database => $leased);
$node->query('ALTER SYSTEM SET testpool.pool_max = 1');
$node->query('SELECT pg_reload_conf()');
my $waiting = $node->session;
$waiting->query('SELECT 1');
$waiting->send(q{SELECT testpool.acquire('app', '60 s') FROM generate_series(1, 9)});
$node->wait_until_waiting($waiting);
my @left = grep { $_ ne 'testpool_app' } $node->own_databases;

$node->query('DROP EXTENSION testpool');
$node->query('ALTER SYSTEM RESET testpool.pool_max');
$node->query('SELECT pg_reload_conf()');
my $error = $waiting->result->{error};
isnt($error, undef, 'who waits for a clone when the extension is dropped is answered');
is($inside->query('UPDATE t SET v = 2 RETURNING v'), 2, 'who is in a leased database works on');
isnt($holder->try_query('SELECT testpool.release()')->{error}, undef, 'there is nothing left to call');
is_deeply([ grep { $_ ne 'testpool_app' } $node->own_databases ], \@left, 'no database is dropped');

my $warning = warning_of('CREATE EXTENSION testpool');
my $count = @left;
like($warning, qr/WARNING:  42P04: there are $count databases that are named like testpool's, and that it does not know/,
    'the next CREATE EXTENSION warns of what was left behind');
like($warning, qr/DETAIL:  They are: .*"$left[0]"/, 'names it');
unlike($warning, qr/testpool_app/, 'and nothing else');
like($warning, qr/HINT:  DROP EXTENSION without testpool\.reset\(\) leaves them behind\. Drop them by hand/, 'and says what to do');
is($node->query(q{SELECT count(*) FROM testpool.advice() WHERE advice LIKE '%does not know it%'}), $count, 'advice() goes on telling');

my $template = $node->build('app', 'CREATE TABLE t AS SELECT 3 AS v');
$node->settle;
is(scalar(grep { $_ eq $template } @left), 0, 'the same hash is built anew, in a database of its own');
my $new = $node->query(q{SELECT testpool.acquire('app')});
is($node->query('SELECT v FROM t', database => $new), 3, 'and its clones are handed out');
is(scalar(grep { $_ eq $new } @left), 0, 'not those of the dropped extension');
is($inside->query('SELECT v FROM t'), 2, 'whose last database is still with who is in it');
$node->query('SELECT testpool.reset()');
is_deeply([ grep { $_ ne 'testpool_app' } $node->own_databases ], \@left, 'reset() drops what the new extension made and nothing else');
$inside->quit;
for my $database (@left)
{
    $node->query("ALTER DATABASE $database IS_TEMPLATE false");
    $node->query("DROP DATABASE $database");
}

# --- with reset(), and other ways to drop it ------------------------------------------------------

$node->build('app');
$node->settle;
$node->query('SELECT testpool.reset()');
$node->query('DROP EXTENSION testpool');
unlike(warning_of('CREATE EXTENSION testpool'), qr/WARNING/, 'after reset() there is nothing to warn of');

$node->build('app', 'CREATE TABLE t AS SELECT 1 AS v');
$node->settle;
$leased = $holder->query(q{SELECT testpool.acquire('app')});
$node->query('BEGIN; DROP EXTENSION testpool; ROLLBACK');
is($holder->try_query('SELECT testpool.release()')->{error}, undef, 'a DROP EXTENSION that is rolled back changes nothing');
$node->settle;
isnt($node->error_of('DROP SCHEMA testpool'), undef, 'its schema cannot be dropped');
isnt($node->error_of('DROP TABLE testpool.database'), undef, 'nor its tables');
$node->query('SELECT testpool.reset()');
$node->query('DROP SCHEMA testpool CASCADE');
is($node->query(q{SELECT count(*) FROM pg_extension WHERE extname = 'testpool'}), 0, 'but with CASCADE, which drops the extension');

$node->query('CREATE ROLE owner SUPERUSER LOGIN');
$node->query('CREATE EXTENSION testpool', user => 'owner');
$node->build('app', 'CREATE TABLE t AS SELECT 1 AS v', user => 'owner');
$node->settle;
$leased = $holder->query(q{SELECT testpool.acquire('app')});
$node->query('CREATE ROLE heir SUPERUSER LOGIN');
$node->query('REASSIGN OWNED BY owner TO heir');
is($node->query('SELECT v FROM t', database => $leased), 1, 'the extension and its templates change their owner: leases live on');
$node->query('SELECT testpool.release(testpool.acquire())', user => 'heir');
$holder->query('SELECT testpool.release()');
$node->settle;
$node->query('DROP OWNED BY owner');
$node->query('SELECT testpool.release(testpool.acquire())');
is($node->query(q{SELECT state FROM testpool.templates WHERE hash = 'app'}), 'finalized', 'DROP OWNED of the old owner drops nothing of it');
$node->settle;

$holder->quit;
$waiting->quit;
$node->finish(foreign => \@foreign);
