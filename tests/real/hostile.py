"""The reply to bad input: a clear error, a named reason in the log, and nothing lost or half kept. Run by hostile.sh."""
import base64, socket, ssl, threading
from hostile_kit import *

b64 = lambda s: base64.b64encode(s if isinstance(s, bytes) else s.encode()).decode()

# --- lines and verbs ---

def unknown_verbs():
    with Wire(smtp) as w:
        for bad in ("FROBNICATE", "EHLOX a", "MAIL", "RCPT TO:<a@b>", "DATA", "X" * 100): starts(w.ask(bad), "50")
        starts(w.ask("EHLO client.example"), "250 ")
        starts(w.ask("QUIT"), "221 ")
    with Wire(pop3) as w:
        for bad in ("FROBNICATE", "STAT", "RETR 1", "QUITX", "", " "): starts(w.ask(bad), "-ERR")
        starts(w.ask("QUIT"), "+OK")

def endless_refusals():
    for port, bad, want in ((smtp, "FROBNICATE", "421"), (pop3, "FROBNICATE", "-ERR")):
        with Wire(port) as w:
            w.send((bad + "\r\n").encode() * 200)
            lines = w.rest().splitlines()
            assert len(lines) <= 21 and lines[-1].startswith(want), lines[-2:]
    logged("service=smtp .*why=too-many-errors"), logged("service=pop3 .*why=too-many-errors")

def out_of_order():
    with Wire(smtp) as w:
        starts(w.ask("MAIL FROM:<a@example.net>"), "503 5.5.1")
        starts(w.ask("EHLO client.example"), "250 ")
        for early in ("RCPT TO:<alice@example.org>", "DATA"): starts(w.ask(early), "503 5.5.1")
        starts(w.ask("MAIL FROM:<a@example.net>"), "250 ")
        for early in ("DATA", "MAIL FROM:<b@example.net>"): starts(w.ask(early), "503 5.5.1")
        starts(w.ask("RCPT TO:<nobody@example.org>"), "550 5.1.1")
        starts(w.ask("DATA"), "503 5.5.1")
        starts(w.ask("QUIT"), "221 ")
    with drop() as w:
        starts(w.login, "+OK")
        for late in ("USER x", "PASS x", "APOP x y", "AUTH PLAIN", "STLS"): starts(w.ask(late), "-ERR")

def overlong_lines():
    with Wire(smtp) as w:
        starts(w.ask("EHLO " + "a" * 4096), "500 5.5.6")
        starts(w.ask("NOOP " + "a" * (2048 - 7)), "250")
        starts(w.ask("NOOP " + "a" * (2048 - 6)), "500 5.5.6")
        starts(w.ask("EHLO client.example"), "250 ")
    with Wire(pop3) as w:
        starts(w.ask("USER " + "a" * 5000), "-ERR")
        starts(w.ask("CAPA"), "+OK"), w.many()

def endless_lines():
    for port, word, last in ((smtp, "line-too-long", "421"), (pop3, "line-too-long", "-ERR")):
        with Wire(port) as w:
            sent = 0
            try:
                while sent < 4 << 20:
                    w.send(b"A" * 65536)
                    sent += 65536
                raise AssertionError("4 MB of one line were taken")
            except OSError: pass
            got = w.rest().splitlines()
            if got: starts(got[-1], last)  # a reset may have overtaken the words
        logged("service=%s .*why=%s" % ("smtp" if port == smtp else "pop3", word))

def nul_and_bare_ends():
    with Wire(smtp) as w:
        for bad in (b"EH\0LO x\r\n", b"EHLO x\ry\r\n"): starts(w.ask(bad), "500 5.5.2")
        starts(w.ask(b"EHLO x\n"), "500 5.5.2")
        w.send(b"\r\n")  # the rest of that line
        starts(w.ask("EHLO client.example"), "250 ")
        starts(w.ask(b"MAIL FROM:<\"a\0b\"@example.net>\r\n"), "500 5.5.2")
    with Wire(pop3) as w:
        for bad in (b"CA\0PA\r\n", b"CAPA\nCAPA\r\n", b"USER a\rb\r\n", b"USER a\0b\r\n"): starts(w.ask(bad), "-ERR")
        starts(w.ask("CAPA"), "+OK"), w.many()

