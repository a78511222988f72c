# What a test does to the files of its database, beyond changing pages: each such hazard of a rewind,
# by the way that is taken. Everything ends equal to the template.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use RewindTest;
use Test::More;

my $elsewhere = PostgreSQL::Test::Utils::tempdir_short();
my $t = RewindTest->begin('files', before => "CREATE TABLESPACE elsewhere LOCATION '$elsewhere'");
my $node = $t->node;

# --- files that wait for a checkpoint to remove them ------------------------------------------

$t->is_put_back('a file truncated away before a checkpoint', 'rewind', 'TRUNCATE big', 'CHECKPOINT');
$t->is_put_back('a file truncated away after a checkpoint', 'rewind', 'CHECKPOINT', 'TRUNCATE big');
$t->is_put_back('a file truncated away between checkpoints', 'rewind', 'CHECKPOINT', 'TRUNCATE big',
    q{INSERT INTO big (t) VALUES ('x')}, 'CHECKPOINT', 'TRUNCATE big', q{UPDATE part SET b = 'q'});
$t->is_put_back('a file that was empty and is truncated away', 'rewind', 'TRUNCATE empty');
$t->is_put_back('a file that was empty, is filled and truncated away twice', 'rewind',
    q{INSERT INTO empty VALUES (1, 'x'); TRUNCATE empty; TRUNCATE empty; INSERT INTO empty VALUES (2)});
$t->is_put_back('files made and dropped again', 'rewind',
    'CREATE TABLE one (a int PRIMARY KEY); DROP TABLE one; CREATE TABLE one (a int PRIMARY KEY)');
$t->is_put_back('files made by a transaction that rolled back', 'rewind',
    'BEGIN; CREATE TABLE one AS SELECT g FROM generate_series(1, 5000) g; TRUNCATE big; ROLLBACK');
$t->is_put_back('a table that is emptied in place', 'rewind',
    'DELETE FROM big', 'VACUUM big');
for my $round (1 .. 3)
{
    $t->is_put_back("the same files lost, time number $round", 'rewind', 'TRUNCATE big, wide',
        $round == 2 ? 'CHECKPOINT' : 'SELECT 1', 'DROP TABLE part');
}

# --- files that are empty and stay ---------------------------------------------------------------

# How many checkpoints were asked for while the code ran.
sub checkpoints_of ($code)
{
    my $offset = -s $node->logfile;
    $code->();
    my @asked = PostgreSQL::Test::Utils::slurp_file($node->logfile, $offset) =~ /checkpoint starting:[^\n]* force/g;
    return scalar @asked;
}
sub asks_for_checkpoints ($number, $what, @uses)
{
    is(checkpoints_of(sub {
        my $database = $t->acquire;
        $t->use_database($database, @uses);
        $node->query("SELECT testpool.recreate('$database')");
        $t->give_back($database);
    }), $number, "$what: checkpoints that are asked for: $number");
}

my $come_and_go = q{INSERT INTO empty SELECT i, 'x' FROM generate_series(1, 500) i; DELETE FROM empty};
$t->is_put_back('rows that come and go in an empty table', 'rewind', $come_and_go, 'VACUUM empty');
asks_for_checkpoints(0, 'rows that come and go in an empty table', $come_and_go, 'VACUUM empty');
asks_for_checkpoints(0, 'rows of an empty table, rolled back', "BEGIN; $come_and_go; ROLLBACK");
asks_for_checkpoints(0, 'a table that is emptied in place', 'DELETE FROM big', 'VACUUM big');
asks_for_checkpoints(1, 'a file that was replaced', 'TRUNCATE empty');
asks_for_checkpoints(0, 'the next test, which writes to it', q{INSERT INTO empty VALUES (1, 'x')});

my $leased = $t->acquire;
my $inside = $node->session(database => $leased);
$inside->query('TRUNCATE empty, bare');
$node->query("SELECT testpool.rewind('$leased')");
is(checkpoints_of(sub {
    for (1 .. 3)
    {
        # A temporary table has been there: every file is looked at.
        $node->query('CREATE TEMPORARY TABLE t AS SELECT 1', database => $leased);
        $node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE datname = '$leased'") or die;
        $inside->query(q{INSERT INTO part VALUES (7, 'x')});
        $node->query("SELECT testpool.rewind('$leased')");
    }
}), 0, 'after a live rewind the files that it made again ask for none, either');
is($node->query("SELECT recycled FROM testpool.databases WHERE database = '$leased'"), 'rewind', '… and are rewound');
$inside->quit;
$t->give_back($leased);

