"""SMTP servers with ways of their own, for a sender to meet: odd_smtp.py PORT FOLDER

Each notes "ADDRESS PEER NAME" (of EHLO) in FOLDER/peers. Each listens at an address of its own; what it takes is a line "ADDRESS RECIPIENT SUBJECT" in FOLDER/taken.

    127.0.0.61  good: PIPELINING, SIZE, 8BITMIME
    127.0.0.62  offers STARTTLS and answers the handshake with rubbish; in the clear it takes mail
    127.0.0.63  451 to the first RCPT of each recipient (greylisting), then good
    127.0.0.64  the first end of data is answered "250-" and "550": no success; then good
    127.0.0.65  the connection ends behind the first end of data, without a reply; then good
    127.0.0.66  421 in place of a greeting, always
    127.0.0.67  a reply of lines without end, always
    127.0.0.69  (nobody)
    127.0.0.70  never replies to MAIL
    127.0.0.72  421 to recipients "busy…", and closes; others are taken
    127.0.0.73  takes each message, and answers the end of data with a bare LF, always
    127.0.0.74  takes each message, and closes in place of a reply to the end of data, always
    127.0.0.71  takes mail, but for recipients "no…": 550 5.7.1
    ::1         550 5.7.1 to every recipient, as to who comes by IPv6 without a PTR record
    127.0.0.68  354 although no recipient was taken; the message behind it must be empty
"""
import socket, sys, threading

port, folder = int(sys.argv[1]), sys.argv[2]
lock, seen = threading.Lock(), set()

def taken(line):
    with lock, open(folder + "/taken", "a") as f:
        f.write(line + "\n")

def first(key):
    with lock:
        new = key not in seen
        seen.add(key)
        return new

def session(conn, who):
    f = conn.makefile("rb")
    def say(text): conn.sendall(text.encode() + b"\r\n")
    n = int(who.rsplit(".", 1)[1]) if "." in who else 0
    if n == 66:
        say("421 4.3.2 not now")
        return
    say("220 odd ESMTP")
    rcpts = []
    while True:
        line = f.readline()
        if not line: return
        verb = line.strip().upper()
        if verb.startswith(b"EHLO"):
            with lock, open(folder + "/peers", "a") as log: log.write("%s %s %s\n" % (who, conn.getpeername()[0], line.split()[1].decode()))
            if n == 67:
                for _ in range(200000): say("250-" + "x" * 60)
                return
            say("250-odd\r\n250-PIPELINING\r\n250-SIZE 1000000\r\n" + ("250-STARTTLS\r\n" if n == 62 else "") + "250 8BITMIME")
        elif verb.startswith(b"STARTTLS"):
            say("220 go")
            conn.sendall(b"this is no TLS at all\r\n" * 20)
            return
        elif verb.startswith(b"MAIL") and n == 70:
            threading.Event().wait(60)
            return
        elif verb.startswith(b"MAIL"):
            rcpts = []
            say("250 ok")
        elif verb.startswith(b"RCPT"):
            to = line.split(b"<")[1].split(b">")[0].decode()
            if n == 63 and first(("rcpt", to)): say("451 4.7.1 greylisted, come back")
            elif n == 68: say("550 5.1.1 nobody")
            elif n == 72 and to.startswith("busy"):
                taken("%s busy %s" % (who, to))
                say("421 4.7.0 %s has too many connections" % to)
                return
            elif n == 0 or n == 71 and to.startswith("no"):
                taken("%s refused %s" % (who, to))
                say("550 5.7.1 %s is not welcome here" % who)
            else:
                rcpts.append(to)
                say("250 ok")
        elif verb.startswith(b"DATA"):
            if not rcpts and n != 68:
                say("503 no recipients")
                continue
            say("354 go")
            text = b""
            while not text.endswith(b"\r\n.\r\n") and text != b".\r\n":
                got = f.readline()
                if not got: return
                text += got
            if n == 68:
                taken("127.0.0.68 %d" % len(text))
                say("554 as I said")
                continue
            subject = next((l for l in text.split(b"\r\n") if l.startswith(b"Subject: ")), b"").decode()
            if n == 65 and first(("end", subject)): return
            if n == 64 and first(("half", subject)):
                say("250-almost\r\n550 no")
                continue
            for to in rcpts: taken("%s %s %s" % (who, to, subject))
            if n == 74: return
            if n == 73: conn.sendall(b"250 2.0.0 \x1b taken\n")
            else: say("250 2.0.0 taken")
        elif verb.startswith(b"RSET"): say("250 ok")
        elif verb.startswith(b"QUIT"):
            say("221 bye")
            return
        else: say("500 what")

def serve(who):
    s = socket.create_server((who, port), family=socket.AF_INET6 if ":" in who else socket.AF_INET, backlog=100)
    def run():
        while True:
            conn, _ = s.accept()
            def one():
                try: session(conn, who)
                except OSError: pass
                finally: conn.close()
            threading.Thread(target=one, daemon=True).start()
    threading.Thread(target=run, daemon=True).start()

try: serve("::1")
except OSError: pass # no IPv6 on this machine
for last in [*range(61, 69), *range(70, 75)]: serve("127.0.0.%d" % last)
print("ready", flush=True)
threading.Event().wait()