def eight_bit():
    with Wire(smtp) as w:
        starts(w.ask("EHLO client.example"), "250 ")
        starts(w.ask(b"M\xc0IL FROM:<a@example.net>\r\n"), "500 5.5.1")
        for bad in (b"MAIL FROM:<\xff\xfe@example.net>\r\n", "MAIL FROM:<é@example.net>"): starts(w.ask(bad), "5")
        starts(w.ask("NOOP é"), "250")
        starts(w.ask("QUIT"), "221 ")
    with Wire(pop3) as w:
        starts(w.ask(b"\xc3\xa9\xff\r\n"), "-ERR")
        starts(w.ask(b"APOP \xff\xfe " + b"0" * 32 + b"\r\n"), "-ERR")

def other_protocols():
    for first in (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"POST / HTTP/1.1\r\n\r\nMAIL FROM:<a@b>\r\n", b"CONNECT x:25 HTTP/1.1\r\n\r\n",
                  b"SSH-2.0-OpenSSH_9.2\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", b"*1\r\n$4\r\nPING\r\n"):
        with Wire(smtp) as w:
            w.send(first)
            got = w.rest()
            assert got.count("\n") == 1 and got.startswith("554 "), (first, got)
        with Wire(pop3) as w:
            w.send(first)
            got = w.rest()
            assert got.count("\n") <= 1 and "+OK" not in got, (first, got)
    logged("service=smtp .*why=not-mail"), logged("service=pop3 .*why=not-mail")

# --- messages ---

SMUGGLING = [(n, mid) for n, mids in enumerate((
    (b"\n.\n",), (b"\n.\r\n",), (b"\r\n.\n",), (b"\r.\r",), (b"\r.\n",), (b"\n.\r",), (b"\r.\r\n",), (b"\r\n.\r",), (b"\r\n\0.\r\n",),
    (b"\r\n.\0\r\n",), (b"\n\n.\n\n",), (b"\r\r\n.\r\r\n",), (b"\r\n.\r\r\n",), (b"\r\n.\n\r\n",), (b"\r\n .\r\n",), (b"\r\n. \r\n",),
    (b"\r\n.\t\r\n",), (b"\x85.\x85", b"\xe2\x80\xa8.\xe2\x80\xa8", b"\x0b.\x0b", b"\x0c.\x0c"),
    (b"\r\n\x1a.\r\n", b"\r\n\x7f.\r\n", b"\r\n\xef\xbb\xbf.\r\n", b"\r\n..\r\n")), 1) for mid in mids]

def smuggling():
    before, kept = stat("sam"), 0
    for n, mid in SMUGGLING:
        inner = b"MAIL FROM:<smuggled@evil.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nSubject: inner\r\n\r\ny"
        text = b"h: v\r\n\r\nx" + mid + inner + b"\r\n.\r\n"
        for cut in (None, text.index(mid) + 1, text.index(mid) + len(mid)):  # in one segment, and in two
            with mail(recipient="sam") as w:
                starts(w.ask("DATA"), "354 ")
                if cut: w.send(text[:cut]), time.sleep(0.01), w.send(text[cut:])
                else: w.send(text)
                got = w.reply()
                bare = n <= 14 and not (n == 10 and b"\0" not in mid)
                starts(got, "550 5.6.0" if bare else "250 2.0.0")
                kept += got.startswith("250")
                w.send("QUIT")
                last = w.rest().splitlines()
                assert len(last) == 1 and last[0].startswith("221"), ("SM-%d" % n, last)
    assert stat("sam") == before + kept, (before, kept, stat("sam"))
    assert stat("bob") == 0

def announced_too_big():
    with Wire(smtp) as w:
        starts(w.ask("EHLO client.example"), "250 ")
        for size, want in ((52428801, "552 5.3.4"), (50 << 20, "250"), ("18446744073709551616", "5"), ("-1", "501"), ("", "501"), ("1e3", "501")):
            starts(w.ask("MAIL FROM:<a@example.net> SIZE=%s" % size), want)
            w.ask("RSET")

def stream(w, octets, most):
    """Sends `octets` again and again; True when the server closed before `most`."""
    sent = 0
    w.sock.settimeout(60)  # a disk that others use too may make the server wait for it
    try:
        while sent < most:
            w.send(octets)
            sent += len(octets)
    except OSError: return True
    return False

