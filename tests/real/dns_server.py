"""A name server that answers by the name it is asked for: rightly, signed, not at all, or with malice.

    dns_server.py PORT FOLDER [POP3S]    serves 127.0.0.1:PORT over UDP and TCP; writes FOLDER/anchor.key, a trust
                                         anchor; mx.example.org is here and has its POP3 at port POP3S

Names below w.example are unsigned; what their first label says is what happens. Names below signed.example are signed with
RSA/SHA-256 (RFC 4034, RFC 5702) by a key made here; some of them wrongly."""
import base64, os, socket, struct, subprocess, sys, threading, time

A, CNAME, MX, AAAA, SRV, RRSIG, DNSKEY, OPT = 1, 5, 15, 28, 33, 46, 48, 41
port, folder = int(sys.argv[1]), sys.argv[2]

def name(text):
    return b"".join(bytes([len(l)]) + l for l in text.encode().split(b".") if l) + b"\0"

def rr(owner, kind, data, ttl=60):
    return (owner if isinstance(owner, bytes) else name(owner)) + struct.pack(">HHIH", kind, 1, ttl, len(data)) + data

def v4(text): return socket.inet_aton(text)
def v6(text): return socket.inet_pton(socket.AF_INET6, text)
def srv(priority, weight, to_port, target):
    return struct.pack(">HHH", priority, weight, to_port) + (target if isinstance(target, bytes) else name(target))
def mx(preference, target): return struct.pack(">H", preference) + name(target)

def message(question, records, rcode=0, flags=0x8180, ident=None, count=None):
    ident = question[:2] if ident is None else ident
    end = 12
    while question[end]: end += 1 + question[end]
    return (ident + struct.pack(">HHHHH", flags | rcode, 1, len(records) if count is None else count, 0, 0) +
            question[12:end + 5] + b"".join(records))

def asked(question):
    end, labels = 12, []
    while question[end]:
        labels.append(question[end + 1:end + 1 + question[end]].decode("latin-1").lower())
        end += 1 + question[end]
    return ".".join(labels), struct.unpack(">H", question[end + 1:end + 3])[0]

# --- signatures ---

def openssl(*args, data=b""): return subprocess.run(["openssl", *args], input=data, capture_output=True, check=True).stdout

key = os.path.join(folder, "zone.pem")
openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", key)
modulus = bytes.fromhex(openssl("rsa", "-in", key, "-noout", "-modulus").decode().strip().split("=")[1])
dnskey = struct.pack(">HBB", 257, 3, 8) + b"\x03\x01\x00\x01" + modulus
key_tag = sum(b << 8 if i % 2 == 0 else b for i, b in enumerate(dnskey))
key_tag = (key_tag + (key_tag >> 16)) & 0xffff
with open(os.path.join(folder, "anchor.key"), "w") as f:
    f.write("signed.example. IN DNSKEY 257 3 8 " + base64.b64encode(dnskey[4:]).decode() + "\n")

signatures, lock = {}, threading.Lock()
def signature(owner, kind, data, begins=-3600, ends=86400):
    with lock:
        made = signatures.get((owner, kind, data, ends))
        if made is None:
            now = int(time.time())
            head = (struct.pack(">HBBIIIH", kind, 8, owner.count(".") + 1, 60, now + ends, now + begins, key_tag) +
                    name("signed.example"))
            made = head + openssl("dgst", "-sha256", "-sign", key, data=head + rr(owner, kind, data))
            signatures[(owner, kind, data, ends)] = made
        return made

def signed(n, kind):
    """The records of a signed name: the right ones, then what was done to them."""
    data = {("signed.example", DNSKEY): dnskey,
            ("_pop3s._tcp.signed.example", SRV): srv(1, 2, 995, "host.signed.example")}.get((n, kind))
    if data is None and n.split(".")[0] in ("host", "forged", "bare", "old"):
        data = {A: v4("127.0.0.7"), AAAA: v6("::7")}.get(kind)
    if data is None: return None
    first = n.split(".")[0]
    seal = signature(n, kind, data, ends=-7200, begins=-20000) if first == "old" else signature(n, kind, data)
    if first == "forged": data = {A: v4("6.6.6.6"), AAAA: v6("6666::6")}[kind]
    return [rr(n, kind, data)] + ([] if first == "bare" else [rr(n, RRSIG, seal)])

