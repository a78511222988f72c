# A client session: a psql that stays connected. A statement can be sent without waiting for its
# end, so that many sessions wait and race at once; errors come back in parts.
package TestpoolSession;

use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use IPC::Run;
use PostgreSQL::Test::Utils;
use Time::HiRes qw(usleep);

# Connects; the field pid is the process id of the server's side.
sub connect ($class, $connection, %psql)
{
    my $self = bless { in => '', out => '', err => '', sent => 0, read => 0 }, $class;
    my @variables = map { ('-v', "$_=$psql{$_}") } sort keys %psql;
    $self->{timeout} = IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default);
    $self->{psql} = IPC::Run::start(
        [ 'psql', '-XAtq', '-v', 'VERBOSITY=verbose', @variables, '-d', $connection, '-f', '-' ],
        '<', \$self->{in}, '>', \$self->{out}, '2>', \$self->{err}, $self->{timeout});
    $self->{pid} = $self->query('SELECT pg_backend_pid()');
    return $self;
}

# Sends a statement and does not wait.
sub send ($self, $sql)
{
    my $mark = 'end of statement ' . ++$self->{sent};
    $self->{in} .= "$sql\n;\n\\echo '$mark'\n\\warn '$mark'\n";
    $self->{timeout}->start($PostgreSQL::Test::Utils::timeout_default);
    $self->{psql}->pump_nb while length $self->{in} && $self->{psql}->pumpable;
    return $self;
}

# True once the oldest statement whose result was not read has ended, or the session has.
sub answered ($self)
{
    return 1 if $self->_marked;
    return 1 unless $self->{psql}->pumpable;
    $self->{psql}->pump_nb;
    return $self->_marked;
}

# Waits for that statement. Returns its output in `out`, `error` as parse_error() gives it if there
# was one, and `ended` if the connection was lost.
sub result ($self)
{
    until ($self->_marked)
    {
        eval { $self->{psql}->pump; 1 } or last;
    }
    die "no answer in time to a statement of process " . ($self->{pid} // '?')
      if $self->{timeout}->is_expired;
    my $mark = 'end of statement ' . ++$self->{read};
    my %result = (ended => !$self->_seen($mark));
    for my $stream (qw(out err))
    {
        if   ($self->{$stream} =~ s/\A(.*?)^\Q$mark\E\n//ms) { $result{$stream} = $1; }
        else                                                 { $result{$stream} = $self->{$stream}; }
        chomp $result{$stream};
    }
    $result{error} = parse_error($result{err});
    return \%result;
}

sub try_query ($self, $sql) { return $self->send($sql)->result; }

# The output of a statement that must not fail.
sub query ($self, $sql)
{
    my $result = $self->try_query($sql);
    die "\"$sql\" failed: $result->{err}" if $result->{ended} || $result->{error};
    return $result->{out};
}

# What psql said with VERBOSITY=verbose, in parts; undef if it is no error.
sub parse_error ($text)
{
    my ($state, $message) = $text =~ /(?:ERROR|FATAL):\s+(\w{5}): (.*?)$/m or return undef;
    my %error = (sqlstate => $state, message => $message, detail => '', hint => '');
    $error{ lc $1 } = $2
      while $text =~ /^(DETAIL|HINT):  (.*?)(?=^(?:DETAIL|HINT|CONTEXT|LOCATION|STATEMENT):|\z)/msg;
    chomp @error{qw(detail hint)};
    return \%error;
}

sub quit ($self)
{
    $self->{in} .= "\\q\n" if $self->{psql}->pumpable;
    eval { $self->{psql}->finish };
    return undef;
}

# The client dies without a word, as a test runner does that is killed.
sub kill_client ($self)
{
    $self->{psql}->signal('KILL');
    eval { $self->{psql}->finish };
}

sub _seen ($self, $mark)
{
    return $self->{out} =~ /^\Q$mark\E\n/m && $self->{err} =~ /^\Q$mark\E\n/m;
}

sub _marked ($self) { return $self->_seen('end of statement ' . ($self->{read} + 1)); }

1;
