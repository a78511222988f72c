# Rounds of random statements in sixteen sessions: some end in errors, some leave a transaction open,
# some wait for each other, some are canceled or killed. After each round the database is rewound under
# them; its pages equal the template's, and each session that is left reads what stands there, by the
# plans that it has prepared. ROUNDS and SEED set their number and their course.
use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use RewindTest;
use Test::More;

my $rounds = $ENV{ROUNDS} // 25;
my $seed = $ENV{SEED} // int(rand(1e6));
srand($seed);
note "SEED=$seed";

my $test = RewindTest->begin(
    'random',
    conf => "testpool.rewind_timeout = '50ms'\nautovacuum_naptime = 1\nstatement_timeout = '5s'\ncheckpoint_timeout = '30s'\nlog_autovacuum_min_duration = 0\n",
    content => <<'SQL');
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE SCHEMA side;
CREATE TABLE side.moods (id serial PRIMARY KEY, m mood, p int REFERENCES big);
INSERT INTO side.moods (m, p) SELECT CASE WHEN i % 2 = 0 THEN 'sad' ELSE 'happy' END::mood, i FROM generate_series(1, 500) i;
CREATE INDEX by_hash ON side.moods USING hash (p);
CREATE INDEX by_gist ON big USING spgist (t);
CREATE FUNCTION h(i int) RETURNS bigint LANGUAGE plpgsql AS 'BEGIN RETURN (SELECT count(*) FROM side.moods WHERE p <= i); END';
SQL
my $node = $test->node;
my $database = $test->acquire;

my @statements = split /\n/, <<'SQL';
INSERT INTO big (t) SELECT repeat('y', 50) || i FROM generate_series(1, 3000) i
INSERT INTO big (t) VALUES ('one')
UPDATE big SET t = t || 'z' WHERE id % 97 = 3
DELETE FROM big WHERE id > 2500 AND id NOT IN (SELECT p FROM side.moods)
INSERT INTO side.moods (m, p) SELECT 'happy', 1 + i % 4000 FROM generate_series(1, 2000) i
UPDATE side.moods SET m = 'sad'
DELETE FROM side.moods
TRUNCATE side.moods
TRUNCATE big, wide, bare CASCADE
VACUUM FULL pg_class
VACUUM FULL pg_attribute
VACUUM FULL big
VACUUM
ANALYZE
VACUUM FREEZE big
REINDEX TABLE big
REINDEX INDEX CONCURRENTLY big_pkey
CREATE INDEX CONCURRENTLY ON big (length(t))
CLUSTER big USING big_pkey
ALTER TYPE mood ADD VALUE IF NOT EXISTS 'mad' BEFORE 'sad'
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue'
DROP SCHEMA side CASCADE
DROP SCHEMA public CASCADE
CREATE EXTENSION pageinspect
CREATE EXTENSION pg_trgm
ALTER TABLE big ADD COLUMN more text DEFAULT 'x'
ALTER TABLE big ALTER COLUMN id TYPE bigint
ALTER TABLE side.moods DROP COLUMN m CASCADE
ALTER TABLE big RENAME TO large
CREATE OR REPLACE FUNCTION h(i int) RETURNS bigint LANGUAGE sql AS 'SELECT -1::bigint'
CREATE TABLE t1 (a serial PRIMARY KEY, b text); INSERT INTO t1 (b) SELECT repeat('q', 2000) FROM generate_series(1, 300)
CREATE UNLOGGED TABLE u1 AS SELECT generate_series(1, 5000) AS a
CREATE TEMP TABLE temporary AS SELECT 1 AS a
CREATE TABLE p1 PARTITION OF part FOR VALUES FROM (200) TO (300); INSERT INTO part SELECT 250, 'x' FROM generate_series(1, 100)
SELECT nextval('numbers') FROM generate_series(1, 50)
SELECT setval('big_id_seq', 100000)
ALTER SEQUENCE numbers CACHE 20
SELECT lo_from_bytea(0, decode(repeat('ab', 5000), 'hex'))
SELECT lo_unlink(7000)
REFRESH MATERIALIZED VIEW report
INSERT INTO wide SELECT i, repeat(md5(i::text), 300) FROM generate_series(100, 160) i
UPDATE wide SET d = d || 'x'
COPY bare FROM PROGRAM 'seq 20000'
INSERT INTO part SELECT i % 200, repeat('p', 100) FROM generate_series(1, 2000) i
BEGIN; INSERT INTO bare SELECT generate_series(1, 1000); CREATE TABLE rolled (a int); ROLLBACK
BEGIN; UPDATE big SET t = 'open' WHERE id < 5
BEGIN; SAVEPOINT s; INSERT INTO bare VALUES (1); ROLLBACK TO s; INSERT INTO bare VALUES (2)
BEGIN; SELECT 1 / 0
SELECT pg_sleep(0.02)
SELECT count(*) FROM big a, big b WHERE a.t < b.t
DO $$ BEGIN FOR i IN 1 .. 200 LOOP INSERT INTO bare VALUES (i); COMMIT; END LOOP; END $$
GRANT SELECT ON big TO pg_monitor
COMMENT ON TABLE big IS 'something'
CREATE PUBLICATION pub FOR ALL TABLES
CREATE STATISTICS st ON id, t FROM big; ANALYZE big
SET work_mem = '64kB'
DISCARD PLANS
SQL

