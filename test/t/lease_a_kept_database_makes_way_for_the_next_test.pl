# Names that clients give to databases: who comes next under a name never meets what was kept, nobody learns
# by trying which names there are, and a name belongs to those who built its templates.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('kept', conf => "testpool.pool_size = 3\n");
$node->query(<<SQL);
CREATE ROLE builder LOGIN;
CREATE ROLE other LOGIN;
CREATE ROLE nobody LOGIN;
GRANT USAGE ON SCHEMA testpool TO builder, other;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO builder, other;
SQL
$node->build('h', 'CREATE TABLE t (i int)', user => 'builder');
$node->query(q{SELECT testpool.alias('app', 'h')}, user => 'builder');
$node->settle;

# --- keep ---------------------------------------------------------------------------------------

my $test = $node->session(database => 'app~t1');
$test->query('INSERT INTO t VALUES (1)');
my $url = $node->query(q{SELECT testpool.keep('app~t1', 'it failed')});
my $kept = $node->query(q{SELECT database FROM testpool.databases WHERE state = 'kept'});
like($kept, qr/^testpool_\d+_\d+$/, 'a kept database has a name of its own');
like($url, qr{/\Q$kept\E(\?|$)}, '… which the URL tells');
is($node->query(q{SELECT known_as, reason FROM testpool.databases WHERE state = 'kept'}), 'app~t1|it failed',
    '… and the view the name that it had');
is($test->query('SELECT count(*) FROM t'), 1, 'the session inside goes on');

is($node->query('SELECT count(*) FROM t', database => 'app~t1'), 0, 'the next test of that name gets a fresh clone');
$node->query('INSERT INTO t VALUES (2), (3)', database => 'app~t1');
$node->query(q{SELECT testpool.recreate('app~t1')});
is($node->query('SELECT count(*) FROM t', database => 'app~t1'), 0, '… can recreate it');
$node->query(q{SELECT testpool.release('app~t1')});
is($node->query("SELECT state FROM testpool.databases WHERE database = '$kept'"), 'kept',
    '… and releases it, not what is kept');
is($node->query('SELECT count(*) FROM t', database => $kept), 1, 'the evidence is there');

$node->settle;
$node->fails_with('42704', "SELECT testpool.$_('app~t1')", "$_ of a name that is not leased",
    detail => qr/kept as "\Q$kept\E"/, hint => qr/release/) for qw(release keep recreate);
my $open = $node->session;
$open->query('BEGIN');
$node->query('SELECT 1', database => 'app~t2');
$open->query(q{ALTER DATABASE "app~t2" SET work_mem = '1MB'; ALTER DATABASE "app~t2" CONNECTION LIMIT 9});
$node->fails_with('55006', q{SELECT testpool.keep('app~t2')}, 'a database that somebody is altering is not kept');
$open->query('ROLLBACK');
$node->query(q{SELECT testpool.release('app~t2')});
$open->quit;
$test->quit;

# What a session kept is no lease that it gives back with the others.
my $session = $node->session;
my $mine = $session->query(q{SELECT testpool.acquire('h')});
my $another = $session->query(q{SELECT testpool.acquire('h')});
$session->query("SELECT testpool.keep('$mine')");
$session->query('SELECT testpool.release()');
$node->settle;
is($node->query("SELECT database FROM testpool.databases WHERE database IN ('$mine', '$another') AND state IN ('leased', 'kept')"), $mine,
    'release() gives back what is leased, not what is kept');
$node->query("SELECT testpool.release('$_')") for $kept, $mine;
$session->quit;
$node->settle;

# --- names --------------------------------------------------------------------------------------

$node->fails_with('42501', q{SELECT testpool.init_template('h2', name => 'app')},
    'a name is refused to others by init_template', user => 'other');
is($node->query(q{SELECT count(*) FROM testpool.templates WHERE hash = 'h2'}), 0, '… and nothing is built');
$node->fails_with('42501', q{SELECT testpool.alias('app', 'h')}, '… and by alias', user => 'other');
ok($node->query(q{SELECT testpool.init_template('h3', name => 'app') IS NOT NULL}, user => 'builder'),
    'its own role may build another template of the name');
$node->query(q{SELECT testpool.discard('h3')});

sub refusal ($database, $user)
{
    $node->psql('postgres', 'SELECT 1', connstr => $node->connection(database => $database, user => $user),
        stderr => \my $error);
    return $error =~ s/.*FATAL: //r =~ s/\Q$database\E/it/gr;
}
is(refusal('app~x', 'nobody'), refusal('ppa~x', 'nobody'), 'who may not acquire cannot tell which names there are');
like(refusal('app~x', 'nobody'), qr/permission denied to lease/, '… and is told so');
like(refusal('ppa~x', 'other'), qr/does not exist/, 'who may acquire is told that there is no such name');

$node->query('CREATE DATABASE "app~mine"');
like($node->query('SELECT * FROM testpool.advice()'), qr/^Database app~mine was not made by testpool, and whoever connects to that name gets it instead of a clone of template app: .*/m,
    'a database of such a name that is not a clone is told of');
$node->query('DROP DATABASE "app~mine"');
unlike($node->query('SELECT * FROM testpool.advice()'), qr/app~mine/, '… until it is gone');

# --- knocking -----------------------------------------------------------------------------------

$node->query(q{ALTER SYSTEM SET testpool.lease_grace = '2s'; SELECT pg_reload_conf()});
$node->query('SELECT 1', database => 'app~k', user => 'builder');
my $held = $node->session(database => 'app~k2', user => 'builder');
$held->query('REVOKE CONNECT ON DATABASE "app~k2" FROM PUBLIC');
like(refusal('app~k2', 'other'), qr/permission denied for database/, 'who has no right to connect is refused');
$held->quit;
my $lease = q{SELECT leased_at FROM testpool.databases WHERE database = 'app~k2'};
my $began = $node->query($lease);
my $ended = 0;
my $deadline = time + 60;
until ($ended || time > $deadline)
{
    refusal('app~k2', 'other');
    $ended = $node->query($lease) ne $began;  # the name may be theirs by now
}
ok($ended, 'and a lease ends although they go on trying');

$node->finish;
