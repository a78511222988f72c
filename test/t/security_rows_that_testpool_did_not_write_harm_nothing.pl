# testpool's own tables tell it which databases to hand out and to drop. Rows that somebody else
# wrote, or changed, must never make it touch a database that it did not create.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('rows', conf => "testpool.lease_grace = '1s'\n");
$node->build('app', 'CREATE TABLE t AS SELECT 1 AS v');
$node->settle;

# Databases that are nobody's business, closed and open.
my @foreign = qw(precious testpool_99_99);
$node->query("CREATE DATABASE $_") for @foreign;
$node->query('CREATE TABLE t AS SELECT 2 AS v', database => $_) for @foreign;
$node->query("ALTER DATABASE testpool_99_99 ALLOW_CONNECTIONS false");
my %oid = map { $_ => $node->oid_of($_) } @foreign, qw(postgres template0 template1);

sub others_are_whole ($name)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    is_deeply({ map { $_ => $node->oid_of($_) } keys %oid }, \%oid, $name);
}

# The launcher keeps the rows in memory; a new one reads them.
sub reread ()
{
    my ($launcher) = $node->pids_of('launcher');
    $node->query("SELECT pg_terminate_backend($launcher)");
    $node->poll_query_until('postgres',
        "SELECT count(*) = 1 FROM pg_stat_activity WHERE backend_type = 'testpool launcher' AND pid <> $launcher")
      or die 'there is no new launcher';
}

sub clone_of_app () { return $node->query(q{SELECT min(id) FROM testpool.database WHERE state = 'ready'}); }

# The flow, and that what it hands out is a clone of the template.
sub works ($name)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $database = $node->query(q{SELECT testpool.acquire('app', '60 s')});
    is($node->query('SELECT v FROM t', database => $database), 1, $name);
    $node->query("SELECT testpool.release('$database')");
    $node->settle;
}

sub log_tells ($pattern, $name, $from)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($node->wait_for_log($pattern, $from), $name);
}

# --- the OID of another database ------------------------------------------------------------------

