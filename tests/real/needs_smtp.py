"""SMTP servers that lack something: needs_smtp.py PORT FOLDER

    127.0.0.71  8BITMIME, SMTPUTF8
    127.0.0.72  neither
    127.0.0.73  8BITMIME
    127.0.0.74  8BITMIME, SMTPUTF8, and at most 700 octets

A message is FOLDER/N.eml; a line of FOLDER/taken is "ADDRESS N SUBJECT MAIL-COMMAND RCPT-COMMANDS". A server that hears what it did not
offer writes a line "ADDRESS WRONG …" instead.
"""
import email, os, socket, sys, threading

port, folder = int(sys.argv[1]), sys.argv[2]
lock, count = threading.Lock(), [0]
offers = { 71: ["8BITMIME", "SMTPUTF8"], 72: [], 73: ["8BITMIME"], 74: ["8BITMIME", "SMTPUTF8"] }

def note(who, octets, mail, rcpts, wrong):
    with lock:
        count[0] += 1
        with open("%s/%d.eml" % (folder, count[0]), "wb") as f: f.write(octets)
        subject = next((l[9:] for l in octets.split(b"\r\n") if l.startswith(b"Subject: ")), b"none").replace(b" ", b"_")
        with open(folder + "/taken", "ab") as f:
            f.write(b"%s %s %d %s %s %s\n" % (who.encode(), b"WRONG" if wrong else b"got", count[0], subject, mail, b" ".join(rcpts)))

def session(conn, who):
    f = conn.makefile("rb")
    def say(text): conn.sendall(text + b"\r\n")
    n = int(who.rsplit(".", 1)[1])
    say(b"220 needs ESMTP")
    mail, rcpts = b"", []
    while line := f.readline():
        line = line.rstrip(b"\r\n")
        verb = line.upper()
        if verb.startswith(b"EHLO"):
            words = ["PIPELINING", "SIZE %d" % (700 if n == 74 else 10000000)] + offers[n]
            for w in ["needs"] + words[:-1]: say(b"250-" + w.encode())
            say(b"250 " + words[-1].encode())
        elif verb.startswith(b"MAIL"): mail, rcpts = line, []; say(b"250 ok")
        elif verb.startswith(b"RCPT"): rcpts.append(line); say(b"250 ok")
        elif verb == b"DATA":
            say(b"354 go")
            octets = b""
            while (line := f.readline()) != b".\r\n":
                if not line: return
                octets += line[1:] if line.startswith(b".") else line
            high, envelope = max(octets, default=0) > 127, max(mail + b"".join(rcpts)) > 127
            size = int(mail.split(b"SIZE=")[1].split()[0])
            wrong = (high and "8BITMIME" not in offers[n]) or (envelope and "SMTPUTF8" not in offers[n]) or size != len(octets)
            wrong |= b"SMTPUTF8" in mail and "SMTPUTF8" not in offers[n] or b"BODY=8" in mail and "8BITMIME" not in offers[n]
            note(who, octets, mail, rcpts, wrong)
            say(b"250 2.0.0 kept")
        elif verb == b"QUIT":
            say(b"221 bye")
            return
        else: say(b"250 ok")

def serve(who):
    s = socket.create_server((who, port), backlog=100)
    def run():
        while True:
            conn, _ = s.accept()
            threading.Thread(target=lambda: (session(conn, who), conn.close()), daemon=True).start()
    threading.Thread(target=run, daemon=True).start()

for n in offers: serve("127.0.0.%d" % n)
print("ready", flush=True)
threading.Event().wait()
