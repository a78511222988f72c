# A server with one template and one clone of it, for tests that ask whether a used database becomes
# equal to its template. Equal means: the same relations, forks and pages, as a tool finds that knows
# nothing of the rewind; the same rows in the shared catalogs as a clone that nobody used; the same
# pg_dump; and nothing to complain about for pg_amcheck.
package RewindTest;

use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use FindBin;
use IPC::Run;
use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolCluster;

# A template with something of everything, small enough to be compared often.
our $content = <<'SQL';
CREATE EXTENSION amcheck;
CREATE TABLE big (id serial PRIMARY KEY, t text);
INSERT INTO big (t) SELECT repeat('x', 100) || i FROM generate_series(1, 5000) i;
CREATE INDEX ON big (t);
CREATE TABLE empty (id int PRIMARY KEY, t text);
CREATE TABLE part (a int, b text) PARTITION BY RANGE (a);
CREATE TABLE part1 PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE part2 PARTITION OF part FOR VALUES FROM (100) TO (200);
INSERT INTO part SELECT i, 'p' FROM generate_series(0, 199) i;
CREATE TABLE bare (a int);
INSERT INTO bare SELECT generate_series(1, 1000);
CREATE MATERIALIZED VIEW report AS SELECT count(*) FROM big;
CREATE SEQUENCE numbers;
SELECT nextval('numbers');
SELECT lo_from_bytea(7000, 'a large object');
CREATE TABLE wide (id int PRIMARY KEY, d text);
ALTER TABLE wide ALTER d SET STORAGE external;
INSERT INTO wide SELECT i, repeat(md5(i::text), 300) FROM generate_series(1, 20) i;
CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
SQL

# Options: conf, init (as for TestpoolCluster), before (SQL for the home database), hash and
# content (of the template, in addition), amcheck (false: not), unlogged (true: pages of unlogged
# relations may be in memory only; a checkpoint passes them by, but not that of CREATE DATABASE).
sub begin ($class, $name, %options)
{
    my $node = TestpoolCluster->begin(
        $name,
        init => { allows_streaming => 'logical', %{ $options{init} // {} } },
        conf => <<CONF . ($options{conf} // ''));
max_prepared_transactions = 5
autovacuum_naptime = 1
testpool.pool_size = 1
testpool.pool_max = 1
testpool.workers = 1
CONF
    my $self = bless { node => $node, amcheck => $options{amcheck} // 1, unlogged => $options{unlogged} }, $class;
    $node->query($options{before}) if $options{before};
    $self->build($options{hash} // 'app', $options{content} // '');
    return $self;
}

sub node ($self) { return $self->{node} }

# Builds the template that is used from now on, and looks at a clone that nobody has used.
sub build ($self, $hash, $more = '')
{
    my $node = $self->{node};
    $self->{hash} = $hash;
    $node->build($hash, $content . $more);
    $self->{template} = $node->query("SELECT oid FROM testpool.template WHERE hash = '$hash'");
    my $unused = $self->acquire;
    $self->{unused} = { shared => $self->shared_rows($unused), dump => $node->dump_of($unused) };
    $self->give_back($unused);
    return;
}

sub acquire ($self) { return $self->{node}->query("SELECT testpool.acquire('$self->{hash}')") }

# Returns once the pool is full again.
sub give_back ($self, $database)
{
    $self->{node}->query("SELECT testpool.release('$database')");
    $self->{node}->settle;
}

# --- comparing --------------------------------------------------------------------------------

# What the shared catalogs say of a database, name and OID left out.
sub shared_rows ($self, $database)
{
    my $oid = $self->{node}->oid_of($database);
    return $self->{node}->query(<<SQL);
SELECT to_jsonb(d) - 'oid' - 'datname' FROM pg_database d WHERE oid = $oid;
SELECT 'setting', setrole::regrole, setconfig FROM pg_db_role_setting WHERE setdatabase = $oid ORDER BY 2;
SELECT 'comment', description FROM pg_shdescription
 WHERE classoid = 'pg_database'::regclass AND objoid = $oid;
SELECT 'label', provider, label FROM pg_shseclabel
 WHERE classoid = 'pg_database'::regclass AND objoid = $oid ORDER BY 2;
SELECT 'dependency', classid::regclass, CASE WHEN dbid <> 0 THEN objid END, objsubid,
       refclassid::regclass, refobjid, deptype
  FROM pg_shdepend
 WHERE dbid = $oid OR dbid = 0 AND classid = 'pg_database'::regclass AND objid = $oid
 ORDER BY 2, 3, 4, 5, 6, 7;
SELECT 'subscription', subname FROM pg_subscription WHERE subdbid = $oid;
SELECT 'slot', slot_name FROM pg_replication_slots WHERE datoid = $oid;
SELECT 'prepared', gid FROM pg_prepared_xacts WHERE database = '$database';
SQL
}

# How the files of the database differ from the template's. Options: node (default: the server), with
# (options of compare-databases).
sub file_differences ($self, $database, %options)
{
    my $node = $options{node} // $self->{node};
    $node->query('CHECKPOINT');
    $node->query("CREATE DATABASE writes_all STRATEGY file_copy;\nDROP DATABASE writes_all") if $self->{unlogged};
    IPC::Run::run(
        [ "$FindBin::Bin/compare-databases", @{ $options{with} // [] }, $node->data_dir,
            $self->{template}, $node->oid_of($database) ],
        '>', \my $out, '2>&1');
    return $out;
}

# Options: node (default: the server), with (what to check).
sub amcheck_complaints ($self, $database, %options)
{
    my $node = $options{node} // $self->{node};
    my @checks = @{ $options{with} // [ '--heapallindexed', '--parent-check' ] };
    IPC::Run::run([ 'pg_amcheck', @checks, '-h', $node->host, '-p', $node->port, $database ],
        '>', \my $out, '2>&1');
    return $out;
}

# Passes if the database equals the template. Options: with (of compare-databases).
sub equals ($self, $database, $what, %options)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return subtest "$what: it equals the template" => sub {
        is($self->file_differences($database, %options), '', 'relations, forks and pages');
        is($self->shared_rows($database), $self->{unused}{shared}, 'rows in the shared catalogs');
        is($self->{node}->dump_of($database), $self->{unused}{dump}, 'pg_dump');
        is($self->amcheck_complaints($database), '', 'pg_amcheck') if $self->{amcheck};
    };
}

# --- using ------------------------------------------------------------------------------------

# A use is SQL, run in a session of its own with %s for the database, or code that is given its name.
sub use_database ($self, $database, @uses)
{
    for my $use (@uses)
    {
        if   (ref $use) { $use->($database) }
        else            { $self->{node}->query($use =~ s/%s/$database/gr, database => $database) }
    }
}

# How the database was last put back: 'rewind', or 'clone: why'.
sub way_of ($self, $database)
{
    return $self->{node}->query(<<SQL);
SELECT recycled || coalesce(': ' || clone_reason, '') FROM testpool.databases WHERE database = '$database'
SQL
}

# Acquires a database, uses it, has it recreated, and passes if that went the way that is named and
# left no trace. A way of 'clone: why' also wants that reason.
sub is_put_back ($self, $what, $way, @uses)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $node = $self->{node};
    my $database = $self->acquire;
    $self->use_database($database, @uses);
    $node->query("SELECT testpool.recreate('$database')");
    like($self->way_of($database), qr/^$way/, "$what: the way is $way");
    $self->equals($database, $what);
    $self->give_back($database);
    return;
}

# Options as for TestpoolCluster.
sub finish ($self, %options) { return $self->{node}->finish(%options) }

1;