my @checks = (
    [ 'big', 'PREPARE c1(int) AS SELECT count(*), sum(id), max(length(t)) FROM big WHERE id <= $1', '5000' ],
    [ 'by index', 'PREPARE c2(text) AS SELECT count(*) FROM big WHERE t = $1', "'" . ('x' x 100) . "77'" ],
    [ 'moods', 'PREPARE c3(int) AS SELECT count(*), min(m), max(m), h($1), (SELECT count(*) FROM side.moods WHERE p = $1) FROM side.moods', '50' ],
    [ 'others', 'PREPARE c4(int) AS SELECT (SELECT sum(a) FROM bare), (SELECT sum(length(d)) FROM wide WHERE id > $1), (SELECT count(*) FROM part), (SELECT count FROM report), length(lo_get(7000))', '0' ],
    [ 'sequence', 'PREPARE c5(int) AS SELECT $1, last_value FROM numbers', '0' ],
    [ 'catalog', 'PREPARE c6(int) AS SELECT $1, count(*), sum(oid::bigint) FROM pg_class WHERE relpersistence <> \'t\'', '0' ]);

sub join_in
{
    my $session = $node->session(database => $database);
    $session->query($_->[1]) for @checks;
    $session->query('SET plan_cache_mode = ' . (rand() < 0.5 ? 'force_generic_plan' : 'auto'));
    return $session;
}

sub read_by ($session)
{
    my $read = '';
    for my $i (0 .. $#checks)
    {
        my $result = $session->try_query('EXECUTE c' . ($i + 1) . "($checks[$i][2])");
        $read .= "$checks[$i][0]: " . ($result->{ended} ? 'ended' : $result->{error} ? "$result->{error}{sqlstate} $result->{err}" : $result->{out}) . "\n";
    }
    return $read;
}

# One that was just terminated hears nothing any more.
sub told ($session, $sql)
{
    eval { $session->send($sql) };
    $session->{asked}++;
    return;
}

sub is_left ($session)
{
    my $asked = delete $session->{asked} // 0;
    return eval {
        my $ended = 0;
        $ended ||= $session->result->{ended} for 1 .. $asked;
        !$ended && !$session->try_query('ROLLBACK')->{ended};
    };
}

my @sessions = map { join_in() } 1 .. 16;
my $clean = read_by($sessions[0]);
unlike($clean, qr/ended|: [0-9A-Z]{5} /, 'what a clean database has');

sub catalog { return $node->query('SELECT ctid, xmin, xmax, c FROM pg_class c ORDER BY oid', database => $database) }
my @catalog = split /\n/, catalog();

my %seen;
for my $round (1 .. $rounds)
{
    my @did;
    for my $session (@sessions)
    {
        next if rand() < 0.3;
        my $sql = $statements[rand @statements];
        push @did, $sql;
        told($session, $sql);
    }
    select(undef, undef, undef, rand(0.15));
    my @victims = map { $_->{pid} } grep { rand() < 0.06 } @sessions;
    $node->query('SELECT ' . join(', ', map { (rand() < 0.5 ? 'pg_cancel_backend' : 'pg_terminate_backend') . "($_)" } @victims)) if @victims;
    my $home = $node->session;
    my @inside = grep { rand() < 0.1 } @sessions;
    told($_, 'SET testpool.rewind = now') for @inside;
    my $outcome = $home->try_query("SELECT testpool.rewind('$database')");
    ok(!$outcome->{error}, "round $round: it is rewound") or diag($outcome->{err});
    $home->quit;
    # Those that are still at something wait behind the gate, or were ended.
    my @left = grep { is_left($_) } @sessions;
    # What waited behind the gate has been done since.
    $node->query("SELECT testpool.rewind('$database')");
    my $way = $test->way_of($database);
    $seen{ $way =~ s/:.*//r }++;
    my $wrong = join '', map { my $read = read_by($_); $read eq $clean ? () : "process $_->{pid}:\n$read" } @left;
    is($wrong, '', "round $round: the " . @left . ' sessions that are left read what the template has');
    my $different = $test->file_differences($database);
    is($different, '', "round $round: the pages are equal ($way)");
    if ($wrong || $different)
    {
        diag("SEED=$seed; the round did:\n", join("\n", @did));
        my %known = map { $_ => 1 } @catalog;
        diag(map { "in pg_class: $_\n" } grep { !$known{$_} } split /\n/, catalog());
        last;
    }
    @sessions = (@left, map { join_in() } 1 .. 16 - @left);
}
note join ', ', map { "$_: $seen{$_}" } sort keys %seen;
is($test->amcheck_complaints($database), '', 'pg_amcheck');

$test->finish;