# --- what is there ---

zone = {
    ("ok.w.example", A): [v4("127.0.0.2")], ("ok.w.example", AAAA): [v6("::2")],
    ("mx1.w.example", A): [v4("127.0.0.3")], ("mx2.w.example", AAAA): [v6("::3")],
    ("_pop3s._tcp.w.example", SRV): [srv(20, 0, 2995, "ok.w.example"), srv(10, 0, 995, "MX1.w.example")],
    ("_pop3._tcp.w.example", SRV): [srv(0, 0, 0, "")],
    ("_none._tcp.w.example", SRV): [srv(0, 0, 995, "nobody.w.example")],
    ("_foul._tcp.w.example", SRV): [srv(0, 0, 995, b"\x06%n%s%n\x01w\x07example\0"), srv(0, 0, 995, b"\x03a\0b\x07example\0")],
    ("_dot._tcp.w.example", SRV): [srv(0, 0, 995, b"\x04ok.w\x07example\0")],
    ("_half._tcp.w.example", SRV): [srv(1, 0, 995, "silent.w.example"), srv(2, 0, 995, "ok.w.example")],
    ("_many._tcp.w.example", SRV): [srv(1000 - i, 1, 1 + i, "ok.w.example") for i in range(1000)],
    ("_short._tcp.w.example", SRV): [b"", b"\0", b"\0\1", b"\0\1\0\2\0\3"],
    ("w.example", MX): [mx(20, "mx2.w.example"), mx(10, "mx1.w.example")],
    ("null.w.example", MX): [mx(0, "")],
    ("short.w.example", MX): [b"", b"\0", b"\0\1"],
    ("ok.w.example", MX): [],
    ("alias.w.example", CNAME): [name("ok.w.example")],
    # exchangers that are aliases (RFC 5321 5.1 forbids them, and they exist): one, too many, in a circle; and a domain that is one
    ("onemx.w.example", MX): [mx(10, "alias61.w.example")], ("alias61.w.example", CNAME): [name("host61.w.example")],
    ("host61.w.example", A): [v4("127.0.0.61")],
    ("manymx.w.example", MX): [mx(10, "c0.w.example")], ("loopmx.w.example", MX): [mx(10, "loopa.w.example")],
    ("goodmx.w.example", MX): [mx(10, "loopa.w.example"), mx(20, "host61.w.example")],
    ("same.w.example", CNAME): [name("onemx.w.example")],
}
if len(sys.argv) > 3:
    zone["mx.example.org", A] = [v4("127.0.0.1")]
    zone["_pop3s._tcp.mx.example.org", SRV] = [srv(0, 0, int(sys.argv[3]), "mx.example.org")]
    zone["_pop3._tcp.mx.example.org", SRV] = [srv(0, 0, 0, "")]
names = {n for n, _ in zone}

def chain(n, kind):
    """cN leads to cN+1; c17 is the end of it. loopa and loopb lead to each other."""
    first = n.split(".")[0]
    if first in ("loopa", "loopb"): return [rr(n, CNAME, name(("loopb" if first == "loopa" else "loopa") + ".w.example"))]
    if not first[1:].isdigit(): return None
    at = int(first[1:])
    if at >= 17: return [rr(n, kind, v4("127.0.0.2") if kind == A else v6("::2"))]
    return [rr(n, CNAME, name(f"c{at + 1}.w.example"))]

def honest(q, n, kind):
    if n.endswith("signed.example"):
        records = signed(n, kind)
        return message(q, records or [], rcode=0 if records else 3)
    if n.split(".")[0][:1] == "c" or n.startswith("loop"):
        records = chain(n, kind)
        if records: return message(q, records)
    if (n, CNAME) in zone: return message(q, [rr(n, CNAME, zone[n, CNAME][0])])
    records = [rr(n, kind, data) for data in zone.get((n, kind), [])]
    return message(q, records, rcode=0 if n in names else 3)

# --- malice: the first label → what comes over UDP (TCP answers honestly, but for "stall") ---

