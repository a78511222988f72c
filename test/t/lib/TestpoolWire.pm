# A client that speaks the protocol by itself, so that a test decides what is sent when: several messages
# in one packet, before the answers to those before. Only the parts that tests need.
package TestpoolWire;

use v5.20;
use warnings FATAL => 'all';
use experimental 'signatures';

use IO::Socket::UNIX;
use PostgreSQL::Test::Utils;

# Connects, with these settings of the session.
sub connect ($class, $node, $database, %settings)
{
    my $path = $node->host . '/.s.PGSQL.' . $node->port;
    my $socket = IO::Socket::UNIX->new(Peer => $path) or die "could not connect to $path: $!";
    my $self = bless { socket => $socket }, $class;
    my @start = (user => scalar getpwuid($<), database => $database, %settings);
    my $body = pack('N', 196608) . join('', map { "$_\0" } @start) . "\0";
    print {$socket} pack('N', 4 + length $body), $body;
    $socket->flush;
    $self->answers;
    return $self;
}

# Messages, to be joined and sent as one packet.
sub message ($type, $body) { return $type . pack('N', 4 + length $body) . $body; }
sub query ($sql) { return message('Q', "$sql\0"); }
sub parse ($name, $sql) { return message('P', "$name\0$sql\0" . pack('n', 0)); }

sub execute ($name, @values)
{
    my $values = join '', map { pack('N', length) . $_ } @values;
    return message('B', "\0$name\0" . pack('nn', 0, scalar @values) . $values . pack('n', 0)) .
      message('E', "\0" . pack('N', 0));
}
sub sync () { return message('S', ''); }

sub send ($self, @messages)
{
    print { $self->{socket} } join '', @messages;
    $self->{socket}->flush;
    return $self;
}

sub _read ($self, $length)
{
    my $read = '';
    while (length $read < $length)
    {
        local $SIG{ALRM} = sub { die "no answer in time\n" };
        alarm $PostgreSQL::Test::Utils::timeout_default;
        sysread($self->{socket}, $read, $length - length $read, length $read) or die "the connection was lost\n";
        alarm 0;
    }
    return $read;
}

# What comes until the server is ready: values of rows, tags of commands, SQLSTATEs of errors and notifications.
sub answers ($self)
{
    my @answers;
    while (1)
    {
        my ($type, $length) = unpack 'aN', $self->_read(5);
        my $body = $length > 4 ? $self->_read($length - 4) : '';
        return @answers if $type eq 'Z';
        if ($type eq 'D')
        {
            my ($count, $rest) = unpack 'na*', $body;
            push @answers, join '|', unpack "(N/a*)$count", $rest;
        }
        elsif ($type eq 'C') { push @answers, unpack 'Z*', $body; }
        elsif ($type eq 'E') { push @answers, 'error ' . ($body =~ /\0C(\w{5})\0/)[0]; }
        elsif ($type eq 'A') { push @answers, 'notification ' . (unpack 'NZ*', $body)[1]; }
    }
}

# Sends all of it at once.
sub ask ($self, @messages) { return $self->send(@messages)->answers; }

1;
