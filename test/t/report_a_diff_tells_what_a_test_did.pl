# testpool.diff() lists what was done to a leased database, from outside: while sessions are in it,
# and without leaving a trace in it or in its template.

use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('diff', init => { extra => [ '--encoding=UTF8', '--locale=C' ] }, conf => <<CONF);
autovacuum = off
testpool.pool_size = 1
CONF

my $template = $node->build('shop', <<'SQL');
CREATE TABLE orders (id serial PRIMARY KEY, item text, note text);
INSERT INTO orders (item) SELECT 'item ' || g FROM generate_series(1, 1000) g;
CREATE TABLE gone (id int PRIMARY KEY);
INSERT INTO gone SELECT generate_series(1, 5);
CREATE TABLE cut (id int);
INSERT INTO cut SELECT generate_series(1, 500);
CREATE TABLE wide (id int);
CREATE TABLE parted (id int) PARTITION BY RANGE (id);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (10);
CREATE MATERIALIZED VIEW summary AS SELECT count(*) FROM orders;
CREATE VIEW cheap AS SELECT * FROM orders WHERE id < 10;
CREATE FUNCTION old(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE FUNCTION price(int) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE SCHEMA past CREATE TABLE relic (id int);
SELECT lo_from_bytea(4711, 'large');
SQL

my $holder = $node->session;

sub lease () { return $holder->query(q{SELECT testpool.acquire('shop')}); }

sub release ($clone)
{
    $holder->query("SELECT testpool.release('$clone')");
    $node->settle;
}

# A test does something. A server process that has gone has reported what it counted.
sub test ($clone, $sql)
{
    $node->query($sql, database => $clone);
    $node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE datname = '$clone'")
      or die "sessions stay in $clone";
}

# The rows of a difference, without those measures that depend on how tuples fill pages.
sub difference ($clone, $columns = 'change, kind, schema, name, detail, rows, inserted, updated, deleted')
{
    return [ split /\n/, $node->query("SELECT concat_ws(' ', $columns) FROM testpool.diff('$clone') ORDER BY kind, name") ];
}

sub tells ($clone, $expected, $name)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $found = difference($clone);
    is_deeply($found, $expected, $name) or diag(explain($found));
}

# --- nothing ------------------------------------------------------------------------------------

my $clone = lease();
tells($clone, [], 'a fresh lease has no difference');
test($clone, 'SELECT count(*) FROM orders; SELECT * FROM cheap');
tells($clone, [], 'nor has one that was only read');
release($clone);
is($node->query(q{SELECT clean_returns || ' ' || rewinds || ' ' || refusals FROM testpool.stats}), '1 0 0',
    'and looking at it changes nothing');

# --- rows -----------------------------------------------------------------------------------------

$clone = lease();
test($clone, <<'SQL');
INSERT INTO orders (item) SELECT 'new' FROM generate_series(1, 20);
UPDATE orders SET item = 'changed' WHERE id <= 10;
DELETE FROM orders WHERE id = 500;
SQL
my @rows = ('changed sequence public orders_id_seq value 1020, was 1000', 'changed table public orders 19 20 10 1');
tells($clone, [@rows], 'rows that were inserted, updated and deleted are told, and the sequence');
$node->query('CHECKPOINT');
tells($clone, [@rows], 'also once they are on disk');
test($clone, 'VACUUM FULL orders');
tells($clone, [ $rows[0], 'changed table public orders rewritten 19 20 10 1' ], 'a table that was rewritten is still itself');
is($node->query("SELECT sum(pages) > 0 AND bool_and(bytes % 8192 = 0) FROM testpool.diff('$clone')"), 't', 'pages and bytes are told');
release($clone);

$clone = lease();
test($clone, <<'SQL');
TRUNCATE cut;
INSERT INTO cut VALUES (1);
INSERT INTO parted VALUES (1), (2);
REFRESH MATERIALIZED VIEW summary;
SQL
tells($clone, [ 'changed materialized view public summary rewritten 0 1 0 0',
    'changed table public cut rewritten -499 1 0 0', 'changed table public parted_1 2 2 0 0' ],
    'a truncated table, a partition and a materialized view');
release($clone);

