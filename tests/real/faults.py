"""Disks that are full or damaged under the running server. Run by faults.sh, which names the part."""
import sqlite3
from hostile_kit import *

data = folder + "/disk/data"


def until(seconds, what):
    """What what() says, when it is true in time."""
    end = time.monotonic() + seconds
    while True:
        try:
            got = what()
            if got: return got
        except (OSError, AssertionError): pass
        assert time.monotonic() < end, "not in %d s" % seconds
        time.sleep(0.05)


def subjects(name):
    """How often each subject is in a maildrop; every message is looked at whole."""
    got = {}
    with drop(name, timeout=30) as w:
        starts(w.login, "+OK")
        for i in range(1, int(w.ask("STAT").split()[1]) + 1):
            starts(w.ask("RETR %d" % i), "+OK")
            lines = w.many()
            subject = next(l for l in lines if l.startswith("Subject: "))
            assert lines[-1] == "end of " + subject[9:], subject
            got[subject[9:]] = got.get(subject[9:], 0) + 1
        starts(w.ask("QUIT"), "+OK")
    return got


def message(subject, octets=200):
    return ("Subject: %s\r\n\r\n%send of %s\r\n" % (subject, ("x" * 76 + "\r\n") * (octets // 78), subject)).encode()


# --- a full disk ---

acknowledged = set()

def keep(name, octets=200):
    got = deliver("alice", message(name, octets))
    if got.startswith("250"): acknowledged.add(name)
    return got

def try_keep(name, octets=200):
    """As keep, also when the recipient is refused already."""
    with Wire(smtp) as w:
        w.ask("EHLO client.example"), w.ask("MAIL FROM:<a@example.net>")
        got = w.ask("RCPT TO:<alice@example.org>")
        if not got.startswith("250"): return got
        starts(w.ask("DATA"), "354")
        got = w.ask(message(name, octets) + b".\r\n")
    if got.startswith("250"): acknowledged.add(name)
    return got

def fill(leave):
    """Somebody else's octets: all but `leave` of the file system."""
    with open(folder + "/disk/filler", "ab") as f:
        while True:
            v = os.statvfs(folder + "/disk")
            n = v.f_bavail * v.f_frsize - leave
            if n <= 0: return
            try:
                f.write(b"f" * min(n, 1 << 20))
                f.flush()
            except OSError: return

def full_refuses():
    for i in range(40): starts(keep("before %d" % i, 100 + 3000 * (i % 3)), "250")
    for i in range(3): starts(keep("large %d" % i, 200000), "250")
    fill(3 << 20)
    until(5, lambda: try_keep("nearly full %d" % time.monotonic_ns()).startswith("452 4.3.1"))  # the space is looked at once a second
    for i in range(5): starts(try_keep("full %d" % i), "452 4.3.1")
    starts(try_keep("full and large", 400000), "452 4.3.1")
    with Wire(smtp) as w:
        starts(w.ask("EHLO client.example"), "250")
        starts(w.ask("NOOP"), "250"), starts(w.ask("QUIT"), "221")

def full_reads_and_deletes(last=False):
    before = subjects("alice")
    assert set(before) == acknowledged and set(before.values()) == {1}
    with drop() as w:
        starts(w.ask("DELE 1"), "+OK"), starts(w.ask("RETR 2"), "+OK"), w.many()
        starts(w.ask("QUIT"), "+OK")
    after = subjects("alice")
    gone = set(before) - set(after)
    assert len(gone) == 1 and len(after) == len(before) - 1, gone
    acknowledged.difference_update(gone)

def no_octet_left():
    fill(0)
    starts(try_keep("no octet"), "45")
    before = subjects("alice")
    assert set(before) == acknowledged
    with drop() as w:
        starts(w.ask("DELE 1"), "+OK")
        done = w.ask("QUIT").startswith("+OK")  # somebody else took the process that was kept for this
    gone = set(before) - set(subjects("alice"))
    assert len(gone) == done
    acknowledged.difference_update(gone)
    qasid("check")

def process_again():
    os.unlink(folder + "/disk/filler")
    until(5, lambda: try_keep("after").startswith("250"))
    for i in range(5): starts(keep("after %d" % i, 300 * i), "250")
    assert set(subjects("alice")) == acknowledged

def checks_clean(): qasid("check")

# --- damaged pages: a stopped server's database, then what the running one makes of it ---

def database():
    for base, _, files in os.walk(data + "/store"):
        for f in files:
            path = os.path.join(base, f)
            if open(path, "rb").read(16) == b"SQLite format 3\0": return path
    raise AssertionError("no database")

def fill_boxes():
    for name in ("alice", "bob"):
        with Wire(smtp) as w:
            starts(w.ask("EHLO client.example"), "250")
            for i in range(2500 if name == "alice" else 5):
                w.send(b"MAIL FROM:<a@example.net>\r\nRCPT TO:<%s@example.org>\r\nDATA\r\n" % name.encode())
                for want in ("250", "250", "354"): starts(w.reply(), want)
                starts(w.ask(message("m%d" % i, 3000 if i < 20 else 50) + b".\r\n"), "250")

def damage(what):
    """In the stopped server's file."""
    path = database()
    db = sqlite3.connect(path)
    (size,) = db.execute("PRAGMA page_size").fetchone()
    root = lambda table: [p for p, in db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,))]
    octets = bytearray(open(path, "rb").read())
    tops = root("entry")
    db.close()
    page = lambda n: octets[(n - 1) * size:n * size]
    if what == "body":  # the leaf that has alice's third message
        at = octets.index(b"end of m2\r\n")
        number = at // size + 1
    else:  # a leaf in the middle of the entries: alice's, who has nearly all of them
        kinds = {n: page(n)[0] for n in range(2, len(octets) // size + 1)}
        (top,) = tops
        p = page(top)
        assert p[0] == 2, "the entries fill no second page"
        cells = struct.unpack(">H", p[3:5])[0]
        where = struct.unpack(">H", p[12 + 2 * (cells // 2):14 + 2 * (cells // 2)])[0]
        number = struct.unpack(">I", p[where:where + 4])[0]
        assert kinds[number] == 10
    with open(path, "r+b") as f:
        f.seek((number - 1) * size)
        f.write(b"\xff" * 64)

def others_go_on():
    assert set(subjects("bob")) == {"m%d" % i for i in range(5)}
    starts(deliver("bob", message("new")), "250")
    assert "new" in subjects("bob")

def damaged_body_is_said():
    refused = 0
    with drop("alice") as w:
        starts(w.login, "+OK")
        for i in range(1, 21):
            got = w.ask("RETR %d" % i)
            if got.startswith("+OK"):
                lines = w.many()
                assert lines[-1] == "end of m%d" % (i - 1), (i, lines[-1])
            else: refused += starts(got, "-ERR [SYS/PERM]") != ""
    assert 1 <= refused <= 8, refused

def damaged_entries_are_said():
    with drop("alice") as w: starts(w.login, "-ERR [SYS/PERM]")

def check_finds_it():
    got = qasid("check", code=65)
    assert "page" in got.lower(), got

suites = {
    "full": [("a full disk refuses mail with 452 4.3.1", full_refuses), ("reading and deleting go on", full_reads_and_deletes),
             ("with no octet left, a deletion is made or said not to be", no_octet_left), ("with room again, mail comes in; nothing acknowledged is lost", process_again),
             ("the store checks clean", checks_clean)],
    "fill": [("mail for two", fill_boxes)],
    "damage-body": [("a page of a body is damaged", lambda: damage("body"))],
    "damage-entry": [("a page of one mailbox's list is damaged", lambda: damage("entry"))],
    "body": [("other mailboxes go on", others_go_on), ("only the message on the page is refused", damaged_body_is_said),
             ("qasid check finds it", check_finds_it)],
    "entry": [("other mailboxes go on", others_go_on), ("the mailbox says that it is damaged", damaged_entries_are_said),
              ("qasid check finds it", check_finds_it)],
}
run(suites[sys.argv[1]])
