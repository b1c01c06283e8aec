"""Raw connections for the tests that misbehave: what is sent is what is written here, octet by octet."""
import hashlib, os, re, socket, ssl, struct, subprocess, sys, time

HOST = "127.0.0.1"
smtp, submission, submissions, pop3, pop3s = (int(os.environ[n]) for n in ("smtp", "submission", "submissions", "pop3", "pop3s"))
folder, binary, server = os.environ["dir"], os.environ["qasid_bin"], int(os.environ.get("server") or 0)
sanitized = "asan" in binary or "tsan" in binary
tls = ssl.create_default_context(cafile=folder + "/cert.pem")


class Wire:
    """A connection. Nothing is read or sent but what is asked for."""

    def __init__(self, port, source=None, timeout=10, secure=False, greet=True):
        self.sock = socket.create_connection((HOST, port), timeout, (source, 0) if source else None)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.held, self.over = b"", False
        if secure: self.handshake()
        self.greeting = self.line() if greet else ""

    def handshake(self): self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")

    def send(self, octets): self.sock.sendall(octets if isinstance(octets, bytes) else octets.encode() + b"\r\n")

    def line(self):
        """The next line; "" when the server closed."""
        while b"\n" not in self.held:
            try: more = self.sock.recv(65536)
            except (ConnectionResetError, BrokenPipeError): more = b""
            if not more:
                self.over = True
                return ""
            self.held += more
        line, self.held = self.held.split(b"\n", 1)
        return line.decode("latin-1").rstrip("\r")

    def reply(self):
        """An SMTP reply's last line."""
        line = self.line()
        while line[3:4] == "-": line = self.line()
        return line

    def ask(self, command):
        self.send(command)
        return self.reply()

    def many(self):
        """The lines of a multi-line POP3 response after its first."""
        lines = []
        while True:
            line = self.line()
            assert not self.over, "closed inside a response"
            if line == ".": return lines
            lines.append(line)

    def rest(self):
        """Everything until the server closes."""
        got, self.held = self.held, b""
        while True:
            try: more = self.sock.recv(65536)
            except (ConnectionResetError, BrokenPipeError): more = b""
            if not more: return got.decode("latin-1")
            got += more

    def is_closed(self): return self.rest() == ""

    def half_close(self): self.sock.shutdown(socket.SHUT_WR)

    def close(self, reset=False):
        if reset: self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def __enter__(self): return self

    def __exit__(self, *_): self.close()


def starts(got, want):
    assert got.startswith(want), (want, got[:200])
    return got


def mail(to=None, source=None, recipient="alice"):
    """An SMTP session that has come to the end of RCPT."""
    w = Wire(to or smtp, source)
    starts(w.ask("EHLO client.example"), "250 ")
    starts(w.ask("MAIL FROM:<a@example.net>"), "250 ")
    starts(w.ask("RCPT TO:<%s@example.org>" % recipient), "250 ")
    return w


def deliver(recipient="alice", body=b"Subject: x\r\n\r\nx\r\n", source=None):
    """The reply to a message's end."""
    with mail(None, source, recipient) as w:
        starts(w.ask("DATA"), "354 ")
        return w.ask(body + b".\r\n")


def apop_line(w, name, password=None):
    stamp = re.search("<[^>]*>", w.greeting).group(0)
    digest = hashlib.md5((stamp + (password or "secret-" + name)).encode()).hexdigest()
    return "APOP %s@example.org %s" % (name, digest)


def drop(name="alice", source=None, timeout=10):
    """A POP3 session that has logged in."""
    w = Wire(pop3, source, timeout)
    w.login = w.ask(apop_line(w, name))
    return w


def stat(name="alice"):
    with drop(name) as w:
        starts(w.login, "+OK")
        n = int(w.ask("STAT").split()[1])
        starts(w.ask("QUIT"), "+OK")
        return n


def role_pids(kind):
    """The processes of one kind."""
    pids = subprocess.run(["pgrep", "-P", str(server)], capture_output=True, text=True).stdout.split()
    found = []
    for pid in pids:
        try:
            if open("/proc/%s/cmdline" % pid, "rb").read().split(b"\0")[2] == kind.encode(): found.append(int(pid))
        except (OSError, IndexError): pass
    return found


def rss(pid): return int(re.search(r"VmRSS:\s+(\d+)", open("/proc/%d/status" % pid).read()).group(1)) * 1024


def descriptors(pid): return len(os.listdir("/proc/%d/fd" % pid))


def logged(pattern, seconds=30):
    end = time.monotonic() + seconds
    while True:
        if re.search(pattern, open(folder + "/log", errors="replace").read()): return True
        if time.monotonic() > end: raise AssertionError("the log has no " + pattern)
        time.sleep(0.05)


def qasid(*words, code=0):
    got = subprocess.run([binary, "-c", folder + "/qasid.conf", *words], capture_output=True, text=True)
    assert code is None or got.returncode == code, (words, got.returncode, got.stdout[-500:], got.stderr[-500:])
    return got.stdout


def within(seconds, what):
    """Runs what() and fails when it took longer."""
    begin = time.monotonic()
    got = what()
    took = time.monotonic() - begin
    assert took < seconds, "took %.2f s" % took
    return got


def run(tests):
    """Runs (words, function) pairs and prints as tests/lib.sh does."""
    for words, test in tests:
        begin = time.monotonic()
        try:
            test()
            took = time.monotonic() - begin
            print("ok    " + words + (" (%.0f s)" % took if took >= 1 else ""), flush=True)
        except Exception as e:  # every failure is one line, and the next test goes on
            at = e.__traceback__
            while at.tb_next and at.tb_next.tb_frame.f_code.co_filename == __file__.replace("_kit", ""): at = at.tb_next
            print("FAIL  %s: %s %s (line %d)" % (words, type(e).__name__, str(e)[:400], at.tb_lineno), flush=True)