# --- objects --------------------------------------------------------------------------------------

$clone = lease();
test($clone, <<'SQL');
DROP TABLE gone;
CREATE TABLE fresh (id int PRIMARY KEY, note text);
INSERT INTO fresh VALUES (1), (2);
ALTER TABLE wide ADD COLUMN more int, ADD CHECK (more > 0);
CREATE INDEX ON wide (more);
CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER noted BEFORE INSERT ON cut FOR EACH ROW EXECUTE FUNCTION noted();
COMMENT ON TABLE cut IS 'cut';
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (10) TO (20);
CREATE OR REPLACE VIEW cheap AS SELECT * FROM orders WHERE id < 5;
DROP FUNCTION old(int);
CREATE OR REPLACE FUNCTION price(int) RETURNS int LANGUAGE sql AS 'SELECT 2';
ALTER TYPE mood ADD VALUE 'bored';
CREATE TYPE pair AS (a mood, b numeric);
CREATE FUNCTION price(pair, numeric) RETURNS int LANGUAGE sql AS 'SELECT 3';
DROP SCHEMA past CASCADE;
SELECT lo_put(4711, 0, 'L');
SELECT lo_from_bytea(4712, 'another');
CREATE EXTENSION hstore;
CREATE TEMP TABLE mine (id int);
SQL
tells($clone, [
    'added extension hstore',
    'added function public noted()',
    'dropped function public old(integer)',
    'changed function public price(integer) definition',
    'added function public price(pair, numeric)',
    'changed large object 4711 contents',
    'added large object 4712',
    'changed partitioned table public parted partitions',
    'dropped schema past',
    'changed table public cut triggers, comment 0 0 0 0',
    'added table public fresh 2 2 0 0',
    'dropped table public gone -5',
    'added table public parted_2 0 0 0 0',
    'dropped table past relic 0',
    'changed table public wide columns, constraints, indexes 0 0 0 0',
    'changed type public mood definition',
    'added type public pair',
    'changed view public cheap definition' ],
    'objects that were added, dropped and changed are told by name');
release($clone);
$clone = lease();
tells($clone, [], 'nothing is left of them after the rewind');
test($clone, q{CREATE CAST (mood AS int) WITH INOUT});
tells($clone, ['changed catalog pg_catalog pg_cast contents 1 1 0 0'], 'what has no name is told by its catalog');
release($clone);

# --- sessions inside --------------------------------------------------------------------------------

$clone = lease();
my $inside = $node->session(database => $clone);
$inside->query('CREATE TEMP TABLE mine AS SELECT 1');
$inside->query('BEGIN');
$inside->query(q{INSERT INTO orders (item) VALUES ('not committed')});
$inside->query('CREATE TABLE not_committed (id int)');
$inside->query('LOCK TABLE cut');
is_deeply(difference($clone, 'change, name, rows'), [ 'changed orders_id_seq', 'changed orders 0' ],
    'what is not committed counts as pages only, and no lock is waited for');
$inside->query('COMMIT');
is_deeply(difference($clone, 'change, name, rows'),
    [ 'changed orders_id_seq', 'added not_committed 0', 'changed orders 1' ], 'then it is committed');
is($inside->query('TABLE mine'), 1, 'temporary tables of sessions inside stay');
$node->query("SELECT testpool.keep('$clone', 'to look at')");
is(scalar @{ difference($clone) }, 3, 'a kept database can be looked at');
$inside->quit;
release($clone);

# --- no trace -----------------------------------------------------------------------------------------

is($node->query(q{SELECT string_agg(state, ' ') FROM testpool.templates}), 'finalized', 'the template is as it was');
is($node->query(q{SELECT refusals FROM testpool.stats WHERE hash = 'shop'}), 0, 'each of these clones was rewound');
ok(!defined $node->error_of("SELECT FROM testpool.diff('" . lease() . "')"), 'another session of the role may ask');

# --- damaged rows ---------------------------------------------------------------------------------