def flipped(q): return bytes([q[0] ^ 1, q[1]])
def liar(q, n): return message(q, [rr(n, A, v4("6.6.6.6"))])
evil = {
    "silent": lambda q, n: None,
    "servfail": lambda q, n: message(q, [], rcode=2),
    "refused": lambda q, n: message(q, [], rcode=5),
    "notimp": lambda q, n: message(q, [], rcode=4),
    "empty": lambda q, n: b"",
    "short": lambda q, n: q[:5],
    "header": lambda q, n: q[:2] + b"\x81\x80" + b"\xff" * 8,
    "garbage": lambda q, n: os.urandom(400),
    "echo": lambda q, n: q,
    "wrongid": lambda q, n: message(q, [rr(n, A, v4("6.6.6.6"))], ident=flipped(q)),
    "othername": lambda q, n: liar(q[:12] + name("other.w.example") + q[-4:], "other.w.example"),
    "otherowner": lambda q, n: message(q, [rr("other.w.example", A, v4("6.6.6.6"))]),
    "self": lambda q, n: message(q, [rr(struct.pack(">H", 0xc000 | (12 + len(name(n)) + 4)), A, v4("6.6.6.6"))]),
    "forward": lambda q, n: message(q, [rr(b"\xc0\xff", A, v4("6.6.6.6"))]),
    "pointers": lambda q, n: message(q, [b"".join(struct.pack(">H", 0xc000 | (40 + 2 * i)) for i in range(200))]),
    "label": lambda q, n: message(q, [rr(b"\x7f" + b"a" * 127 + b"\0", A, v4("6.6.6.6"))]),
    "count": lambda q, n: message(q, [rr(n, A, v4("6.6.6.6"))], count=65535),
    "length": lambda q, n: message(q, [rr(n, A, v4("6.6.6.6"))])[:-4] + b"\6",
    "rdlength": lambda q, n: message(q, [rr(n, A, b"\x06" * 5)]),
    "stall": lambda q, n: message(q, [], flags=0x8380),
}

def reply(q, tcp):
    n, kind = asked(q)
    first = n.split(".")[0]
    if first in evil and n.endswith(".w.example") and kind != DNSKEY and not (n, kind) in zone and not (tcp and first != "stall"):
        return evil[first](q, n)
    answer = honest(q, n, kind)
    return answer if tcp or len(answer) <= 1232 else message(q, [], flags=0x8380)

def serve_udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("127.0.0.1", port))
    other = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    other.bind(("127.0.0.1", 0))
    while True:
        q, who = s.recvfrom(4096)
        n, kind = asked(q)
        if n == "otherport.w.example":  # the right answer from a wrong source port
            other.sendto(liar(q, n), who)
        elif n == "race.w.example":  # forged answers come first, the true one after them
            for i in range(50): s.sendto(message(q, [rr(n, A, v4("6.6.6.6"))], ident=os.urandom(1) + flipped(q)[:1]), who)
            if kind == A: s.sendto(message(q, [rr(n, A, v4("127.0.0.9"))]), who)
            else: s.sendto(message(q, []), who)
        else:
            answer = reply(q, False)
            if answer is not None: s.sendto(answer, who)

def serve_one(c):
    c.settimeout(20)
    try:
        while True:
            head = c.recv(2, socket.MSG_WAITALL)
            if len(head) < 2: return
            q = c.recv(struct.unpack(">H", head)[0], socket.MSG_WAITALL)
            n, _ = asked(q)
            answer = reply(q, True)
            if n.startswith("stall"):
                c.sendall(b"\x40\x00" + answer)  # and no more
                time.sleep(10)
                return
            if answer is not None: c.sendall(struct.pack(">H", len(answer)) + answer)
    except OSError: pass
    finally: c.close()

def serve_tcp():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("127.0.0.1", port))
    s.listen(64)
    while True:
        c, _ = s.accept()
        threading.Thread(target=serve_one, args=(c,), daemon=True).start()

threading.Thread(target=serve_tcp, daemon=True).start()
threading.Thread(target=serve_udp, daemon=True).start()
print("ready", flush=True)
while True: time.sleep(3600)