def too_big_unannounced():
    base = {pid: rss(pid) for pid in role_pids("smtpd")}
    peak = dict(base)
    over = threading.Event()
    def watch():
        while not over.wait(0.02):
            for pid in peak: peak[pid] = max(peak[pid], rss(pid))
    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with mail() as w:
            starts(w.ask("DATA"), "354 ")
            w.send(b"Subject: big\r\n\r\n")
            assert not stream(w, (b"x" * 998 + b"\r\n") * 500, 53 << 20), "closed too early"
            starts(w.ask(b".\r\n"), "552 5.3.4")
            starts(w.ask("QUIT"), "221")
        with mail() as w:  # an endless header
            starts(w.ask("DATA"), "354 ")
            assert stream(w, (b"X-Endless: " + b"y" * 900 + b"\r\n") * 1000, 200 << 20), "200 MB were taken"
    finally:
        over.set()
        watcher.join()
    logged("why=too-big")
    assert all(peak[p] - base[p] < 64 << 20 for p in base), {p: (peak[p] - base[p]) >> 20 for p in base}

def pauses_where_a_chunk_is_full():
    # What is read so far fills a chunk to its last octets, and the rest comes later, with the end.
    head = b"Subject: edges\r\n\r\n"
    body = head + (b"w" * 998 + b"\r\n") * 300
    cuts = [k * edge + d for k in (1, 2, 3) for edge in (65526, 65536) for d in range(-2, 3)]
    for cut in cuts:
        with mail() as w:
            starts(w.ask("DATA"), "354 ")
            w.send(body[:cut])
            time.sleep(0.03)
            w.send(body[cut:] + b".\r\n")
            starts(w.line(), "250 ")

def size_and_desync():
    # SM-25: after a message that is too big, what looks like its end and commands is still message.
    with mail() as w:
        starts(w.ask("DATA"), "354 ")
        stream(w, (b"x" * 998 + b"\r\n") * 500, 51 << 20)
        w.send(b".\nMAIL FROM:<smuggled@evil.example>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\ninner\r\n.\r\nQUIT\r\n")
        got = w.rest().splitlines()
        assert len(got) == 2 and got[0].startswith("55") and got[1].startswith("221"), got
    assert stat("bob") == 0

def body_files():
    return {f for _, _, files in os.walk(folder + "/data/store/bodies") for f in files}

def disconnects_in_a_message():
    before, files = stat("dan"), body_files()
    small = b"EHLO client.example\r\nMAIL FROM:<a@example.net>\r\nRCPT TO:<dan@example.org>\r\nDATA\r\nSubject: s\r\n\r\ntext\r\n.\r\n"
    for k in range(len(small)):
        w = Wire(smtp)
        w.send(small[:k])
        w.close(reset=k % 3 == 0)
    large = small[:-3] + (b"z" * 998 + b"\r\n") * 300  # past what is spooled at once
    for k in range(len(small), len(large), 29989):
        w = Wire(smtp)
        w.send(large[:k])
        if k % 2: w.half_close(), w.rest()
        w.close(reset=k % 3 == 0)
    logged("why=peer-gone-in-data")
    deadline = time.monotonic() + 5
    while body_files() - files:
        assert time.monotonic() < deadline, "files of half messages are left"
        time.sleep(0.1)
    assert stat("dan") == before
    starts(deliver("dan"), "250")
    assert stat("dan") == before + 1

def released(name, k):
    """Logged in, once the server has seen the end of the session before: the lock goes then."""
    for attempt in range(300):
        w = drop(name)
        if w.login.startswith("+OK"): return w
        starts(w.login, "-ERR [IN-USE]")
        w.close()
        time.sleep(0.01)
    raise AssertionError("the lock is still held, %d octets" % k)

def disconnects_in_a_maildrop():
    for i in range(3): starts(deliver("eve"), "250 ")
    script = b"STAT\r\nLIST\r\nDELE 1\r\nRETR 2\r\nTOP 2 1\r\nUIDL\r\nDELE 2\r\nNOOP\r\nQUIT\r"
    for k in range(len(script) + 1):
        w = released("eve", k)
        w.send(script[:k])
        if k % 2: w.half_close(), w.rest()
        w.close(reset=k % 3 == 0)
        with released("eve", k) as again: assert again.ask("STAT").split()[1] == "3", k
    logged("why=peer-gone-no-quit")

# --- TLS ---

TAILS = ((1, b"NOOP\r\n"), (2, b"NOOP\n"), (3, b"NOOP\r\nNOOP\r\n"), (4, b"NO"), (5, b"{}\r\n"), (6, b"\0"), (8, b"A" * 20000))

