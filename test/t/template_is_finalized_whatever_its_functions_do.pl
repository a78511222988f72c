# ANALYZE runs people's code: the expressions of indexes and of statistics, and the predicates of indexes. What
# fails in it costs statistics, not the template; and nobody's locks on what the cluster shares hold it up.
use v5.20;
use experimental 'signatures';
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('functions', conf => "testpool.vacuum_templates = on\n");

# Each of these functions means something by a name without a schema, as migrations do. In ANALYZE
# nothing is found so: never from PostgreSQL 17 on, and before that not in a process of testpool.
my $functions = <<'SQL';
CREATE TABLE words (w text);
INSERT INTO words VALUES ('a');
CREATE FUNCTION plain(t text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT pg_catalog.lower(t)';
CREATE FUNCTION f(t text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN plain(t); END $$;
CREATE FUNCTION reads(t text) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT count(*) FROM words WHERE w = t); END $$;
CREATE FUNCTION same(text, text) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 OPERATOR(pg_catalog.=) $2';
CREATE OPERATOR === (FUNCTION = same, LEFTARG = text, RIGHTARG = text);
CREATE FUNCTION compares(t text) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN t === 'a'; END $$;
CREATE TABLE "By expression" (a text, b int);
CREATE INDEX ON "By expression" (f(a));
CREATE TABLE by_statistics (a text, b int);
CREATE STATISTICS of_both ON f(a), b FROM by_statistics;
CREATE TABLE by_predicate (a text, b int);
CREATE INDEX ON by_predicate (b) WHERE compares(a);
CREATE TABLE by_table (a text, b int);
CREATE INDEX ON by_table (reads(a));
CREATE TABLE by_brin (a text, b int);
CREATE INDEX ON by_brin USING brin (f(a)) WITH (pages_per_range = 1);
CREATE TABLE by_partition (a text, b int) PARTITION BY RANGE (b);
CREATE TABLE one_part PARTITION OF by_partition FOR VALUES FROM (0) TO (10000);
CREATE TABLE another_part PARTITION OF by_partition FOR VALUES FROM (10000) TO (20000);
CREATE INDEX ON one_part (f(a));
CREATE TABLE without_any (a text, b int);
DO $$ DECLARE t text; BEGIN
    FOREACH t IN ARRAY ARRAY['"By expression"', 'by_statistics', 'by_predicate', 'by_table', 'by_brin', 'by_partition', 'without_any'] LOOP
        EXECUTE format('INSERT INTO %s SELECT CASE i %% 3 WHEN 0 THEN $a$a$a$ ELSE $b$b$b$ END, i FROM generate_series(1, 2000) i', t);
    END LOOP;
END $$;
SQL

my $builder = $node->session;
my $template = $builder->query(q{SELECT testpool.init_template('functions')});
$node->query($functions, database => $template);
$node->query("ALTER DATABASE $template SET search_path = public");
my $before = $node->query('SELECT pg_current_xact_id()');
my $finalized = $builder->try_query(q{SELECT testpool.finalize('functions')});
is($finalized->{error}, undef, 'a template whose tables cannot be analyzed is finalized');
my $warning = '6 of its relations could not be analyzed; the first, public."By expression": function plain(text) does not exist';
like($finalized->{err}, qr/WARNING:  01000: template "functions" was finalized: \Q$warning\E/, '… with a warning that names one');
is($node->query(q{SELECT warning FROM testpool.templates}), $warning, '… which the view shows');
for my $name ('"By expression"', qw(by_statistics by_predicate by_table by_brin one_part))
{
    like(slurp_file($node->logfile), qr/testpool: relation public\.\Q$name\E of template database \d+ could not be analyzed: .*does not exist/,
        "… and the log tells of $name");
}
like($builder->try_query(q{SELECT testpool.finalize('functions')})->{err}, qr/could not be analyzed/, 'who asks again is warned again');

my $holder = $node->session;
my $clone = $holder->query(q{SELECT testpool.acquire('functions')});
is($node->query(<<"SQL", database => $clone), '', 'every relation of its own is frozen');
SELECT oid::regclass FROM pg_class
 WHERE relkind IN ('r', 't', 'm') AND NOT relisshared AND age(relfrozenxid) > age('$before'::xid)
SQL
is($node->query(<<'SQL', database => $clone), '', '… to its last page');
SELECT oid::regclass FROM pg_class WHERE relkind IN ('r', 't', 'm') AND NOT relisshared AND relallvisible <> relpages
SQL
is($node->query(<<'SQL', database => $clone), '"By expression", by_brin, by_partition, by_table, one_part, without_any, words',
SELECT string_agg(DISTINCT quote_ident(tablename), ', ' ORDER BY quote_ident(tablename)) FROM pg_stats WHERE schemaname = 'public'
SQL
    'the columns of what has expressions are analyzed without those');
$node->query('INSERT INTO without_any VALUES (1); UPDATE by_partition SET a = a', database => $clone);
$holder->query("SELECT testpool.recreate('$clone')");
is($node->query('SELECT recycled FROM testpool.databases WHERE leased_at IS NOT NULL'), 'rewind', 'its clones are rewound');
$holder->query('SELECT testpool.release()');

# --- what is not theirs ------------------------------------------------------------------------

$node->query('CREATE TABLE other_things (a int)');
my $other = $node->session;
$other->query('BEGIN');
$other->query("LOCK TABLE $_ IN SHARE UPDATE EXCLUSIVE MODE") for qw(pg_authid pg_shdepend pg_database);
$template = $builder->query(q{SELECT testpool.init_template('shared')});
$node->query('CREATE TABLE t AS SELECT 1 AS a', database => $template);
is($builder->try_query(q{SELECT testpool.finalize('shared')})->{error}, undef,
    'a template is finalized while somebody vacuums shared catalogs');
$other->query('ROLLBACK');

$_->quit for $builder, $holder, $other;
$node->finish;
