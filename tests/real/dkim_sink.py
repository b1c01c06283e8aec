"""A mail server that takes everything and keeps each message as it came: dkim_sink.py ADDRESS PORT FOLDER

A message is FOLDER/SUBJECT.eml, by the first word of its Subject: field; a second by that name has ".2", and so on. A recipient
whose local part begins with "refused" gets 550.
"""
import email, os, socket, sys, threading

address, port, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
lock = threading.Lock()

def keep(octets):
    word = (email.message_from_bytes(octets).get("Subject") or "none").split()
    name, n = folder + "/" + (word[0] if word else "none"), 1
    with lock:
        while os.path.exists(name + (".%d" % n if n > 1 else "") + ".eml"): n += 1
        name += (".%d" % n if n > 1 else "") + ".eml"
        with open(name + ".part", "wb") as f: f.write(octets)
        os.rename(name + ".part", name)

def session(conn):
    f = conn.makefile("rb")
    def say(text): conn.sendall(text + b"\r\n")
    say(b"220 sink ESMTP")
    taken = 0
    while line := f.readline():
        verb = line.strip().upper()
        if verb.startswith(b"EHLO"): say(b"250-sink\r\n250-PIPELINING\r\n250-SIZE 10000000\r\n250 8BITMIME")
        elif verb.startswith(b"MAIL"): taken = 0; say(b"250 ok")
        elif verb.startswith(b"RCPT"):
            refused = verb.startswith(b"RCPT TO:<REFUSED")
            taken += not refused
            say(b"550 5.1.1 nobody" if refused else b"250 ok")
        elif verb == b"DATA" and not taken: say(b"554 5.5.1 no recipients")
        elif verb == b"DATA":
            say(b"354 go")
            octets = b""
            while (line := f.readline()) != b".\r\n":
                if not line: return
                octets += line[1:] if line.startswith(b".") else line
            keep(octets)
            say(b"250 2.0.0 kept")
        elif verb == b"QUIT":
            say(b"221 bye")
            return
        else: say(b"250 ok")

s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind((address, port))
s.listen(64)
print("ready", flush=True)
while True:
    c, _ = s.accept()
    threading.Thread(target=lambda c=c: (session(c), c.close()), daemon=True).start()