# --- free-space and visibility maps -----------------------------------------------------------

$t->is_put_back('a visibility map with cleared bits', 'rewind', 'UPDATE big SET t = t WHERE id = 7');
$t->is_put_back('a visibility map with cleared and set bits', 'rewind',
    'DELETE FROM big WHERE id < 100', 'VACUUM big');
$t->is_put_back('a free-space map of a table that grew and shrank', 'rewind',
    q{INSERT INTO big (t) SELECT repeat('y', 500) FROM generate_series(1, 5000)}, 'VACUUM big',
    'DELETE FROM big WHERE id > 5000', 'VACUUM big');
$t->is_put_back('maps that the template does not have', 'rewind',
    q{INSERT INTO empty SELECT i, 'x' FROM generate_series(1, 5000) i}, 'VACUUM empty');

# --- the relation map and the relation-cache file ---------------------------------------------

$t->is_put_back('a mapped catalog rewritten by VACUUM FULL', 'rewind',
    'VACUUM FULL pg_class');
$t->is_put_back('every catalog rewritten by REINDEX SYSTEM', 'rewind',
    'REINDEX SYSTEM %s');
$t->is_put_back('every table rewritten by VACUUM FULL', 'rewind', 'VACUUM FULL');
$t->is_put_back('a catalog that is not mapped, rewritten', 'rewind',
    'VACUUM FULL pg_index', 'REINDEX TABLE pg_opclass', 'CLUSTER pg_rewrite USING pg_rewrite_oid_index');
$t->is_put_back('the relation-cache file, made anew', 'rewind',
    'REINDEX INDEX pg_index_indexrelid_index', 'SELECT count(*) FROM big');
$t->is_put_back('the relation-cache file, removed', 'rewind', sub ($database) {
    unlink $node->data_dir . '/base/' . $node->oid_of($database) . '/pg_internal.init';
});

# --- rewritten relations ---------------------------------------------------------------------------------

$t->is_put_back('relations rewritten in every way', 'rewind', 'CLUSTER big USING big_pkey',
    'ALTER TABLE wide ALTER d TYPE varchar', 'REFRESH MATERIALIZED VIEW report',
    'ALTER TABLE part DETACH PARTITION part1', 'CREATE TABLE part0 PARTITION OF part DEFAULT');
$t->is_put_back('a large object', 'rewind', 'SELECT lo_unlink(7000)',
    q{SELECT lo_from_bytea(0, repeat('z', 100000)::bytea)});

# --- unlogged and temporary relations ---------------------------------------------------------

$t->is_put_back('an unlogged table', 'rewind', 'CREATE UNLOGGED TABLE u (a int PRIMARY KEY, b text)',
    q{INSERT INTO u SELECT i, 'x' FROM generate_series(1, 5000) i}, 'VACUUM u');
$t->is_put_back('a table made unlogged', 'rewind', 'ALTER TABLE big SET UNLOGGED');
$t->is_put_back('temporary tables of a session that was killed', 'clone', sub ($database) {
    my $session = $node->session(database => $database);
    $session->query('CREATE TEMPORARY TABLE t AS SELECT g FROM generate_series(1, 5000) g');
    my $log = -s $node->logfile;
    $node->kill_process($session->{pid});
    $node->wait_for_log(qr/database system is ready to accept connections/, $log);
    $session->quit;
});
$t->is_put_back('temporary tables of a session that is inside', 'rewind', sub ($database) {
    my $session = $node->session(database => $database);
    $session->query('CREATE TEMPORARY TABLE t (a int); INSERT INTO t VALUES (1)');
});

# --- other tablespaces ------------------------------------------------------------------------

$t->is_put_back('a table in another tablespace', 'rewind',
    'CREATE TABLE there (a int) TABLESPACE elsewhere; INSERT INTO there VALUES (1)');
$t->is_put_back('a table moved to another tablespace', 'rewind',
    'ALTER TABLE big SET TABLESPACE elsewhere');
$t->is_put_back('a database moved to another tablespace', 'clone: .*another tablespace', sub ($database) {
    $node->query("ALTER DATABASE $database SET TABLESPACE elsewhere");
});

$t->finish;
