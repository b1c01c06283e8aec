#!/usr/bin/perl
# Reads delivery reports with Mail::DeliveryStatus::BounceParser: read_reports.pl FOLDER
# Prints a line "ADDRESS STATUS" for each that it finds in the messages below FOLDER.
use strict; use warnings;
use File::Find; use Mail::DeliveryStatus::BounceParser;
find({ no_chdir => 1, wanted => sub {
  return unless -f $_;
  open my $f, '<:raw', $_ or die; local $/; my $text = <$f>; close $f;
  return unless $text =~ /^Content-Type: multipart\/report/m;
  my $bounce = Mail::DeliveryStatus::BounceParser->new($text);
  for my $r ($bounce->reports) { print lc($r->get('email') // ''), ' ', $r->get('status') // '', "\n" if $r->get('email') }
} }, $ARGV[0]);
