"""Peers for octets.sh: a POP3 server whose messages smuggle, and an SMTP server that keeps every octet it is sent.

    octets_peers.py POP3 POP3S SMTP CERT KEY KEPT    ports; the SMTP server writes each DATA, as it came, to KEPT.N

Message 1 is the one that ends early for a client that takes LF for a line's end; then every spelling SM-1 to SM-19;
then a NUL, ends made twice, a header without body, one without its empty line, a first line that is no field.
"""
import socket, ssl, sys, threading, itertools

ends = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\n", b"\n.\r", b"\r.\r\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\r\n.\0\r\n",
        b"\n\n.\n\n", b"\r\r\n.\r\r\n", b"\r\n.\r\r\n", b"\r\n.\n\r\n", b"\r\n .\r\n", b"\r\n. \r\n", b"\r\n.\t\r\n",
        b"\x85.\x85", b"\xe2\x80\xa8.\xe2\x80\xa8"]
mail = [b"Subject: lf\r\n\r\nbody\n.\n+OK 0 0\nrest\r\n", b"Subject: lf\r\n\r\nx\n.\r\nMAIL FROM:<smuggled@example.net>\r\nRCPT TO:<alice@example.org>\r\n"]
mail += [b"Subject: %d\r\n\r\nx" % i + e + b"+OK 0 0\r\nDATA\r\nrest\r\n" for i, e in enumerate(ends)]
mail += [b"Subject: nul\r\n\r\na\0b\r\n", b"Subject: twice\r\r\n\r\r\nbody\r\r\n", b"Subject: header only\r\n", b"Subject: no end\r\n\r\nx",
         b"no field\r\n\r\nbody\r\n", b" folded\r\nSubject: x\r\n\r\nbody\r\n", b"Subject: large\r\n\r\n" + b"0123456789\n.\n" * 20000 + b"\r\n"]

def stuffed(m):  # as RFC 1939 has it: only CRLF begins a line
    m = b"\r\n".join(b"." + l if l.startswith(b".") else l for l in m.split(b"\r\n"))
    return m if m.endswith(b"\r\n") else m + b"\r\n"

def pop3(c):
    f = c.makefile("rb")
    say = lambda line: c.sendall(line + b"\r\n")
    many = lambda lines: c.sendall(b"+OK\r\n" + b"".join(l + b"\r\n" for l in lines) + b".\r\n")
    say(b"+OK ready")
    while line := f.readline():
        verb, *args = line.split()
        verb = verb.upper()
        if verb == b"CAPA": many([b"UIDL", b"USER"])
        elif verb == b"STAT": say(b"+OK %d %d" % (len(mail), sum(map(len, mail))))
        elif verb == b"LIST": many([b"%d %d" % (i + 1, len(m)) for i, m in enumerate(mail)])
        elif verb == b"UIDL" and args: say(b"+OK %d u-%d" % (int(args[0]), int(args[0]) - 1))
        elif verb == b"UIDL": many([b"%d u-%d" % (i + 1, i) for i in range(len(mail))])
        elif verb == b"RETR": c.sendall(b"+OK\r\n" + stuffed(mail[int(args[0]) - 1]) + b".\r\n")
        elif verb == b"QUIT": say(b"+OK"); return
        else: say(b"+OK")

count = itertools.count(1)
def smtp(c):
    f = c.makefile("rb")
    c.sendall(b"220 ready\r\n")
    while line := f.readline():
        verb = line[:4].upper()
        if verb == b"EHLO": c.sendall(b"250-here\r\n250 8BITMIME\r\n")
        elif verb == b"DATA":
            c.sendall(b"354 go\r\n")
            text = b""
            while not (text.endswith(b"\r\n.\r\n") or text == b".\r\n"): text += f.readline()
            with open("%s.%d" % (sys.argv[6], next(count)), "wb") as out: out.write(text)
            c.sendall(b"250 kept\r\n")
        elif verb == b"QUIT": c.sendall(b"221 bye\r\n"); return
        else: c.sendall(b"250 ok\r\n")

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
def serve(listener, session, tls):
    def one(c):
        try:
            if tls: c = context.wrap_socket(c, server_side=True)
            with c: session(c)
        except OSError: pass
    while True: threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()

if __name__ == "__main__":
    context.load_cert_chain(sys.argv[4], sys.argv[5])
    for port, session, tls in ((1, pop3, False), (2, pop3, True), (3, smtp, False)):
        threading.Thread(target=serve, args=(socket.create_server(("127.0.0.1", int(sys.argv[port]))), session, tls), daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()
