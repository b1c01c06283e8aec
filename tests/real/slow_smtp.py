"""SMTP servers that take their time, for a sender that is reloaded, stopped or killed meanwhile: slow_smtp.py PORT FOLDER

What comes in whole is a line "ADDRESS RECIPIENT SUBJECT" in FOLDER/came, what was answered 250 one in FOLDER/taken.

    127.0.0.81  answers the end of data when the file FOLDER/go is there
    127.0.0.82  takes mail at once
    127.0.0.83  offers STARTTLS and answers the handshake with rubbish; in the clear it takes mail
    127.0.0.84  never greets
"""
import os, socket, sys, threading, time

port, folder = int(sys.argv[1]), sys.argv[2]
lock = threading.Lock()

def note(file, line):
    with lock, open(folder + "/" + file, "a") as f:
        f.write(line + "\n")

def session(conn, who):
    f = conn.makefile("rb")
    def say(text): conn.sendall(text.encode() + b"\r\n")
    if who.endswith(".84"):
        while f.readline(): pass
        return
    say("220 slow ESMTP")
    rcpts = []
    while True:
        line = f.readline()
        if not line: return
        verb = line.strip().upper()
        if verb.startswith(b"EHLO"): say("250-slow\r\n250-PIPELINING\r\n" + ("250-STARTTLS\r\n" if who.endswith(".83") else "") + "250 8BITMIME")
        elif verb.startswith(b"STARTTLS"):
            note("tls", who)
            say("220 go")
            conn.sendall(b"this is no TLS at all\r\n" * 20)
            return
        elif verb.startswith(b"MAIL"):
            rcpts = []
            say("250 ok")
        elif verb.startswith(b"RCPT"):
            rcpts.append(line.split(b"<")[1].split(b">")[0].decode())
            say("250 ok")
        elif verb.startswith(b"DATA"):
            say("354 go")
            text = b""
            while not text.endswith(b"\r\n.\r\n"):
                got = f.readline()
                if not got: return
                text += got
            subject = next((l for l in text.split(b"\r\n") if l.startswith(b"Subject: ")), b"").decode()
            for to in rcpts: note("came", "%s %s %s" % (who, to, subject))
            while who.endswith(".81") and not os.path.exists(folder + "/go"): time.sleep(0.05)
            say("250 2.0.0 taken")
            for to in rcpts: note("taken", "%s %s %s" % (who, to, subject))
        elif verb.startswith(b"RSET"): say("250 ok")
        elif verb.startswith(b"QUIT"):
            say("221 bye")
            return
        else: say("500 what")

def serve(who):
    s = socket.create_server((who, port), backlog=100)
    def run():
        while True:
            conn, _ = s.accept()
            def one():
                try: session(conn, who)
                except OSError: pass
                finally: conn.close()
            threading.Thread(target=one, daemon=True).start()
    threading.Thread(target=run, daemon=True).start()

for last in range(81, 85): serve("127.0.0.%d" % last)
print("ready", flush=True)
threading.Event().wait()