def injected(port, verb, answer, hello):
    for n, tail in TAILS:
        with Wire(port) as w:
            if hello: starts(w.ask(hello), "250 ")
            w.send(verb + b"\r\n" + tail.replace(b"{}", verb))
            got = w.rest()
            assert got.count("\n") <= 1 and (not got or got.startswith(answer)), ("TL-%d" % n, got)
    with Wire(port) as w:  # TL-7
        if hello: starts(w.ask(hello), "250 ")
        starts(w.ask(verb + b" now\r\n"), "5" if hello else "-ERR")

def injection_smtp():
    injected(smtp, b"STARTTLS", "220", "EHLO client.example")
    injected(submission, b"STARTTLS", "220", "EHLO client.example")
    logged("why=tls-injection")
def injection_pop3(): injected(pop3, b"STLS", "+OK", None)

def partial_then_tls():
    # TL-4 over two segments: what came late in the clear is no part of a handshake.
    for port, verb, hello in ((smtp, b"STARTTLS\r\n", "EHLO client.example"), (pop3, b"STLS\r\n", None)):
        with Wire(port) as w:
            if hello: starts(w.ask(hello), "250 ")
            w.send(verb)
            assert w.line()[:3] in ("220", "+OK")
            w.send(b"NOOP\r\n")
            assert not re.search(r"^(250|\+OK|-ERR|5)", w.rest())
    logged("why=tls-failed")

def forgotten_at_tls():
    with Wire(smtp) as w:  # TL-10, TL-11
        starts(w.ask("EHLO client.example"), "250 ")
        starts(w.ask("MAIL FROM:<a@example.net>"), "250 ")
        starts(w.ask("STARTTLS"), "220")
        w.handshake()
        starts(w.ask("MAIL FROM:<a@example.net>"), "503")
        starts(w.ask("EHLO client.example"), "250 ")
        starts(w.ask("STARTTLS"), "503")
    with Wire(pop3) as w:
        starts(w.ask("STLS"), "+OK")
        w.handshake()
        starts(w.ask("PASS secret-alice"), "-ERR")
        starts(w.ask("STLS"), "-ERR")

def notify_in_data():
    # TL-14: TLS ends properly in the middle of a message, and the rest comes in the clear.
    before = stat("tom")
    raw = socket.create_connection((HOST, smtp), 10)
    inside, outside = ssl.MemoryBIO(), ssl.MemoryBIO()
    f = raw.makefile("rb")
    f.readline()
    raw.sendall(b"EHLO client.example\r\n")
    while f.readline()[3:4] == b"-": pass
    raw.sendall(b"STARTTLS\r\n")
    f.readline()
    s = tls.wrap_bio(inside, outside, server_hostname="localhost")
    def pump(act):
        while True:
            try: got = act()
            except ssl.SSLWantReadError: got = None
            if outside.pending: raw.sendall(outside.read())
            if got is not None: return got
            more = raw.recv(65536)
            inside.write(more) if more else inside.write_eof()
    pump(lambda: s.do_handshake() or True)
    def say(octets, want):
        pump(lambda: s.write(octets))
        got = b""
        while not re.search(rb"^\d{3} .*\n", got, re.M): got += pump(lambda: s.read(65536))
        assert re.search(rb"^(\d{3}) .*\n", got, re.M).group(1) == want, got
    say(b"EHLO client.example\r\n", b"250")
    say(b"MAIL FROM:<a@example.net>\r\n", b"250")
    say(b"RCPT TO:<tom@example.org>\r\n", b"250")
    say(b"DATA\r\n", b"354")
    pump(lambda: s.write(b"Subject: x\r\n\r\nhalf"))
    try: s.unwrap()
    except ssl.SSLWantReadError: pass
    raw.sendall(outside.read())
    try:
        raw.sendall(b"\r\n.\r\n")
        raw.settimeout(5)
        while raw.recv(65536): pass
    except ConnectionError: pass
    raw.close()
    assert stat("tom") == before
    logged("why=peer-gone-in-data")

# --- logging in ---

def clear_passwords():
    for port in (smtp, submission):  # TL-16
        with Wire(port) as w:
            w.send("EHLO client.example")
            offers = []
            while not offers or offers[-1][3] == "-": offers.append(w.line())
            assert not any(re.search("AUTH.*(PLAIN|LOGIN)", o) for o in offers), offers
            for bad in ("AUTH PLAIN AGEAYg==", "AUTH LOGIN", "AUTH PLAIN"): starts(w.ask(bad), "5")
    with Wire(pop3) as w:
        starts(w.ask("CAPA"), "+OK")
        assert not any(re.search("USER|SASL.*PLAIN", c) for c in w.many())
        for bad in ("USER alice@example.org", "PASS secret-alice", "AUTH PLAIN AGEAYg==", "AUTH LOGIN"): starts(w.ask(bad), "-ERR")

