"""Compares what salvage found with what export had. Run by salvage.sh, which names the part."""
import os, random, shutil, sqlite3, struct, subprocess, sys

folder, work = os.environ["dir"], os.environ["work"]
store = folder + "/data/store"


def ok(what, fine, more=""):
    print(("ok    %s" if fine else "FAIL  %s: %s") % ((what,) if fine else (what, more)), flush=True)


def mailbox(path):
    """Its messages."""
    found = []
    for sub in ("new", "cur"):
        for base, _, files in os.walk(os.path.join(path, sub)):
            found += [open(os.path.join(base, f), "rb").read() for f in files]
    return sorted(found)


def accounts(path): return sorted(a for a in os.listdir(path) if "@" in a and not a.endswith(".uidls"))


def uidls(path):
    """UIDL → octets."""
    box = path[:-len(".uidls")] if path.endswith(".uidls") else None
    out = {}
    for line in open(path):
        uidl, name = line.rstrip("\n").split("\t")
        for sub in ("new/", "cur/"):
            for f in (name, name + ":2,S"):
                if box and os.path.exists(os.path.join(box, sub + f)): out[uidl] = open(os.path.join(box, sub + f), "rb").read()
    return out


was = {a: mailbox(folder + "/was/" + a) for a in accounts(folder + "/was")}


def same(place):
    ok("the accounts are there", accounts(place) == sorted(was), accounts(place))
    for a in was:
        ok("%s has every message, octet for octet" % a, mailbox(os.path.join(place, a)) == was[a])
        mine = uidls(os.path.join(place, a + ".uidls"))
        theirs = dict(line.rstrip("\n").split("\t") for line in open(folder + "/was-" + a.split("@")[0]))
        theirs = {u: open([p for p in (folder + "/was/" + a + "/new/" + n, folder + "/was/" + a + "/cur/" + n) if os.path.exists(p)][0], "rb").read()
                  for u, n in theirs.items()}
        ok("%s has the UIDLs, each of its message" % a, mine == theirs)
    ok("nobody else's", not os.path.exists(os.path.join(place, "unknown")))


def bodies_of_pages(db):
    """Page → the numbers of the bodies that lie on it, in part or whole, by SQLite's own account."""
    ids = [i for i, in db.execute("SELECT id FROM body ORDER BY id")]
    touched, leaves, over = {}, [], []
    for page, path, kind, cells in db.execute("SELECT pageno, path, pagetype, ncell FROM dbstat WHERE name = 'body' ORDER BY path"):
        if kind == "leaf": leaves.append((path, page, cells))
        elif kind == "overflow": over.append((path, page))
    at, first = 0, {}
    for path, page, cells in leaves:
        first[path] = at
        touched[page] = set(ids[at:at + cells])
        at += cells
    assert at == len(ids), (at, len(ids))
    for path, page in over:
        leaf, cell = path.split("+")[0].rsplit("/", 1)  # "/002/004+000001": of the leaf /002/ the cell 004
        touched[page] = {ids[first[leaf + "/"] + int(cell, 16)]}
    return touched


def of_before(qasid, copy, everything):
    """A database in pages of 16 KB without a map, as earlier versions made it; whole, and without its first page."""
    path = copy + "/database.sqlite"
    shutil.copyfile(store + "/database.sqlite", path)
    db = sqlite3.connect(path, isolation_level=None)
    for words in ("PRAGMA journal_mode=DELETE", "PRAGMA auto_vacuum=NONE", "PRAGMA page_size=16384", "VACUUM"): db.execute(words).fetchall()
    db.close()
    for what, octets in (("whole", b""), ("without page 1", b"\0" * 16384)):
        with open(path, "r+b") as f: f.write(octets)
        place = work + "/page"
        shutil.rmtree(place, ignore_errors=True)
        r = subprocess.run([qasid, "salvage", copy, place], capture_output=True)
        found = {m for box in os.listdir(place) if not box.endswith(".uidls") for m in mailbox(os.path.join(place, box))}
        ok("pages of 16 KB, %s" % what, r.returncode == (65 if octets else 0) and not everything - found, r.stderr[-300:])


def as_written(octets): return octets.replace(b"\r\n", b"\n")


def whole_messages(db):
    """Body → the message, and what is left of it without its row: the octets, when they are a file."""
    mine, rest = {}, {}
    for i, start, head, data in db.execute("SELECT id, start, head, data FROM body"):
        if start is not None: data = open(store + "/bodies/%02x/%d" % (i & 255, i), "rb").read()[start:]
        mine[i] = as_written((head or b"") + data)
        rest[i] = as_written(data) if start is not None else None
    return mine, rest