for my $other (qw(template1 postgres precious testpool_99_99))
{
    my $row = clone_of_app();
    my ($lost) = $node->query("SELECT name FROM testpool.database WHERE id = $row");
    my $from = -s $node->logfile;
    $node->query("UPDATE testpool.database SET oid = $oid{$other} WHERE id = $row");
    reread();
    works("a row is given the OID of $other: acquire hands out clones of the template");
    log_tells(qr/a row of testpool\.database was not written by testpool on this server and is deleted; .* is left alone; it said: \($row,/s,
        'the log keeps what the row said, and what to do', $from);
    is($node->query("SELECT count(*) FROM testpool.database WHERE id = $row OR oid = $oid{$other}"), 0, 'the row is gone');
    others_are_whole('and no other database was touched');
    $node->query("DROP DATABASE $lost");    # nobody knows it any more
}

my $holder = $node->session;
my $leased = $holder->query(q{SELECT testpool.acquire('app')});
$node->query(<<SQL);
UPDATE testpool.database SET oid = $oid{precious}, name = 'precious' WHERE name = '$leased'
SQL
reread();
$holder->query(q{SELECT testpool.acquire('app')});
$node->fails_with('42704', qq{SELECT testpool.release('precious')}, 'nor can it be released by the name of a lease');
$holder->query('SELECT testpool.release()');
$node->settle;
others_are_whole('when the row of a lease is given OID and name of another database, that is not dropped');
$node->query("DROP DATABASE $leased");

# --- rows that are copied, exchanged or restored --------------------------------------------------

$node->query(<<SQL);
INSERT INTO testpool.database OVERRIDING SYSTEM VALUE
SELECT (jsonb_populate_record(d, '{"id": 1000000}')).* FROM testpool.database d LIMIT 1
SQL
reread();
works('one database in two rows: the copy is not believed');
is($node->query('SELECT count(*) = count(DISTINCT oid) FROM testpool.database'), 't', 'so no database is in two rows');
$node->query(<<SQL);
WITH two AS (SELECT array_agg(id) AS id, array_agg(oid) AS oid FROM (SELECT * FROM testpool.database ORDER BY id LIMIT 2) d)
UPDATE testpool.database d SET oid = CASE d.id WHEN two.id[1] THEN two.oid[2] ELSE two.oid[1] END
  FROM two WHERE d.id = ANY (two.id)
SQL
my @lost = split /\n/, $node->query('SELECT name FROM testpool.database ORDER BY id LIMIT 2');
reread();
works('rows that exchanged their OIDs are not believed either');
$node->query("DROP DATABASE IF EXISTS $_") for @lost;

# A dump of another server's rows: what they name are other databases here.
$node->query(<<SQL);
INSERT INTO testpool.template (hash, state, oid, database, exists, owner, finalized_at)
VALUES ('restored', 'finalized', $oid{precious}, 'precious', true, 10, now());
INSERT INTO testpool.database (template, oid, name, state, created_at, ready_at)
SELECT max(id), $oid{testpool_99_99}, 'testpool_99_99', 'ready', now(), now() FROM testpool.template
SQL
reread();
$node->fails_with('42704', q{SELECT testpool.acquire('restored')}, 'templates that were restored from another server are unknown');
$node->build('restored', 'CREATE TABLE t AS SELECT 1 AS v');
$node->settle;
$node->query(q{SELECT testpool.discard('restored')});
$node->settle;
others_are_whole('and can be built and discarded without harm to what the rows named');

# --- templates ------------------------------------------------------------------------------------

$node->build('base', 'CREATE TABLE t AS SELECT 3 AS v');
$node->settle;
my @left = split /\n/, $node->query(<<SQL);
SELECT name FROM testpool.database WHERE template = (SELECT id FROM testpool.template WHERE hash = 'base')
UNION SELECT database FROM testpool.template WHERE hash = 'base'
SQL
$node->query("UPDATE testpool.template SET oid = $oid{precious} WHERE hash = 'base'");
reread();
$node->fails_with('42704', q{SELECT testpool.acquire('base')}, 'a template whose OID was changed is not known any more',
    hint => qr/init_template/);
is(scalar(grep { $node->oid_of($_) } @left), scalar(@left), 'its databases are left alone');
others_are_whole('and so is the one that it named');
$node->query("ALTER DATABASE $_ IS_TEMPLATE false; DROP DATABASE $_") for grep { $_ !~ /template/ } @left;
for my $template (grep { /template/ } @left)
{
    $node->query("ALTER DATABASE $template IS_TEMPLATE false");
    $node->query("DROP DATABASE $template");
}

# --- states ---------------------------------------------------------------------------------------

$node->fails_with('23514', q{UPDATE testpool.database SET state = 'garbage'}, 'there are no other states');
$node->fails_with('23502', 'UPDATE testpool.database SET state = NULL', 'nor none');
$node->query('ALTER TABLE testpool.database DROP CONSTRAINT database_state_check, ALTER state DROP NOT NULL');
for my $state (q{'garbage'}, 'NULL')
{
    my $row = clone_of_app();
    my $lost = $node->query("UPDATE testpool.database SET state = $state WHERE id = $row RETURNING name");
    reread();
    works("a row whose state became $state is given up");
    is($node->oid_of($lost) ne '', 1, 'its database is not');
    $node->query("DROP DATABASE $lost");
}
$node->query(q{UPDATE testpool.database SET state = 'leased' WHERE id = (SELECT min(id) FROM testpool.database)});
$node->query(q{UPDATE testpool.database SET role = 10 WHERE id = (SELECT max(id) FROM testpool.database)});
reread();
works('clones that are leased by nobody, or ready and somebody\'s, are cleaned');
is($node->query(q{SELECT bool_and(state = 'ready' AND role IS NULL) FROM testpool.database}), 't', 'and ready again');

# --- afterwards -----------------------------------------------------------------------------------

$holder->quit;
others_are_whole('in the end the other databases are there');
is($node->query('SELECT v FROM t', database => 'precious'), 2, 'with their content');
$node->finish(foreign => ['testpool_99_99']);
