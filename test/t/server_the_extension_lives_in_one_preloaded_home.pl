# CREATE EXTENSION and the functions work in the home database of a server that has testpool
# preloaded; anywhere else they say what is missing.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('home', preload => 0);

# --- without preload ----------------------------------------------------------------------------

$node->fails_with(
    '55000', 'CREATE EXTENSION testpool', 'without preload the extension is refused',
    message => qr/must be loaded when the server starts/,
    detail  => qr/\w/,
    hint    => qr/shared_preload_libraries/);
is($node->query(q{SELECT count(*) FROM pg_namespace WHERE nspname = 'testpool'}),
    0, 'a refused extension leaves no schema behind');

# --- preloaded, in the wrong database -----------------------------------------------------------

$node->append_conf('postgresql.conf', <<CONF);
shared_preload_libraries = 'testpool'
testpool.pool_size = 1
CONF
$node->restart;
$node->query('CREATE DATABASE elsewhere');
$node->fails_with(
    '55000', 'CREATE EXTENSION testpool', 'the extension is refused outside the home database',
    database => 'elsewhere',
    message  => qr/cannot be created in database "elsewhere"/,
    detail   => qr/"postgres"/,
    hint     => qr/testpool\.database = 'elsewhere'/);

# --- in the right one ---------------------------------------------------------------------------

$node->query('BEGIN; CREATE EXTENSION testpool; ROLLBACK');
$node->query('CREATE EXTENSION testpool');
like($node->query('SELECT testpool.acquire()'),
    qr/^testpool_/, 'acquire works in the first minute, also after a CREATE EXTENSION rolled back');
$node->build('before', q{CREATE TABLE t AS SELECT 'before'::text AS v});

# --- a physical copy of the home database -------------------------------------------------------

my %call = (
    init_template => q{('x')},
    finalize      => q{('x')},
    discard       => q{('x')},
    acquire       => q{()},
    release       => q{()},
    recreate      => q{('x')},
    keep          => q{('x')},
    prewarm       => q{('x', 1)},
    reset         => q{()});

$node->fails_with(
    '55006', 'CREATE DATABASE copy TEMPLATE postgres',
    'the home database cannot be copied under the launcher');
$node->append_conf('postgresql.conf', q{shared_preload_libraries = ''});
$node->restart;
$node->query('CREATE DATABASE copy TEMPLATE postgres', database => 'template1');
$node->fails_with(
    '55000', "SELECT testpool.$_$call{$_}", "without preload $_ in a copy of the home says why",
    database => 'copy',
    message  => qr/must be loaded when the server starts/,
    hint     => qr/shared_preload_libraries/) for sort keys %call;

$node->append_conf('postgresql.conf', q{shared_preload_libraries = 'testpool'});
$node->restart;
$node->fails_with(
    '55000', "SELECT testpool.$_$call{$_}", "$_ in a copy of the home names the home",
    database => 'copy',
    message  => qr/testpool\.$_\(\) cannot be called in database "copy"/,
    detail   => qr/"postgres"/,
    hint     => qr/"postgres"/) for sort keys %call;

my $clone = $node->query(q{SELECT testpool.acquire('before')});
is($node->query('SELECT v FROM t', database => $clone),
    'before', 'the template is there after servers without preload');

# --- dropped and created anew -------------------------------------------------------------------

$node->query('SELECT testpool.reset()');
is_deeply([ $node->own_databases ], [], 'reset() drops every template and clone');
$node->query('DROP EXTENSION testpool');
$node->query('CREATE EXTENSION testpool');
$node->build('after', q{CREATE TABLE t AS SELECT 'after'::text AS v});
$clone = $node->query('SELECT testpool.acquire()');
is($node->query('SELECT v FROM t', database => $clone),
    'after', 'after DROP EXTENSION and CREATE EXTENSION the whole flow works');

# --- a schema that was there before -------------------------------------------------------------

$node->query('SELECT testpool.reset()');
$node->query('DROP EXTENSION testpool');
$node->query('DROP SCHEMA IF EXISTS testpool');
$node->query('CREATE ROLE squatter; CREATE SCHEMA testpool AUTHORIZATION squatter');
$node->fails_with('55000', 'CREATE EXTENSION testpool', 'a schema of another role is refused',
    message => qr/schema "testpool" belongs/, detail => qr/"squatter"/, hint => qr/Rename or drop/);
is($node->query(q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'testpool'::regnamespace}), 0,
    'and nothing is put into it');
$node->query('ALTER SCHEMA testpool OWNER TO postgres');
$node->query('CREATE EXTENSION testpool');

# --- a home of another name ---------------------------------------------------------------------

my $home = q{the "home" of it's own};
$node->query('SELECT testpool.reset()');
$node->query('DROP EXTENSION testpool');
$node->query(q{CREATE DATABASE "the ""home"" of it's own"});
$node->append_conf('postgresql.conf', q{testpool.database = 'the "home" of it''s own'});
$node->restart;
$node->query('CREATE EXTENSION testpool', database => $home);
like($node->query('SELECT testpool.acquire()', database => $home),
    qr/^testpool_/, 'the home may have any name');
$node->query('SELECT testpool.reset()', database => $home);

$node->finish;
