"""A POP3 server that is as some are, for migrate.sh and fetch.sh: odd_pop3.py PORT. The user's name says in which way.

long   a UIDL of 80 octets, and two messages that share one     short  a message that ends before its announced size
refuse RETR of the second is refused                            none   no UIDL at all
drop   the connection goes in the third message, once           lie    LIST says one octet for everything
quit   all that was fetched is gone after QUIT                   reuse  one message; another one under its UIDL once ./reuse.step is there
lf     LIST counts LF alone; ./lf.retrs has how many were fetched 
hides  LIST counts LF alone, the second message's lines are not stuffed, and as many octets as announced come before its line "."
dots…  the second message's lines are not stuffed: …none without UIDL, …all of 20 messages each
DELE is done at QUIT. ./sessions has how many logins there were.
"""
import os, socket, sys, threading

dropped = set()
kept = {}
lfs = []
logins = []


HIDES = b"Subject: odd 2\r\n\r\n" + b"1\r\n" * 20 + b".\r\n+OK\r\nx\r\n"


def mail(n): return b"Subject: odd %d\r\n\r\nmessage %d\r\n.dots\r\n" % (n, n) + b"x" * 60 * n + b"\r\n"


def lf_size(text): return len(text) - text.count(b"\n")


def session(c):
    f = c.makefile("rb")
    say = lambda line: c.sendall(line + b"\r\n")
    many = lambda lines: c.sendall(b"+OK\r\n" + b"".join(l + b"\r\n" for l in lines) + b".\r\n")
    say(b"+OK odd")
    user, fetched, marked = "", set(), set()
    while line := f.readline():
        verb, *args = line.split()
        verb = verb.upper()
        box = [n for n in range(1, 21 if user == "dotsall" else 5) if n not in kept.get(user, ())]
        if user == "reuse": box = [2 if os.path.exists("reuse.step") else 1]
        if verb == b"CAPA": say(b"-ERR what?") if user.endswith("none") else many([b"UIDL", b"USER"])
        elif verb == b"USER": user = args[0].split(b"@")[0].decode(); say(b"+OK")
        elif verb == b"PASS":
            logins.append(user)
            with open("sessions", "w") as out: print(len(logins), file=out)
            say(b"+OK")
        elif verb == b"STAT": say(b"+OK %d %d" % (len(box), sum(len(mail(n)) for n in box)))
        elif verb == b"LIST": many([b"%d %d" % (n, 1 if user == "lie" else 5000 if user == "short" and n == 2 else len(mail(n)) - (user == "lf" and mail(n).count(b"\n")) if user != "hides" else lf_size(HIDES if n == 2 else mail(n))) for n in box])
        elif verb == b"UIDL":
            if user.endswith("none"): say(b"-ERR never heard of it"); continue
            ids = {n: b"%s-%d" % (user.encode(), n) for n in box}
            if user == "reuse": ids = {n: b"reuse" for n in box}
            if user == "long": ids[2] = b"u" * 80; ids[4] = ids[3]
            if args: say(b"+OK %s %s" % (args[0], ids[int(args[0])])); continue
            many([b"%d %s" % (n, ids[n]) for n in box])
        elif verb == b"RETR":
            n = int(args[0])
            if user == "refuse" and n == 2: say(b"-ERR that one is not readable"); continue
            body = mail(n).replace(b"\r\n.", b"\r\n..")
            if user == "lf":
                lfs.append(n)
                with open("lf.retrs", "w") as out: print(len(lfs), file=out)
            if user[:4] == "dots" and (n == 2 or user == "dotsall"): body = b".\r\n..\r\nx\r\n"
            if user == "hides" and n == 2: body = HIDES
            if user == "drop" and n == 3 and user not in dropped:
                dropped.add(user)
                c.sendall(b"+OK\r\n" + body[:40])
                return
            fetched.add(n)
            c.sendall(b"+OK\r\n" + body + b".\r\n")
        elif verb == b"DELE": marked.add(int(args[0])); say(b"+OK")
        elif verb == b"QUIT":
            kept[user] = kept.get(user, set()) | marked
            if user == "quit": kept[user] = fetched
            say(b"+OK")
            return
        else: say(b"-ERR what?")


def serve(c):
    with c:
        try: session(c)
        except OSError: pass


s = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
