#!/usr/bin/env python3
"""The conversations of tests/conv against the real binary: real sockets, real TLS, real processes.

usage: conv.py QASID [FILE…]

The language is described in tests/world/conv.h. What only the simulated world can do (a clock that is moved,
a disk that fails, a client that stops reading) makes a file skipped here; everything else is run to the letter."""
import base64, concurrent.futures, glob, hashlib, hmac, json, os, re, shutil, signal, socket, ssl, subprocess, sys, tempfile, time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
import ports

CONV = os.path.join(HERE, "..", "conv")
WORLD_ONLY = re.compile(r"^(\w+ )?(clock|disk|pause|resume)\b")
SERVICES = ["smtp", "submission", "submissions", "pop3", "pop3s"]


class Failed(Exception):
    pass


def scram(user, password, server_first):
    """RFC 7677: the last message of a client whose first was "n,,n=USER,r=" and the RFC's nonce."""
    had = dict(part.split("=", 1) for part in server_first.split(","))
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(had["s"]), int(had["i"]))
    client_key = hmac.new(salted, b"Client Key", "sha256").digest()
    without_proof = "c=biws,r=" + had["r"]
    text = "n=%s,r=rOprNGfwEbeRWgbNEkqO,%s,%s" % (user, server_first, without_proof)
    signature = hmac.new(hashlib.sha256(client_key).digest(), text.encode(), "sha256").digest()
    proof = base64.b64encode(bytes(a ^ b for a, b in zip(client_key, signature))).decode()
    return base64.b64encode((without_proof + ",p=" + proof).encode()).decode()


def unescape(text):
    """\\r \\n \\0 \\t \\\\ \\xNN; everything else as UTF-8."""
    out, i, raw = bytearray(), 0, text.encode()
    simple = {b"r": b"\r", b"n": b"\n", b"0": b"\0", b"t": b"\t", b"\\": b"\\"}
    while i < len(raw):
        c = raw[i : i + 1]
        if c == b"\\" and raw[i + 1 : i + 2] in simple:
            out += simple[raw[i + 1 : i + 2]]
            i += 2
        elif c == b"\\" and raw[i + 1 : i + 2] == b"x":
            out.append(int(raw[i + 2 : i + 4], 16))
            i += 4
        else:
            out += c
            i += 1
    return bytes(out)


