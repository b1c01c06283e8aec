"""Is this message well signed? dkim_verify.py DNS-PORT DOMAIN FILE…

By dkimpy: it must have two signatures of DOMAIN, RSA and Ed25519, and both must hold, with keys as DNS on loopback gives them. With
DOMAIN "-" it must have none.
"""
import re, sys
import dkim, dns.resolver

resolver = dns.resolver.Resolver(configure=False)
resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], int(sys.argv[1]), 10

def txt(name, timeout=5):
    try: answer = resolver.resolve(name.decode().rstrip("."), "TXT", search=False)
    except dns.exception.DNSException: return None
    return b"".join(answer[0].strings)

domain, bad = sys.argv[2], 0
for path in sys.argv[3:]:
    octets = open(path, "rb").read()
    d = dkim.DKIM(octets, minkey=1024, timeout=10)
    fields = [v for n, v in d.headers if n.lower() == b"dkim-signature"]
    want = 0 if domain == "-" else 2
    found = [re.search(rb"a=([a-z0-9-]+);.*\bd=([^;]+);", f.replace(b"\r\n", b""), re.S).groups() for f in fields]
    good = len(fields) == want and sorted(a for a, _ in found) == [b"ed25519-sha256", b"rsa-sha256"][:want]
    good = good and all(x == domain.encode() for _, x in found)
    try: held = [d.verify(idx=i, dnsfunc=txt) for i in range(len(fields))]
    except dkim.DKIMException as e: held = [False]; print(e)
    if not good or not all(held):
        bad = 1
        print(path, found, held, octets[:3000].decode("utf-8", "replace"))
sys.exit(bad)
