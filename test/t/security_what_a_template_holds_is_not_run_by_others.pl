# A template and its clones hold whatever their builder put there. The processes of testpool are
# superusers: nothing of it may run in them.
use v5.20;
use warnings FATAL => 'all';

use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('planted', conf => "max_prepared_transactions = 5\nwal_level = logical\n");

# Event triggers are a superuser's affair, but their functions may be somebody else's. These would end
# each command, and note who ran it.
my $triggers = <<'SQL';
CREATE TABLE ran (who text);
CREATE FUNCTION spring() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.ran VALUES (current_user);
    RAISE EXCEPTION 'sprung';
END $$;
CREATE EVENT TRIGGER at_start ON ddl_command_start EXECUTE FUNCTION spring();
CREATE EVENT TRIGGER at_end ON ddl_command_end EXECUTE FUNCTION spring();
ALTER EVENT TRIGGER at_start ENABLE ALWAYS;
ALTER EVENT TRIGGER at_end ENABLE REPLICA;
SQL

my $builder  = $node->session;
my $template = $builder->query(q{SELECT testpool.init_template('planted')});
$node->query($triggers, database => $template);
$node->fails_with('P0001', 'CREATE TABLE t ()', 'the triggers work', database => $template);
is($builder->try_query(q{SELECT testpool.finalize('planted')})->{error}, undef,
    'a template with event triggers is finalized');

my $clone = $node->query(q{SELECT testpool.acquire('planted')});
is($node->query(<<'SQL', database => $clone), 't', 'autovacuum is told to leave shared catalogs alone');
SELECT bool_and('autovacuum_enabled=off' = ANY (reloptions)) FROM pg_class WHERE relisshared AND relkind = 'r'
SQL
$node->query(<<'SQL', database => $clone);
BEGIN; INSERT INTO ran VALUES ('a test'); PREPARE TRANSACTION 'left';
SQL
$node->query(<<'SQL', database => $clone);
ALTER EVENT TRIGGER at_start DISABLE;
CREATE SUBSCRIPTION s CONNECTION 'host=/nowhere' PUBLICATION p WITH (connect = false, slot_name = 'theirs');
ALTER EVENT TRIGGER at_start ENABLE ALWAYS;
SQL
$node->query("SELECT testpool.recreate('$clone')");
is($node->query(q{SELECT count(*) FROM ran}, database => $clone), 0, 'no trigger ran, and the clone is clean');
is($node->query('SELECT count(*) FROM pg_subscription'), 0, 'no subscription is left');
$node->query("SELECT testpool.release('$clone')");

# --- settings of the database -------------------------------------------------------------------

$node->query('CREATE ROLE nobody');
$template = $builder->query(q{SELECT testpool.init_template('settings')});
$node->query('CREATE TABLE t (v int); INSERT INTO t VALUES (1)', database => $template);
$node->query("ALTER DATABASE $template SET $_")
  for 'role = nobody', 'default_transaction_read_only = on', 'search_path = nowhere',
  q{statement_timeout = '1ms'}, 'row_security = on';
is($builder->try_query(q{SELECT testpool.finalize('settings')})->{error}, undef,
    'a template with settings that hinder us is finalized');
$clone = $node->query(q{SELECT testpool.acquire('settings')});
$node->query("ALTER DATABASE $clone RESET ALL");
is($node->query(q{SELECT reltuples FROM pg_class WHERE oid = 'public.t'::regclass}, database => $clone), 1,
    'and was analyzed');
$node->query("SELECT testpool.release('$clone')");

# --- names in functions ---------------------------------------------------------------------------

# A function of a superuser's table means another one by its name alone. Whoever may write to a schema of the
# search_path could have it mean theirs, which would then run as the superuser.
$node->query('CREATE ROLE planter CREATEDB LOGIN');
$node->query('GRANT USAGE ON SCHEMA testpool TO planter; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO planter');
my $planter = $node->session(user => 'planter');
$template = $planter->query(q{SELECT testpool.init_template('names')});
$node->query(<<'SQL', database => $template);
CREATE TABLE ran (who text);
GRANT INSERT ON ran TO PUBLIC;
CREATE SCHEMA aside;
CREATE FUNCTION aside.meant(a int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT a';
CREATE FUNCTION f(a int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RETURN meant(a); END $$;
CREATE TABLE theirs (a int);
CREATE INDEX ON theirs (f(a));
SET search_path = public, aside;
INSERT INTO theirs SELECT generate_series(1, 100);
SQL
$node->query(<<'SQL', database => $template, user => 'planter');
CREATE SCHEMA trap;
CREATE FUNCTION trap.meant(a int) RETURNS int VOLATILE LANGUAGE plpgsql AS $$
BEGIN INSERT INTO public.ran VALUES (current_user); RETURN a; END $$;
SQL
$node->query("ALTER DATABASE $template SET search_path = trap, public, pg_catalog", user => 'planter');
$node->query("ALTER ROLE postgres IN DATABASE $template SET search_path = trap, public, pg_catalog");
like($planter->try_query(q{SELECT testpool.finalize('names')})->{err}, qr/public\.theirs: function meant\(integer\) does not exist/,
    'a name without a schema means nothing of theirs');
$clone = $node->query(q{SELECT testpool.acquire('names')});
is($node->query('SELECT count(*) FROM public.ran', database => $clone), 0, '… and nothing of theirs has run');
$node->query("SELECT testpool.release('$clone')");
$planter->quit;

$builder->quit;
$node->finish;
