"""A POP3 server to collect from, with a ledger, and with faults by the user's name.

    collect_remote.py FOLDER CERT KEY OTHER-CERT OTHER-KEY

Prints its ports: plain (with STLS), TLS, TLS with the other certificate. FOLDER/USER.json is a maildrop: a list of
[uidl, text]. FOLDER/said has a line for each thing that happened. The part of the name before "-" is the fault:

    good     none                         wrong    -ERR [AUTH] to every password but "right-now"
    doubt    -ERR without a code          stall    says nothing after the login
    endless  a line without end           cut      hangs up inside the third message
    nouidl   has no UIDL                  inject   says more behind its answer to STLS
    apop     takes APOP alone             slow     a little pause before each message
    liar     LIST says 5000 of a message that has "short" in its UIDL
    dots     does not stuff the first line of a message
    raw      stuffs no line at all, and LIST counts a line end as one octet
"""
import hashlib, json, os, socket, ssl, sys, threading, time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
import ports

folder, lock = sys.argv[1], threading.RLock()

def said(*words):
    with lock, open(folder + "/said", "a") as f:
        print(*words, file=f, flush=True)

def context(cert, key):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    c.load_cert_chain(cert, key)
    return c

class Session:
    def __init__(self, sock, tls, contexts):
        self.sock, self.tls, self.contexts = sock, tls, contexts
        self.user, self.fault, self.drop, self.gone = "", "", [], set()

    def put(self, text):
        self.sock.sendall(text.encode() if isinstance(text, str) else text)

    def line(self):
        return self.file.readline().decode("latin-1").rstrip("\r\n")

    def run(self):
        if self.tls: self.sock = self.contexts[self.tls].wrap_socket(self.sock, server_side=True)
        self.file = self.sock.makefile("rb")
        self.stamp = "<1896.697170952@remote>"
        self.put("+OK ready %s\r\n" % self.stamp)
        while True:
            line = self.line()
            if not line: return
            verb, _, rest = line.partition(" ")
            said("verb", verb.upper(), "tls" if self.tls else "clear")
            if not getattr(self, "do_" + verb.upper(), self.unknown)(rest): return

    def unknown(self, rest):
        self.put("-ERR what?\r\n")
        return True

    def do_CAPA(self, rest):
        self.put("+OK\r\nUSER\r\n%sRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUIDL\r\n.\r\n" % ("" if self.tls else "STLS\r\n"))
        return True

    def do_STLS(self, rest):
        inject = os.path.exists(folder + "/inject")
        self.put("+OK go\r\n" + ("+OK more\r\n" if inject else ""))
        self.tls = 1
        self.sock = self.contexts[1].wrap_socket(self.sock, server_side=True)
        self.file = self.sock.makefile("rb")
        return True

    def do_USER(self, rest):
        self.user, self.fault = rest, rest.partition("-")[0]
        self.put("+OK\r\n" if self.fault != "apop" else "-ERR APOP alone\r\n")
        return True

    def do_PASS(self, rest):
        if self.fault == "wrong" and rest != "right-now": self.put("-ERR [AUTH] no such\tpassword \x1b[31m\r\n")
        elif self.fault == "doubt": self.put("-ERR not now\r\n")
        else: return self.enter()
        return True

    def do_APOP(self, rest):
        self.user, _, digest = rest.partition(" ")
        self.fault = self.user.partition("-")[0]
        right = hashlib.md5((self.stamp + "secret").encode()).hexdigest()
        if digest == right: return self.enter()
        self.put("-ERR [AUTH] wrong\r\n")
        return True

    def enter(self):
        said("login", self.user, "tls" if self.tls else "clear")
        with lock, open("%s/%s.json" % (folder, self.user)) as f: self.drop = json.load(f)
        self.put("+OK\r\n")
        if self.fault == "stall": time.sleep(3600)
        if self.fault == "endless":
            while True: self.put(b"x" * 65536)
        return True

    def do_STAT(self, rest):
        self.put("+OK %d %d\r\n" % (len(self.drop), sum(len(t) for _, t in self.drop)))
        return True

    def size(self, uidl, text):
        if self.fault == "liar" and "short" in uidl: return 5000
        return len(text) - (text.count("\n") if self.fault == "raw" else 0)

    def do_LIST(self, rest):
        self.put("+OK\r\n" + "".join("%d %d\r\n" % (i + 1, self.size(u, t)) for i, (u, t) in enumerate(self.drop)) + ".\r\n")
        return True

    def do_UIDL(self, rest):
        if self.fault == "nouidl": return self.unknown(rest)
        if rest:
            self.put("+OK %s %s\r\n" % (rest, self.drop[int(rest) - 1][0]))
            return True
        self.put("+OK\r\n" + "".join("%d %s\r\n" % (i + 1, u) for i, (u, _) in enumerate(self.drop)) + ".\r\n")
        return True

    def do_RETR(self, rest):
        n = int(rest)
        text = self.drop[n - 1][1].encode("latin-1")
        if self.fault == "slow": time.sleep(0.02)
        said("retr", self.user, self.drop[n - 1][0])
        if self.fault == "cut" and n == 3 and not os.path.exists(folder + "/mended"):
            self.put(b"+OK\r\n" + text[: len(text) // 2])
            return False
        lines = text.splitlines(True)
        first = lines[:1] if self.fault == "dots" else lines if self.fault == "raw" else []
        self.put(b"+OK\r\n" + b"".join(first) + b"".join(b"." + l if l.startswith(b".") else l for l in lines[len(first):]) + b".\r\n")
        return True

    def do_DELE(self, rest):
        self.gone.add(int(rest) - 1)
        self.put("+OK\r\n")
        return True

    def do_NOOP(self, rest):
        self.put("+OK\r\n")
        return True

    def do_QUIT(self, rest):
        with lock:
            path = "%s/%s.json" % (folder, self.user)
            if self.gone and os.path.exists(path):
                with open(path) as f: now = json.load(f)
                with open(path + ".new", "w") as f: json.dump([m for m in now if m not in [self.drop[i] for i in self.gone]], f)
                os.rename(path + ".new", path)
            for i in sorted(self.gone): said("deleted", self.user, self.drop[i][0])
        self.put("+OK bye\r\n")
        return False

def serve(sock, tls, contexts):
    s = Session(sock, tls, contexts)
    try: s.run()
    except (OSError, ValueError, IndexError): said("broken", s.user)
    finally:
        try: s.sock.close()
        except OSError: pass

def accept(listener, tls, contexts):
    while True:
        sock, _ = listener.accept()
        said("connected", tls)
        threading.Thread(target=serve, args=(sock, tls, contexts), daemon=True).start()

contexts = [None, context(*sys.argv[2:4]), context(*sys.argv[4:6])]
block = ports.own_block()
numbers = ports.free_ports(block.name, 3)
for tls in range(3):
    listener = socket.socket()
    listener.bind(("127.0.0.1", numbers[tls]))
    listener.listen(64)
    threading.Thread(target=accept, args=(listener, tls, contexts), daemon=True).start()
print(*numbers, flush=True)
threading.Event().wait()
