# Is this message well signed? dkim_verify.pl DNS-PORT FILE… By Mail::DKIM: each signature must pass, and there must be two; one
# whose algorithm this Mail::DKIM does not know is let pass when the other is RSA.
use strict;
use warnings;
use Mail::DKIM::Verifier;
use Mail::DKIM::DNS;
use Net::DNS;
my $port = shift;
Mail::DKIM::DNS::resolver(Net::DNS::Resolver->new(nameservers => ['127.0.0.1'], port => $port, recurse => 1));
my $bad = 0;
for my $file (@ARGV) {
  open my $in, '<:raw', $file or die "$file: $!";
  my $dkim = Mail::DKIM::Verifier->new();
  while (<$in>) { $dkim->PRINT($_) }
  $dkim->CLOSE;
  my %result = map { ($_->algorithm || 'none') => $_->result_detail } $dkim->signatures;
  my $ed = $result{'ed25519-sha256'} || '';
  next if ($result{'rsa-sha256'} || '') eq 'pass' && ($ed eq 'pass' || $ed =~ /unsupported/);
  print "$file: ", join(', ', map {"$_: $result{$_}"} sort keys %result), "\n";
  $bad = 1;
}
exit $bad;