class Server:
    """One server in a folder of its own."""

    def __init__(self, binary, options):
        self.binary = binary
        self.dir = tempfile.mkdtemp(prefix="qasid-conv.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        self.options = options
        self.block = ports.own_block()
        self.configure()
        self.log = open(self.dir + "/log", "ab")
        self.process = None

    def command(self, *words, stdin=b""):
        return subprocess.run([self.binary, "-c", self.conf, *words], input=stdin, capture_output=True, check=True, timeout=60).stdout

    def rows(self, *words):
        """A command's rows, each with its values between blanks; none of a command that has no rows to show."""
        if words[:2] == ("account", "legacy"):  # the simulated world's name for it
            self.command("account", "passwd", words[2], "--password-stdin",
                         "--legacy-auth" if words[3] == "on" else "--no-legacy-auth", stdin=words[4].encode())
            return []
        try:
            said = self.command("--json", *words)
        except subprocess.CalledProcessError as e:
            if b"--json means nothing" not in e.stderr:
                raise
            said = self.command(*words) and b""
        return [" ".join(str(v) for v in row.values()).encode() for row in json.loads(said or b"[]")]

    def configure(self):
        """On ports of its own. No DNS server answers: mail for elsewhere waits."""
        self.ports = dict(zip(SERVICES, ports.free_ports(self.block.name, len(SERVICES))))
        shutil.copy(CERTIFICATE[0], self.dir + "/cert.pem")
        shutil.copy(CERTIFICATE[1], self.dir + "/key.pem")
        lines = {"hostname": '"mx.example.org"', "tls_certificates": '{ "%s/cert.pem" }' % self.dir,
                 "tls_keys": '{ "%s/key.pem" }' % self.dir, "data_dir": '"%s/data"' % self.dir, "run_dir": '"%s/run"' % self.dir,
                 "smtpd_processes": "1", "pop3d_processes": "1", "dns_servers": '{ "127.0.0.1@9" }'}
        lines.update({"listen_" + n: '{ "0.0.0.0:%d" }' % p for n, p in self.ports.items()})
        # Clients from elsewhere come from the loopback (see Client): its networks are those that are meant.
        lines.update({name: re.sub(r'"\d+\.(\d+\.\d+\.\d+/\d+)"', r'"127.\1"', value) if name.endswith("_networks") else value
                      for name, value in self.options.items()})
        self.conf = self.dir + "/qasid.conf"
        with open(self.conf, "w") as f:
            f.writelines("%s = %s\n" % kv for kv in lines.items())

    def start(self):
        at = os.path.getsize(self.dir + "/log")
        self.process = subprocess.Popen([self.binary, "-c", self.conf, "serve"], stderr=self.log, stdout=self.log)
        self.wait_log(b"event=ready", at, 60)

    def wait_log(self, what, at=0, seconds=20):
        end = time.monotonic() + seconds
        while True:
            with open(self.dir + "/log", "rb") as f:
                f.seek(at)
                hit = re.search(what, f.read())
            if hit:
                return hit
            if time.monotonic() > end:
                raise Failed("the log has no %s" % what.decode())
            time.sleep(0.01)

    def pids(self):
        return [int(p) for p in subprocess.run(["pgrep", "-P", str(self.process.pid)], capture_output=True, text=True).stdout.split()]

    def pid_of(self, process):
        for pid in self.pids():
            try:
                if open("/proc/%d/cmdline" % pid, "rb").read().split(b"\0")[2] == process.encode():
                    return pid
            except (OSError, IndexError):
                pass

    def kill(self, process):
        old = self.pid_of(process)
        os.kill(old, signal.SIGKILL)
        end = time.monotonic() + 5
        while self.pid_of(process) in (old, None):
            if time.monotonic() > end:
                raise Failed(process + " did not come back")
            time.sleep(0.01)
        time.sleep(0.15)

    def power_loss(self):
        for pid in [self.process.pid] + self.pids():
            os.kill(pid, signal.SIGKILL)
        self.process.wait()
        time.sleep(0.1)
        self.start()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(25)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.log.close()
        text = open(self.dir + "/log", "rb").read()
        shutil.rmtree(self.dir, ignore_errors=True)
        self.block.close()
        if re.search(rb"AddressSanitizer|runtime error|event=breach", text):
            raise Failed("the server's log:\n" + text.decode(errors="replace")[-3000:])


class Client:
    def __init__(self, server, service, source):
        self.server, self.have, self.reply, self.first = server, b"", [], None
        self.log_at = os.path.getsize(server.dir + "/log")
        self.sock = socket.socket()
        self.sock.settimeout(20)
        self.sock.bind(("127." + source.split(".", 1)[1] if source else "127.0.0.1", 0))
        self.sock.connect(("127.0.0.1", server.ports[service]))
        self.secure_now = service in ("submissions", "pop3s")
        if self.secure_now:
            self.secure()

    def secure(self, certificate=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if certificate:
            context.load_cert_chain(os.path.join(CONV, certificate))
        if self.have:
            raise Failed("octets before the handshake: %r" % self.have)
        self.sock = context.wrap_socket(self.sock)

    def send(self, octets):
        try:
            self.sock.sendall(octets)
        except OSError:
            pass  # it has closed; what it said and why is looked at next

    def line(self):
        while b"\r\n" not in self.have:
            try:
                more = self.sock.recv(65536)
            except (ConnectionError, ssl.SSLError):
                more = b""
            if not more:
                raise Failed("closed; before that %r" % self.have)
            self.have += more
        line, self.have = self.have.split(b"\r\n", 1)
        self.first = self.first or line
        self.latest = line
        return line

    def rest(self):
        """Everything until the server closes."""
        try:
            while True:
                more = self.sock.recv(65536)
                if not more:
                    return self.have
                self.have += more
        except (ConnectionError, ssl.SSLError):
            return self.have


class Play:
    def __init__(self, binary, path):
        self.path, self.binary = path, binary
        self.lines = open(path, encoding="utf-8").read().split("\n")
        self.memory, self.clients, self.passwords, self.server = {}, {}, {}, None

    def skipped(self):
        return any(WORLD_ONLY.match(l) for l in self.lines)

    # --- what is said ---

    def fill(self, text, client, raw):
        def one(m):
            word, _, rest = m.group(1).partition(" ")
            if word == "repeat":
                n, what = rest.split(" ", 1)
                return what * int(n)
            if word == "base64":
                return base64.b64encode(unescape(rest)).decode()
            if word == "apop":
                stamp = re.search(rb"<[^>]*>", client.first).group(0)
                return hashlib.md5(stamp + rest.encode()).hexdigest()
            if word == "scram":
                user, password = rest.split(" ", 1)
                return scram(user, password, base64.b64decode(client.latest.split(b" ", 1)[1]).decode())
            if word == "cram":
                user, password = rest.split(" ", 1)
                challenge = base64.b64decode(client.latest.split(b" ", 1)[1])
                digest = hmac.new(password.encode(), challenge, "md5").hexdigest()
                return base64.b64encode(("%s %s" % (user, digest)).encode()).decode()
            return self.memory.get(word, m.group(0))

        text = re.sub(r"\{([^{}=][^{}]*)\}", one, text)
        return unescape(text) if raw else text.encode()

    def matches(self, line, pattern):
        # 192.0.2.7 is not ours to have on a real socket; 127.0.2.7 is.
        pattern = re.sub(r"\{repeat (\d+) ([^{}]*)\}", lambda m: m.group(2) * int(m.group(1)), pattern.replace("192.0.2.", "127.0.2."))
        names, regex = [], b""
        for part in re.split(r"(\.\.\.|\{=\w+\}|\{\w+\})", pattern):
            if part == "...":
                regex += b".*"
            elif part.startswith("{="):
                names.append(part[2:-1])
                regex += b"(.*?)"
            elif part.startswith("{") and part[1:-1] in self.memory:
                regex += re.escape(self.memory[part[1:-1]].encode())
            else:
                regex += re.escape(part.encode())
        m = re.fullmatch(regex, line, re.DOTALL)
        if m:
            self.memory.update({n: g.decode(errors="replace") for n, g in zip(names, m.groups())})
        return m is not None

    def want(self, line, pattern):
        if not self.matches(line, pattern):
            raise Failed("wanted %s\n        got    %s" % (pattern, line.decode(errors="replace")))

    def whole_reply(self, c, pattern):
        """SMTP: "250-…" up to "250 …". POP3: the +OK line and what follows up to "."."""
        c.reply = [c.line()]
        if re.match(rb"\d{3}[- ]", c.reply[0]):
            while c.reply[-1][3:4] == b"-":
                c.reply.append(c.line())
            self.want(c.reply[-1], pattern)
        else:
            self.want(c.reply[0], pattern)
            while c.reply[-1] != b".":
                c.reply.append(c.line())

    # --- the scene ---

    def scene(self):
        """Everything before the first connection; returns where that is."""
        options, steps, i = {}, [], 0
        while i < len(self.lines) and not re.match(r"(\w+ )?connect\b", self.lines[i]):
            line = self.lines[i]
            i += 1
            if line.startswith("option "):
                _, name, value = line.split(" ", 2)
                if name == "oauth_keys":
                    value = '"%s"' % os.path.join(os.path.realpath(CONV), os.path.basename(value.strip('"')))
                options[name] = value
            elif line.startswith("message "):
                body = []
                while i < len(self.lines) and self.lines[i].startswith("|"):
                    body.append(self.lines[i][2:])
                    i += 1
                steps.append(line.split() + ["\r\n".join(body) + "\r\n"])
            elif line.split(" ")[0] in ("account", "alias", "qasid"):
                steps.append(line)
        self.server = Server(self.binary, options)
        self.server.start()
        domains = set()
        for s in steps:
            words = s if isinstance(s, list) else s.split(" ")
            domain = words[1].split("@")[1] if words[0] != "qasid" else None
            if domain and domain not in domains:
                self.server.command("domain", "add", domain)
                domains.add(domain)
            self.set_up(s, words)
        return i

    def set_up(self, line, words):
        if words[0] == "qasid":
            self.server.command(*words[1:])
        elif words[0] == "account":
            m = re.match(r'account (\S+) (?:"([^"]*)"|(\S+))( legacy)?$', line)
            password = m.group(2) if m.group(2) is not None else m.group(3)
            self.passwords[m.group(1)] = password
            self.server.command("account", "add", m.group(1), "--password-stdin", *(["--legacy-auth"] if m.group(4) else []),
                                stdin=password.encode() + b"\n")
        elif words[0] == "alias":
            self.server.command("alias", "add", *words[1:])
        else:
            box = self.server.dir + "/message"
            for sub in ("cur", "new", "tmp"):
                os.makedirs(box + "/" + sub, exist_ok=True)
            with open(box + "/cur/1:2,", "wb") as f:
                f.write(words[-1].encode())
            uidl = [w[5:] for w in words if w.startswith("uidl=")]
            extra = []
            if uidl:
                with open(self.server.dir + "/uidl", "w") as f:
                    f.write("%s\t1:2,\n" % uidl[0])
                extra = ["--uidl", self.server.dir + "/uidl"]
            self.server.command("import", words[1], box, *extra)

    # --- the conversation ---

    def mailbox(self, name):
        place = self.server.dir + "/export.%d" % time.monotonic_ns()
        self.server.command("export", name, place, "--format", "maildir")
        files = []
        for sub in ("cur", "new"):
            for entry in os.listdir(place + "/" + sub):
                files.append(open("%s/%s/%s" % (place, sub, entry), "rb").read())
        order = [row for row in json.loads(self.server.command("--json", "mail", "list", name))]
        return files, len(order)

    def expect(self, c, text):
        words = text.split(" ")
        if words[0] == "closed":
            rest = c.rest()
            if rest:
                raise Failed("said before it closed: %r" % rest[:300])
            c.server.wait_log(b"why=(%s)" % words[1].encode(), c.log_at)
        elif words[0] == "open":
            c.sock.settimeout(0.2)
            try:
                more = c.sock.recv(1)
                raise Failed("closed" if not more else "said more")
            except (TimeoutError, ssl.SSLWantReadError):
                c.sock.settimeout(20)
        elif words[0] == "mailbox":
            _, count = self.mailbox(words[1])
            if count != int(words[2]):
                raise Failed("%d messages in %s's mailbox, not %s" % (count, words[1], words[2]))
        else:
            pattern = " ".join(words[3 if words[0] == "mail" else 2 :])
            files, _ = self.mailbox(words[1])
            found = any(self.matches(l.rstrip(b"\r"), pattern) for f in files for l in f.split(b"\n"))
            if found != (words[0] == "mail"):
                raise Failed("%s in %s's mailbox: %s" % (pattern, words[1], found))

    def logged(self, pattern):
        with open(self.server.dir + "/log", "rb") as f:
            return any(self.matches(line, pattern) for line in f.read().splitlines())

    def step(self, line):
        m = re.match(r"(?:(\w+) )?(C|S|C-|S\*|connect|has|hasnt|secure|drop|expect|kill|restart|qasid|log|nolog)(?:\((\d+)\))?(?:[: ] ?(.*))?$", line)
        if not m:
            raise Failed("not understood")
        name, verb, times, text = m.group(1) or "", m.group(2), int(m.group(3) or 1), m.group(4) or ""
        c = self.clients.get(name)
        if verb == "connect":
            words = text.split(" ")
            self.clients[name] = Client(self.server, words[0], words[2] if "from" in words else None)
        elif verb == "C":
            c.send((self.fill(text, c, False) + b"\r\n") * times)
        elif verb == "C-":
            c.send(self.fill(text, c, True) * times)
        elif verb == "S":
            for _ in range(times):
                self.want(c.line(), text)
        elif verb == "S*":
            for _ in range(times):
                self.whole_reply(c, text)
        elif verb in ("has", "hasnt"):
            found = any(self.matches(l, text) for l in c.reply)
            if found != (verb == "has"):
                raise Failed("%s in the reply: %s" % (text, found))
        elif verb == "secure":
            c.secure(text[5:] if text.startswith("with ") else None)
        elif verb == "drop":
            c.sock.close()
            time.sleep(0.1)
        elif verb == "expect":
            self.expect(c, text)
        elif verb == "qasid":
            c.reply = self.server.rows(*text.split(" "))
            time.sleep(0.2)  # the front-ends learn of a change behind the command's answer
        elif verb == "log":
            end = time.monotonic() + 3
            while not self.logged(text):
                if time.monotonic() > end:
                    raise Failed("no such line in the log")
                time.sleep(0.01)
        elif verb == "nolog":
            if self.logged(text):
                raise Failed("there is such a line in the log")
        elif verb == "kill":
            self.server.kill(text)
        elif verb == "restart":
            self.server.power_loss()

    def run(self):
        at = 0
        try:
            at = self.scene()
            while at < len(self.lines):
                line = self.lines[at]
                at += 1
                if line and not line.startswith("#"):
                    self.step(line)
        except (Failed, OSError, subprocess.SubprocessError, AttributeError) as e:
            extra = getattr(e, "stderr", b"") or b""
            return "%s:%d: %s\n        %s%s" % (os.path.relpath(self.path, CONV), at, self.lines[at - 1][:120], e, extra.decode(errors="replace"))
        finally:
            for c in self.clients.values():
                c.sock.close()
            if self.server:
                try:
                    self.server.stop()
                except Failed as e:
                    return "%s: %s" % (os.path.relpath(self.path, CONV), e)
        return None


def main():
    global CERTIFICATE
    binary = os.path.abspath(sys.argv[1])
    files = sys.argv[2:] or sorted(glob.glob(os.path.join(CONV, "*", "*.conv")))
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0:quarantine_size_mb=16")
    with tempfile.TemporaryDirectory(prefix="qasid-conv-cert.") as folder:
        CERTIFICATE = (folder + "/cert.pem", folder + "/key.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=mx.example.org",
                        "-keyout", CERTIFICATE[1], "-out", CERTIFICATE[0]], check=True, capture_output=True)
        plays = [Play(binary, f) for f in files]
        todo = [p for p in plays if not p.skipped()]
        with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
            failures = [r for r in pool.map(Play.run, todo) if r]
    for f in failures:
        print("FAIL", f)
    print("%d passed, %d failed, %d skipped" % (len(todo) - len(failures), len(failures), len(plays) - len(todo)))
    sys.exit(bool(failures))


main()
