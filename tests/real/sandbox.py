"""A front-end does what one that was taken over might do; from outside it is seen that nothing came of it. Run by sandbox.sh."""
import errno
from hostile_kit import *

PAUSE = 12  # seconds within which a process that died is back
SMTPD, POP3D = 1, 2  # enum role
KINDS = {"smtpd": SMTPD, "pop3d": POP3D}


def join(kind, index):
    """A command line's channel to one process."""
    control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    control.settimeout(10)
    control.connect(folder + "/run/control")
    body = struct.pack(">BB", KINDS[kind], index)
    control.send(struct.pack(">HBBIQ", 4, 0, 0, len(body), 0) + body)
    _, fds, _, _ = socket.recv_fds(control, 65536, 4)
    control.close()
    assert fds, "not joined"
    s = socket.socket(fileno=fds[0])
    s.settimeout(10)
    return s


def command(*words):
    item = b"".join(struct.pack(">I", len(w)) + w.encode() for w in words)
    body = struct.pack(">I", len(item)) + item
    return struct.pack(">HBBIQ", 1, 0, 0, len(body), 0) + body


def misbehave(kind, index, what):
    """What the process said of it; "" when it was gone."""
    s = join(kind, index)
    s.send(command("misbehave", what))
    try: got = s.recv(65536)
    except ConnectionResetError: got = b""
    s.close()
    return got[21:].decode() if got else ""


def words_in(octets):
    while octets:
        n = struct.unpack(">I", octets[:4])[0]
        yield octets[4:4 + n].decode()
        octets = octets[4 + n:]


def processes():
    """(process, index) → (number, pid), of those that are ready: the parent's `ps`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as control:
        control.settimeout(10)
        control.connect(folder + "/run/control")
        control.send(command("ps"))
        found = {}
        while True:
            packet = control.recv(1 << 18)
            assert packet, "the parent is gone"
            while packet:
                kind, _, _, n, _ = struct.unpack(">HBBIQ", packet[:16])
                body, packet = packet[16:16 + n], packet[16 + n:]
                if kind == 67: return found
                if kind != 65: continue
                process, index, number, pid, state = list(words_in(body[4:]))[:5]
                if state == "ready": found[(process, int(index))] = (int(number), int(pid))


def works():
    starts(deliver("alice"), "250 ")
    assert stat("alice") >= 1


def replaced(kind, index, before):
    end = time.monotonic() + PAUSE
    while time.monotonic() < end:
        now = processes().get((kind, index))
        if now and now != before:
            assert now[0] > before[0] and now[1] != before[1], (before, now)
            assert not os.path.exists("/proc/%d" % before[1]), "the old process lives"
            return
        time.sleep(0.02)
    raise AssertionError("no new process: %s" % (before,))


turn = {"smtpd": 0, "pop3d": 0}

def victim(kind):
    """Each process takes its turn, so that none waits long for its restart."""
    turn[kind] = (turn[kind] + 1) % 6
    return turn[kind]


def call(word):
    def test():
        for kind in ("smtpd", "pop3d"):
            index = victim(kind)
            before = processes()[(kind, index)]
            said = misbehave(kind, index, word)
            if said.startswith("refused"):
                assert int(said.split()[1]) in (errno.EACCES, errno.EPERM, errno.ENOENT), said
            else:
                assert said == "", said
                replaced(kind, index, before)
    return test


# A front-end's misdeeds towards other processes, and which of them the kind of front-end can't do.
def deed(word, kind):
    def test():
        index = victim(kind)
        before, store, auth = processes(), role_pids("store"), role_pids("auth")
        client = Wire(pop3)  # someone who has not logged in
        misbehave(kind, index, word)
        replaced(kind, index, before[(kind, index)])
        assert role_pids("store") == store and role_pids("auth") == auth, "a process was ended that did nothing"
        client.close()
        logged(r"event=breach msg=\"[^\"]*%s-%d" % (kind, before[(kind, index)][0]))
        works()
    return test


def flood(kind):
    def test():
        index, store = victim(kind), role_pids("store")
        size = rss(store[0])
        misbehave(kind, index, "ipc-flood")
        within(5, works)
        assert role_pids("store") == store and rss(store[0]) - size < 32 << 20
    return test


words = misbehave("pop3d", 0, "").split()
blurred = ("clone", "setrlimit", "process_vm_readv", "openat-root", "newfstatat-path", "ptrace")  # what the sanitizers' own tools may do
deeds = [w for w in words if w.startswith("ipc-") and w != "ipc-flood"]
calls = [w for w in words if not w.startswith("ipc-") and w not in blurred]
assert len(deeds) >= 12 and len(calls) >= 30, words
works()
run([("%s is refused" % w, call(w)) for w in calls]
    + [("%s by %s: it is ended, nobody else" % (w, k), deed(w, k)) for w in deeds for k in ("smtpd", "pop3d")]
    + [("ipc-flood by %s hurts nobody" % k, flood(k)) for k in ("smtpd", "pop3d")])
