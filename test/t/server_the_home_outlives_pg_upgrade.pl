# pg_upgrade has to connect to every database, so it refuses to go past templates and ready clones, and
# names them. After reset() nothing of testpool's is in its way: not its processes either, though both
# servers preload it. On the new server the home has all that it had, and an empty testpool that works.
use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $old = TestpoolCluster->begin('old');
my $new = TestpoolCluster->begin('new', create => 0, init => { force_initdb => 1 });
$new->stop;
$old->query('CREATE TABLE mine AS SELECT 7 AS v');
$old->build('app', 'CREATE TABLE t AS SELECT 1 AS v');
$old->settle;

# What it printed, and whether it did it. It writes where it runs, and starts both servers.
sub upgrade (@options)
{
    $old->stop;
    my ($bindir, $out) = ($old->config_data('--bindir'));
    chdir $ENV{TESTDIR};
    my @command = ('pg_upgrade', '--no-sync', '-b', $bindir, '-B', $bindir, '-d', $old->data_dir, '-D', $new->data_dir,
        '-p', $old->port, '-P', $new->port, '-s', $old->host, @options);
    my $done = IPC::Run::run(\@command, '<', \undef, '>&', \$out);
    return ($done, $out);
}

my ($done, $said) = upgrade('--check');
ok(!$done, 'pg_upgrade does not go past a template and its clones');
like($said, qr/must allow connections/, 'and says why');
$old->start;
is($old->query(q{SELECT testpool.release(testpool.acquire('app'))}), '', 'its look has changed nothing');

$old->query('SELECT testpool.reset()');
($done, $said) = upgrade();
ok($done, 'after reset() it does its work') or diag($said);

$new->start;
is($new->query('SELECT v FROM mine'), 7, 'the home has what it had');
is($new->query('SELECT count(*) FROM testpool.template'), 0, 'and a testpool without templates');
$new->build('app', 'CREATE TABLE t AS SELECT 2 AS v');
$new->settle;
my $leased = $new->query(q{SELECT testpool.acquire('app', '60 s')});
is($new->query('SELECT v FROM t', database => $leased), 2, 'which works');
$new->finish;
