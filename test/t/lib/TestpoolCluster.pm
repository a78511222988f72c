# A server with testpool, and what the tests ask of it. `finish` ends every test: it resets the
# extension, and fails if anything of it is left or if the server's log tells of a crash that the
# test did not cause by kill_process, stop('immediate') or kill9.
package TestpoolCluster;

use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use parent 'PostgreSQL::Test::Cluster';
use PostgreSQL::Test::Utils;
use Test::More;
use TestpoolSession;
use Time::HiRes qw(time usleep);

# Options: conf (lines for postgresql.conf), init (a hash for Cluster's init), folder (where its data
# are to be), preload and create (false: not). The grace is long unless conf says otherwise, so that no lease ends by itself between
# two commands of a test on a busy machine.
sub begin ($class, $name, %options)
{
    my $node = $class->new($name);
    mkdir($node->{_basedir} = $options{folder}) if $options{folder};
    $node->init(%{ $options{init} // {} });
    $node->append_conf('postgresql.conf', <<CONF);
max_connections = 60
max_worker_processes = 20
shared_buffers = 64MB
restart_after_crash = on
log_timezone = 'UTC'
timezone = 'UTC'
CONF
    $node->append_conf('postgresql.conf', <<CONF) if $options{preload} // 1;
shared_preload_libraries = 'testpool'
testpool.pool_size = 2
testpool.lease_grace = '1h'
CONF
    $node->append_conf('postgresql.conf', $options{conf} // '');
    $node->start;
    $node->query('CREATE EXTENSION testpool') if $options{create} // $options{preload} // 1;
    return $node;
}

# --- asking -----------------------------------------------------------------------------------

# Runs SQL in a session of its own that ends with it, as `psql -c` does. Options: database, user.
sub query ($node, $sql, %options)
{
    return $node->safe_psql('postgres', $sql, connstr => $node->connection(%options));
}

# A psql that cannot connect may end before it is given its input, which is an error to IPC::Run.
# Nothing was run then, so it may be tried again, and says why it cannot.
sub psql ($node, @arguments)
{
    for my $attempt (1 .. 20)
    {
        my @result = eval { $node->SUPER::psql(@arguments) };
        return wantarray ? @result : $result[0] unless $@;
        die $@ unless $@ =~ /Broken pipe/ && $attempt < 20;
    }
}

# The error that the SQL raises, in parts, or undef.
sub error_of ($node, $sql, %options)
{
    my ($status, $out, $err) = $node->psql(
        'postgres', $sql,
        connstr      => $node->connection(%options),
        extra_params => [ '-v', 'VERBOSITY=verbose' ]);
    return $status == 0 ? undef : TestpoolSession::parse_error($err) // { message => $err };
}

# Passes if the error has this SQLSTATE and its parts (message, detail, hint) are like those.
sub is_error ($error, $sqlstate, $name, %like)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my $right = defined $error && ($error->{sqlstate} // '') eq $sqlstate;
    $right &&= ($error->{$_} // '') =~ $like{$_} for keys %like;
    ok($right, $name)
      or diag('wanted: ', explain({ sqlstate => $sqlstate, %like }), 'found: ', explain($error));
}

sub fails_with ($node, $sqlstate, $sql, $name, %options)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my %like = map { exists $options{$_} ? ($_ => delete $options{$_}) : () }
      qw(message detail hint);
    is_error($node->error_of($sql, %options), $sqlstate, $name, %like);
}

# A session that stays. Options: database, user.
sub session ($node, %options) { return TestpoolSession->connect($node->connection(%options)); }

sub sessions ($node, $count, %options) { return map { $node->session(%options) } 1 .. $count; }

sub connection ($node, %options)
{
    my $string = $node->connstr($options{database} // 'postgres');
    return $string unless defined $options{user};
    my $user = $options{user} =~ s/([\\'])/\\$1/gr;
    return "$string user='$user'";
}

# --- waiting on a condition -------------------------------------------------------------------

# Passes once the SQL returns true.
sub becomes_true ($node, $sql, $name)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    ok($node->poll_query_until('postgres', $sql), $name);
}

# As that of PostgreSQL::Test::Cluster, but in one session for all tries, as long as it lasts: to
# start psql costs more than the query.
sub poll_query_until ($node, $database, $query, $expected = 't')
{
    my ($session, $last);
    my $met = eval {
        wait_until($query, sub {
            $session //= eval { $node->session(database => $database) } or return 0;
            $last = $session->try_query($query);
            return 1 if $last->{out} eq $expected && $last->{err} eq '';
            $session = $session->quit if $last->{ended};
            usleep(20_000);
            return 0;
        });
    };
    $session->quit if $session;
    diag("waited in vain for \"$expected\" of: $query\nlast: ", explain($last)) unless $met;
    return $met;
}

# Returns once the code returns true, and what it returned; dies after the usual deadline.
sub wait_until ($what, $code)
{
    my $deadline = time + $PostgreSQL::Test::Utils::timeout_default;
    while (time < $deadline)
    {
        my $value = $code->();
        return $value if $value;
        usleep(10_000);
    }
    die "waited in vain: $what";
}

# Returns once each of the sessions waits for an answer of the launcher.
sub wait_until_waiting ($node, @sessions)
{
    my $pids = join ',', map { $_->{pid} } @sessions;
    my $count = @sessions;
    $node->poll_query_until('postgres', <<SQL) or die 'the sessions do not wait';
SELECT count(*) = $count FROM pg_stat_activity
 WHERE pid IN ($pids) AND state = 'active' AND wait_event_type = 'Extension'
SQL
}

# Returns once a client that connects to that database waits for it: it is not in pg_stat_activity
# yet. Returns its process id.
sub wait_for_connection_to ($node, $database)
{
    return wait_until("a connection to $database", sub {
        my ($line) = grep { /\Q $database \E.*waiting for a clone$/ } `ps -ww -eo pid,command`;
        return ($line // '') =~ /^ *(\d+)/ ? $1 : 0;
    });
}

# Returns once a lease that was given up after this call has ended: a whole grace has passed, and
# the launcher has looked at the leases since. For it there must be a template 'the clock'.
sub pass_a_grace ($node)
{
    my $clock = $node->query(q{SELECT testpool.acquire('the clock')});
    $node->wait_for_lease_end($clock);
}

sub wait_for_lease_end ($node, $database)
{
    $node->poll_query_until('postgres', <<SQL) or die "the lease of $database does not end";
SELECT count(*) = 0 FROM testpool.databases
 WHERE database = '$database' AND state IN ('leased', 'kept')
SQL
}

# Returns once no work is left: pools are full, and what was released or discarded is gone.
sub settle ($node)
{
    $node->poll_query_until('postgres', <<SQL) or die "the work does not end:\n" . $node->work;
SELECT (SELECT count(*) = 0 FROM testpool.database WHERE state IN ('cloning', 'recycling', 'failed'))
   AND (SELECT count(*) = 0 FROM testpool.template WHERE state = 'discarded' AND oid <> 0)
   AND (SELECT bool_and(t.ready >= least(s.size, x.most - t.leased - t.kept)) IS NOT FALSE
          FROM testpool.templates t,
               (SELECT current_setting('testpool.pool_size')::int) s(size),
               (SELECT current_setting('testpool.pool_max')::int) x(most)
         WHERE t.state = 'finalized')
SQL
}

# What there is to do and who is at it, for a test that waits in vain.
sub work ($node)
{
    return $node->query(<<SQL);
SELECT d FROM testpool.database d WHERE state <> 'ready';
SELECT t FROM testpool.template t WHERE state <> 'discarded' OR oid <> 0;
SELECT pid, backend_type, datname, state, wait_event_type, wait_event, query FROM pg_stat_activity;
SELECT l FROM pg_locks l WHERE NOT granted;
SQL
}

# --- the flow ---------------------------------------------------------------------------------

# Builds a template: claims it, runs the SQL in its database, finalizes it. Returns the name of the
# database. Options: user, base.
sub build ($node, $hash, $content = 'SELECT', %options)
{
    my $base = exists $options{base} ? literal(delete $options{base}) : 'NULL';
    my $builder = $node->session(%options);
    my $database = $builder->query("SELECT testpool.init_template(@{[ literal($hash) ]}, $base)");
    die "template \"$hash\" is there already" if $database eq '';
    $node->query($content, %options, database => $database);
    $builder->query("SELECT testpool.finalize(@{[ literal($hash) ]})");
    $builder->quit;
    return $database;
}

# Does to a database what no rewind undoes: moves it to another tablespace.
sub move_away ($node, $database)
{
    $node->query(q{SET allow_in_place_tablespaces = on; CREATE TABLESPACE elsewhere LOCATION ''})
      if $node->query(q{SELECT count(*) FROM pg_tablespace WHERE spcname = 'elsewhere'}) == 0;
    $node->query("ALTER DATABASE $database SET TABLESPACE elsewhere");
    return;
}

# A clock for pass_a_grace.
sub build_clock ($node) { $node->build('the clock'); }

sub literal ($text) { return q{'} . $text =~ s/'/''/gr . q{'}; }

# --- looking ----------------------------------------------------------------------------------

sub now ($node) { return $node->query('SELECT clock_timestamp()'); }

sub oid_of ($node, $database)
{
    return $node->query("SELECT oid FROM pg_database WHERE datname = @{[ literal($database) ]}");
}

# The databases that bear the prefix, in order.
sub own_databases ($node)
{
    return split /\n/, $node->query(
        q{SELECT datname FROM pg_database WHERE starts_with(datname, 'testpool_') ORDER BY 1});
}

# The directories of databases that are not in pg_database, in any tablespace.
sub orphans ($node)
{
    my %known = map { $_ => 1 } split /\n/, $node->query('SELECT oid FROM pg_database');
    return grep { m{/(\d+)$} && !$known{$1} }
      glob($node->data_dir . '/base/[0-9]* ' . $node->data_dir . '/pg_tblspc/*/PG_*/[0-9]*');
}

sub has_no_orphans ($node, $name)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @orphans;
    my $gone = eval { wait_until('orphans', sub { !(@orphans = $node->orphans) }) };
    ok($gone, $name) or diag("@orphans");
}

# pg_dump --create of a database under a neutral name: its content and its own properties.
sub dump_of ($node, $database)
{
    my ($dump, $errors);
    IPC::Run::run([ 'pg_dump', '--create', '-d', $node->connstr($database) ], '>', \$dump,
        '2>', \$errors)
      or die "pg_dump: $errors";
    $dump =~ s/^\\(?:un)?restrict .*\n//mg;
    my $name = quotemeta($database);
    $dump =~ s/"?\b$name\b"?/THE_DATABASE/g;
    return $dump;
}

# Process ids of the testpool processes of this kind: launcher, worker, vacuum worker.
sub pids_of ($node, $kind)
{
    return split /\n/, $node->query(
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'testpool $kind' ORDER BY pid");
}

# When the line that matches was written to the log: (timestamp).
sub time_of_log_line ($node, $pattern)
{
    my ($line) = grep { /$pattern/ } split /\n/, slurp_file($node->logfile);
    my ($time) = ($line // '') =~ /^(\S+ \S+ \S+) / or die "no line of the log matches $pattern";
    return $time;
}

# --- killing and ending -----------------------------------------------------------------------

# Kills a process of the server in a way that the log will tell of.
sub kill_process ($node, $pid)
{
    $node->{killed}{$pid} = 1;
    kill 'KILL', $pid;
}

# Kills the postmaster, and returns once it is gone; its children end by themselves a little later.
sub kill_postmaster ($node)
{
    my $postmaster = $node->{_pid};
    $node->kill9;
    wait_until('the postmaster is gone', sub { !kill(0, $postmaster) });
}

# Starts the server again after that, once the children are gone.
sub start_again ($node)
{
    wait_until('the server starts', sub { undef $node->{_pid}; $node->start(fail_ok => 1) });
}

# Ends the test: resets the extension, stops the server, and judges what is left. Options: foreign,
# the names of databases that begin with testpool_ and are not testpool's; more (true: another server's
# tests follow).
sub finish ($node, %options)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    if (defined $node->{_pid} && $node->query(q{SELECT to_regproc('testpool.reset') IS NOT NULL}) eq 't')
    {
        $node->query('SELECT testpool.reset()');
        is_deeply([ $node->own_databases ], [ sort @{ $options{foreign} // [] } ],
            'reset() leaves no database of testpool');
        $node->has_no_orphans('no directory of a database is left behind');
    }
    $node->stop('fast');
    $node->log_is_clean;
    done_testing() unless $options{more};
}

sub log_is_clean ($node)
{
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @bad = grep {
        /\bPANIC:  |^TRAP: |\(PID (\d+)\) was terminated by signal/
          && !(defined $1 && $node->{killed}{$1})
          && !($node->{may_die} && /$node->{may_die}/)
    } split /\n/, slurp_file($node->logfile);
    is("@bad", '', 'no process of the server died but those that the test killed');
}

1;
