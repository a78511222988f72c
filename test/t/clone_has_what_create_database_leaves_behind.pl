# CREATE DATABASE … TEMPLATE leaves behind what the shared catalogs say of a database: settings,
# also those of one role, grants, comment, security labels, connection limit, owner. A clone has
# them, fresh or rewound, and so has a template that is built on another one.

use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use Test::More;
use TestpoolCluster;

my $node = TestpoolCluster->begin('complete', conf => "testpool.pool_size = 1\n");

# All that the shared catalogs say of a database, but its name and numbers.
sub said_of ($database)
{
    return $node->query(<<SQL);
SELECT 'owner', pg_get_userbyid(datdba) FROM pg_database WHERE datname = '$database';
SELECT 'connection limit', datconnlimit FROM pg_database WHERE datname = '$database';
SELECT 'grant', a.grantee::regrole, a.grantor::regrole, privilege_type, is_grantable
  FROM pg_database d, aclexplode(datacl) a WHERE datname = '$database' AND a.grantee <> a.grantor ORDER BY 1, 2, 4;
SELECT 'setting', setrole::regrole, unnest(setconfig) FROM pg_db_role_setting
  JOIN pg_database d ON d.oid = setdatabase WHERE datname = '$database' ORDER BY 2, 3;
SELECT 'comment', shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = '$database';
SELECT 'label', provider, label FROM pg_shseclabel l JOIN pg_database d ON d.oid = objoid
 WHERE classoid = 'pg_database'::regclass AND datname = '$database' ORDER BY 2;
SELECT 'depends', refobjid::regrole, deptype FROM pg_shdepend s JOIN pg_database d ON d.oid = objid
 WHERE classid = 'pg_database'::regclass AND dbid = 0 AND datname = '$database' ORDER BY 2, 3;
SQL
}

# --- a template with everything ---------------------------------------------------------------

$node->query(<<SQL);
CREATE ROLE builder LOGIN;
CREATE ROLE reader LOGIN;
CREATE ROLE other LOGIN;
GRANT USAGE ON SCHEMA testpool TO builder, other;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA testpool TO builder, other;
SQL
my $builder = $node->session(user => 'builder');
my $template = $builder->query(q{SELECT testpool.init_template('full')});
# Of a security label no provider is asked that is not loaded, so it is put where one would put it.
$node->query(<<SQL);
ALTER DATABASE $template SET work_mem = '7MB';
ALTER DATABASE $template SET search_path = "a schema", public;
ALTER ROLE reader IN DATABASE $template SET statement_timeout = '7s';
GRANT TEMPORARY, CONNECT ON DATABASE $template TO reader WITH GRANT OPTION;
REVOKE CONNECT ON DATABASE $template FROM PUBLIC;
COMMENT ON DATABASE $template IS 'the schema of all tests';
ALTER DATABASE $template CONNECTION LIMIT 17;
SET allow_system_table_mods = on;
INSERT INTO pg_shseclabel SELECT oid, 'pg_database'::regclass, 'a provider', 'secret' FROM pg_database
 WHERE datname = '$template';
SQL
$builder->query(q{SELECT testpool.finalize('full')});
my $wanted = said_of($template);
like($wanted, qr/^$_/m, "the template has a $_")
  for 'owner\|builder', 'connection limit\|17', 'grant\|reader', 'setting\|-\|work_mem=7MB',
  'setting\|reader\|statement_timeout=7s', 'comment\|the schema', 'label\|a provider\|secret', 'depends\|reader';

# --- clones of it -----------------------------------------------------------------------------

my $holder = $node->session(user => 'builder');
my $clone = $holder->query(q{SELECT testpool.acquire('full')});
is(said_of($clone), $wanted, 'a fresh clone has all of it');
is($node->query('SHOW work_mem', database => $clone), '7MB', 'its settings are in force');
is($node->query('SHOW statement_timeout', database => $clone, user => 'reader'), '7s',
    'also those of one role');
like($node->error_of('SELECT', database => $clone, user => 'other')->{message}, qr/permission denied/,
    'and so are its privileges');

$node->query(<<SQL);
ALTER DATABASE $clone RESET ALL;
ALTER ROLE other IN DATABASE $clone SET work_mem = '1MB';
REVOKE ALL ON DATABASE $clone FROM reader CASCADE;
COMMENT ON DATABASE $clone IS NULL;
ALTER DATABASE $clone CONNECTION LIMIT 1;
ALTER DATABASE $clone OWNER TO other;
SET allow_system_table_mods = on;
UPDATE pg_shseclabel SET label = 'public' WHERE label = 'secret'
   AND objoid = (SELECT oid FROM pg_database WHERE datname = '$clone');
SQL
isnt(said_of($clone), $wanted, 'a test changes all of it');
$holder->query("SELECT testpool.recreate('$clone')");
is($node->query("SELECT recycled FROM testpool.databases WHERE database = '$clone'"), 'rewind',
    'the clone is rewound');
is(said_of($clone), $wanted, 'and has all of it again');
$node->query(q{ALTER SYSTEM SET testpool.recycle = 'recreate'});
$node->query('SELECT pg_reload_conf()');
$node->becomes_true(q{SELECT current_setting('testpool.recycle') = 'recreate'}, 'no more rewinding');
$node->query("ALTER DATABASE $clone RESET ALL");
$holder->query("SELECT testpool.recreate('$clone')");
is($node->query("SELECT recycled FROM testpool.databases WHERE database = '$clone'"), 'clone',
    'the clone is made again');
is(said_of($clone), $wanted, 'and has all of it');

# --- a template on it -------------------------------------------------------------------------

my $other = $node->session(user => 'other');
my $layer = $other->query(q{SELECT testpool.init_template('layer', 'full')});
is(join("\n", sort split /\n/, said_of($layer)), join("\n", sort split /\n/, $wanted =~ s/\bbuilder\b/other/gr),
    'a template on it has all of it, but another owner');
$other->query(q{SELECT testpool.finalize('layer')});
$clone = $other->query(q{SELECT testpool.acquire('layer')});
is(said_of($clone), said_of($layer), 'and so have its clones');

$node->finish;