def odd_base64():
    # AU-3. 501 each, not a failed login: only the error limit counts.
    odd = ["AUTH PLAIN " + x for x in ("=", "====", "A", "AB=C", "A===", "AGEAYg=", "AGE!Yg==", "A" * 12288)]
    for line in odd:
        with Wire(submissions, "127.3.0.1", secure=True) as w:
            starts(w.ask("EHLO client.example"), "250 ")
            assert w.ask(line)[:3] in ("500", "501", "535"), line[:40]
            starts(w.ask("NOOP"), "250")
    with Wire(submissions, "127.3.0.2", secure=True) as w:
        starts(w.ask("EHLO client.example"), "250 ")
        starts(w.ask("AUTH LOGIN"), "334")
        closed = stream(w, b"A" * 65536, 16 << 20)
        got = w.rest() if closed else None
        assert closed, got
    with Wire(pop3s, "127.3.0.3", secure=True) as w:
        for line in odd: starts(w.ask(line), "-ERR")
        starts(w.ask("AUTH PLAIN"), "+")
        starts(w.ask("*"), "-ERR")
        starts(w.ask("USER alice@example.org"), "+OK"), starts(w.ask("PASS secret-alice"), "+OK")

def odd_names():
    # AU-5: each from an address of its own, so that no penalty adds up. None is found, none breaks anything.
    names = ["a\r\nMAIL FROM:<x@y>", "a\nb", "%s%n%x", "{CRYPT}x", "$(reboot)", "'\" OR 1=1 --", ")(uid=*", "*", "\\", ",", "é@example.org",
             "a" * 9000, "../../../etc/passwd", ""]
    wires = [Wire(submissions, "127.4.%d.1" % i, secure=True) for i in range(len(names))]
    for w in wires: starts(w.ask("EHLO client.example"), "250 ")
    for w, name in zip(wires, names): w.send("AUTH PLAIN " + b64("\0" + name + "\0x"))
    for w, name in zip(wires, names):
        got = w.reply()
        assert got[:3] in ("535", "501", "500"), (name[:20], got)
        starts(w.ask("NOOP"), "250")
        w.close()
    with Wire(submissions, "127.4.99.1", secure=True) as w:  # NULs: more than three parts
        starts(w.ask("EHLO client.example"), "250 ")
        assert w.ask("AUTH PLAIN " + b64("\0alice@example.org\0secret-alice\0more"))[:3] in ("501", "535")
        assert w.ask("AUTH PLAIN " + b64("bob@example.org\0alice@example.org\0secret-alice"))[:3] in ("501", "535", "235") # AU-4
    with Wire(submissions, "127.4.99.2", secure=True) as w:
        starts(w.ask("EHLO client.example"), "250 ")
        starts(w.ask("AUTH PLAIN " + b64("\0alice@example.org\0secret-alice")), "235")