def pages(qasid):
    path = store + "/database.sqlite"
    db = sqlite3.connect("file:%s?mode=ro" % path, uri=True)
    (size,), (count,) = db.execute("PRAGMA page_size").fetchone(), db.execute("PRAGMA page_count").fetchone()
    touched = bodies_of_pages(db)
    mine, rest = whole_messages(db)
    kinds = dict(db.execute("SELECT pageno, name FROM dbstat"))
    free = db.execute("PRAGMA freelist_count").fetchone()[0]
    db.close()
    ok("there are free pages, and many that are not", free > 0 and len(kinds) > 60, (free, len(kinds)))
    whole = open(path, "rb").read()
    copy = work + "/copy"
    os.mkdir(copy)
    shutil.copytree(store + "/bodies", copy + "/bodies")
    everything = {m for box in was.values() for m in box}
    draw = random.Random(1)
    bad, partly, tried = [], 0, 0
    for page in range(1, count + 1):
        if kinds.get(page) == "body" and page % 3: continue # most are overflow pages
        tried += 1
        at = (page - 1) * size
        # All of it or its beginning, by zeros, ones, anything, or what another page has.
        other = draw.randrange(count) * size
        fill = [b"\0" * size, b"\xff" * size, draw.randbytes(size), b"\xff" * 64, draw.randbytes(200), whole[other:other + size]][page % 6]
        with open(copy + "/database.sqlite", "wb") as f: f.write(whole[:at] + fill + whole[at + len(fill):])
        place = work + "/page"
        shutil.rmtree(place, ignore_errors=True)
        r = subprocess.run([qasid, "salvage", copy, place], capture_output=True)
        if r.returncode not in (0, 65): bad.append((page, kinds.get(page), r.returncode, r.stderr[-300:]))
        found = {m for box in os.listdir(place) if not box.endswith(".uidls") for m in mailbox(os.path.join(place, box))}
        lost = {mine[i] for i in touched.get(page, ())}
        missing = everything - found - lost | {rest[i] for i in touched.get(page, ()) if mine[i] in everything - found and rest[i]} - found
        if missing: bad.append((page, kinds.get(page), "%d messages" % len(missing), r.stderr[-300:]))
        # What lies on the page may be lost or damaged; what does not is in its own mailbox when only bodies suffer.
        if kinds.get(page) == "body":
            for a in was:
                got = mailbox(os.path.join(place, a))
                if [m for m in was[a] if m not in lost and m not in got]: bad.append((page, a, "not in its mailbox", r.stderr[-300:]))
        partly += r.returncode == 65
    ok("%d pages overwritten, each alone: all that does not touch it is found" % tried, not bad, bad[:5])
    ok("and damage is said", partly > tried // 2, partly)
    of_before(qasid, copy, everything)


def whole_frames(log, size):
    """Where those begin that the chain of sums vouches for: behind them may be older ones."""
    order = ">" if log[3] & 1 else "<"
    def add(octets, a, b):
        words = struct.unpack("%s%dI" % (order, len(octets) // 4), octets)
        for x, y in zip(words[::2], words[1::2]):
            a = a + x + b & 0xffffffff
            b = b + y + a & 0xffffffff
        return a, b
    sums, out = add(log[:24], 0, 0), []
    for at in range(32, len(log) - size - 23, size + 24):
        sums = add(log[at + 24:at + 24 + size], *add(log[at:at + 8], *sums))
        if log[at + 8:at + 16] != log[16:24] or struct.unpack(">II", log[at + 16:at + 24]) != sums: break
        out.append(at)
    return out


def log(qasid, copy):
    """Frames of the write-ahead log of a server that was killed, each damaged alone: its page's rows at most are lost."""
    db = sqlite3.connect("file:%s?mode=ro" % (store + "/database.sqlite"), uri=True)
    (size,) = db.execute("PRAGMA page_size").fetchone()
    touched, (mine, _) = bodies_of_pages(db), whole_messages(db)
    db.close()
    everything = {m for box in was.values() for m in box}
    path = copy + "/database.sqlite-wal"
    whole = open(path, "rb").read()
    frames = whole_frames(whole, size)
    commits = [at for at in frames if struct.unpack(">I", whole[at + 4:at + 8])[0]]
    draw = random.Random(2)
    bad = []
    some = draw.sample([at for at in frames if at < commits[-1]], 12) + [commits[-1]]
    for at in some:
        damaged = at + 24 + draw.randrange(size - 100)
        with open(path, "wb") as f: f.write(whole[:damaged] + draw.randbytes(100) + whole[damaged + 100:])
        place = work + "/log"
        shutil.rmtree(place, ignore_errors=True)
        r = subprocess.run([qasid, "salvage", copy, place], capture_output=True)
        found = {m for box in os.listdir(place) if not box.endswith(".uidls") for m in mailbox(os.path.join(place, box))}
        lost = {mine[i] for i in touched.get(struct.unpack(">I", whole[at:at + 4])[0], ())}
        # The last transaction, damaged, is one that never was: what it had is not there, or in its older place. When
        # it is the end of the last but one that is damaged, the two are one.
        if at >= commits[-2]: lost = everything
        if r.returncode not in (0, 65) or everything - found - lost: bad.append((at, r.returncode, len(everything - found - lost), r.stderr[-300:]))
        if at < commits[-2] and r.returncode != 65: bad.append((at, "damage is not said"))
    ok("%d frames of the log damaged, each alone: no more than its page's rows are lost" % len(some), not bad, bad[:3])


def bodies(qasid):
    """Without the database at all."""
    copy = work + "/files"
    os.mkdir(copy)
    shutil.copytree(store + "/bodies", copy + "/bodies")
    r = subprocess.run([qasid, "salvage", copy, work + "/from-files"], capture_output=True)
    files = sum(len(f) for _, _, f in os.walk(copy + "/bodies"))
    found = mailbox(work + "/from-files/unknown")
    db = sqlite3.connect("file:%s?mode=ro" % (store + "/database.sqlite"), uri=True)
    octets = sorted(o for o in whole_messages(db)[1].values() if o)
    db.close()
    ok("body files alone: the octets, without what was in front", r.returncode == 65 and files > 0 and found == octets,
       (r, files, len(found)))


{"same": same, "pages": pages, "log": log, "bodies": bodies}[sys.argv[1]](*sys.argv[2:])
