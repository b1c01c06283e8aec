"""Reads delivery reports with flufl.bounce (Mailman's reader): read_reports.py FOLDER

Prints a line "failed ADDRESS" or "delayed ADDRESS" for each that it finds in the messages below FOLDER."""
import email, email.policy, os, sys
from flufl.bounce import all_failures

for folder, _, files in os.walk(sys.argv[1]):
    for name in files:
        with open(os.path.join(folder, name), "rb") as f:
            message = email.message_from_binary_file(f)
        if message.get_content_type() != "multipart/report": continue
        temporary, permanent = all_failures(message)
        for kind, addresses in (("delayed", temporary), ("failed", permanent)):
            for a in addresses: print(kind, a.decode() if isinstance(a, bytes) else a)