def half_logins():
    # AU-6: exchanges that are begun and left open stand in nobody's way.
    half = []
    for i in range(600):
        w = Wire(pop3, "127.5.%d.1" % (i // 40))
        w.send("AUTH CRAM-MD5")
        half.append(w)
    for w in half: starts(w.line(), "+ ")
    within(1, lambda: stat("alice"))
    def encrypted():
        with Wire(submissions, secure=True) as w:
            w.ask("EHLO client.example")
            starts(w.ask("AUTH PLAIN " + b64("\0bob@example.org\0secret-bob")), "235")
    within(2 if sanitized else 1, encrypted)
    for w in half: w.close()

def begin_guesses():
    took = []
    def guess():
        for i in range(3):
            w = Wire(pop3, "127.6.0.1", timeout=30)
            begin = time.monotonic()
            starts(w.ask(apop_line(w, "alice", "wrong")), "-ERR")
            took.append(time.monotonic() - begin)
            w.close()
    guesser = threading.Thread(target=guess)
    guesser.start()
    return guesser, took

def penalties(guesser, took):
    # A wrong password makes the same address wait, and no other.
    slowest = 0
    for _ in range(20):
        begin = time.monotonic()
        with drop("alice", "127.6.200.1") as w: starts(w.login, "+OK")
        slowest = max(slowest, time.monotonic() - begin)
        time.sleep(0.05)
    guesser.join()
    assert len(took) == 3 and took[1] >= 1.5 and took[2] >= 3.5, took
    assert slowest < 1, "a login from another address took %.2f s" % slowest

# --- the slow ones: begun first, looked at last ---

def begin_slow():
    slow = {}
    slow["silent"] = Wire(smtp, "127.9.0.1")
    slow["silent pop3"] = Wire(pop3, "127.9.0.1")
    slow["data"] = mail(source="127.9.0.2")
    starts(slow["data"].ask("DATA"), "354 ")
    slow["drip"], slow["drip pop3"] = Wire(smtp, "127.9.0.3"), Wire(pop3, "127.9.0.3")
    for n in (0, 1, 500):  # TL-13
        slow["tls %d" % n] = Wire(submissions, "127.9.0.4", greet=False)
        slow["tls %d" % n].send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 600 if n > 10 else b"\x16"[:n])
    slow["starttls"] = Wire(smtp, "127.9.0.5")
    slow["starttls"].ask("EHLO client.example"), starts(slow["starttls"].ask("STARTTLS"), "220")
    slow["begun"] = time.monotonic()
    threading.Thread(target=drip, args=(slow,), daemon=True).start()
    return slow

def drip(slow):
    """An octet a second is no command."""
    for _ in range(30):
        for name in ("drip", "drip pop3"):
            try: slow[name].send(b"N")
            except OSError: return
        time.sleep(1)

def ended(w, seconds):
    w.sock.settimeout(max(0.5, seconds))
    return w.rest()

def slow_ends(slow):
    left = lambda: slow["begun"] + 14 - time.monotonic()
    for name in ("tls 0", "tls 1", "tls 500", "starttls"): ended(slow[name], slow["begun"] + 5 - time.monotonic())
    assert ended(slow["silent"], left()).startswith("421 "), "no word to the silent"
    assert ended(slow["data"], left()).startswith("421 "), "no word inside DATA"
    assert ended(slow["drip"], left()).startswith("421 "), "no word to the slow"
    ended(slow["silent pop3"], left()), ended(slow["drip pop3"], left())
    assert stat("alice") >= 0
    logged("why=idle-timeout"), logged("why=tls-failed")

def nothing_secret_in_the_log():
    text = open(folder + "/log", errors="replace").read()
    assert "secret-" not in text and "Subject:" not in text
    for line in text.splitlines():
        if "event=closed" in line: assert "why=" in line and "why=none" not in line, line

slow, guesses = begin_slow(), begin_guesses()
run([
    ("unknown verbs", unknown_verbs), ("refusals without end", endless_refusals), ("verbs out of order", out_of_order),
    ("overlong lines", overlong_lines), ("lines without end", endless_lines), ("NUL, bare CR, bare LF in commands", nul_and_bare_ends),
    ("8-bit in commands", eight_bit), ("other protocols' first words (W-1)", other_protocols),
    ("26 spellings of an end that is none (SM-1 to SM-19)", smuggling), ("SIZE announced", announced_too_big),
    ("a message over SIZE, an endless header: refused, and memory is bounded", too_big_unannounced),
    ("a pause in a message at the edges of its chunks", pauses_where_a_chunk_is_full),
    ("commands behind a message that was too big stay message (SM-25)", size_and_desync),
    ("a message cut off at each octet leaves nothing", disconnects_in_a_message),
    ("a maildrop session cut off at each octet deletes nothing and frees the lock", disconnects_in_a_maildrop),
    ("plain text behind STARTTLS (TL-1 to TL-9)", injection_smtp), ("and behind STLS", injection_pop3),
    ("plain text in place of a handshake", partial_then_tls), ("TLS forgets what was said before", forgotten_at_tls),
    ("TLS that ends inside a message (TL-14)", notify_in_data), ("no passwords in the clear (TL-16)", clear_passwords),
    ("odd base64 (AU-3)", odd_base64), ("odd names (AU-5)", odd_names), ("logins left half done (AU-6)", half_logins),
    ("wrong passwords cost their address alone", lambda: penalties(*guesses)),
    ("slow and silent clients are ended (slowloris, TL-13)", lambda: slow_ends(slow)),
    ("the log names every end and holds no secret", nothing_secret_in_the_log),
])