# Changes rows of functions in the file of pg_proc: each edit gets a page, where the row begins, and where
# its line pointer is. Nobody may be in the database.
sub damage ($clone, %edits)
{
    my @rows = split /\n/, $node->query(<<'SQL', database => $clone);
SELECT proname, pg_relation_filepath('pg_proc'), (ctid::text::point)[0], (ctid::text::point)[1] FROM pg_proc
SQL
    $node->query('CHECKPOINT');
    for (@rows)
    {
        my ($function, $file, $block, $offset) = split /\|/;
        my $edit = $edits{$function} or next;
        open my $handle, '+<:raw', $node->data_dir . "/$file" or die $!;
        seek $handle, $block * 8192, 0;
        read $handle, my $page, 8192;
        my $line = 24 + 4 * ($offset - 1);
        $edit->($page, unpack('L', substr($page, $line, 4)) & 0x7fff, $line);
        seek $handle, $block * 8192, 0;
        print $handle $page;
        close $handle;
    }
}

$clone = lease();
test($clone, join ';', map { "CREATE FUNCTION $_(int) RETURNS int LANGUAGE sql AS 'SELECT 1'" } qw(whole endless short));
damage($clone,
    endless => sub {
        my $types = pack('l5', 1, 0, 26, 1, 0);    # ndim, dataoffset, elemtype, dim1, lbound1
        substr($_[0], index($_[0], $types, $_[1]) + 12, 4) = pack('l', 0x7fffffff);
    },
    short => sub {
        my $line = unpack('L', substr($_[0], $_[2], 4));
        substr($_[0], $_[2], 4) = pack('L', ($line & 0x1ffff) | (60 << 17));    # its length
    });
my $told = $node->query("SELECT string_agg(left(name, 40), ' ') FROM testpool.diff('$clone') WHERE kind = 'function'");
like($told, qr/whole\(integer\)/, 'of a damaged file the rest is told');
like($told, qr/endless\(integer/, 'a row that says it is longer than it is ends where it ends');
unlike($told, qr/short/, 'and one that is too short is passed by');
release($clone);

# --- who may, and when ----------------------------------------------------------------------------------

$node->query('CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; GRANT USAGE ON SCHEMA testpool TO alice, bob; '
      . 'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO alice, bob');
my $alice = $node->session(user => 'alice');
$clone = $alice->query(q{SELECT testpool.acquire('shop')});
is($node->query("SELECT count(*) FROM testpool.diff('$clone')", user => 'alice'), 0, 'the role of the lease may ask');
is($node->query("SELECT count(*) FROM testpool.diff('$clone')"), 0, 'a superuser may');
$node->fails_with('42501', "SELECT testpool.diff('$clone')", 'another role may not', user => 'bob');
$node->fails_with('42704', q{SELECT testpool.diff('postgres')}, 'a database of somebody else is unknown');
$node->fails_with('42704', "SELECT testpool.diff('$template')", 'and so is a template');
$node->fails_with('22023', q{SELECT testpool.diff(NULL)}, 'null is no database');
$node->settle;
my $idle = $node->query(q{SELECT database FROM testpool.databases WHERE state = 'ready' LIMIT 1});
$node->fails_with('55000', "SELECT testpool.diff('$idle')", 'nobody leases an idle clone');
$node->query(q{SELECT testpool.discard('shop', 'no longer wanted')});
$node->becomes_true("SELECT NOT EXISTS (SELECT FROM pg_database WHERE datname = '$template')", 'the template is dropped');
$node->fails_with('55000', "SELECT testpool.diff('$clone')", 'without a template there is nothing to compare with',
    detail => qr/no longer wanted/);

$holder->quit;
$alice->quit;
$node->query(q{CREATE DATABASE latin TEMPLATE template0 ENCODING latin1 LOCALE 'C'});
$node->query(q{ALTER SYSTEM SET testpool.root_template = 'latin'; SELECT pg_reload_conf()});
$node->becomes_true(q{SELECT current_setting('testpool.root_template') = 'latin'}, 'another root template');
$clone = $node->session->query('SELECT testpool.acquire()');
test($clone, qq{SET client_encoding = utf8; CREATE TABLE "caf\x{c3}\x{a9}" (id int)});
is_deeply(difference($clone, 'change, kind, name'), ["added table caf\x{c3}\x{a9}"],
    'a clone of the root template is compared with that; names come in the encoding of the home database');

$node->finish;
