#!/usr/bin/env python3
"""Ports on the loopback for tests that run side by side: `ports.py FILE N` prints N that are free.

Each test has a block of 128 ports of its own, locked by a file as long as the test lives, so that no other test takes a
port between its choice and its use. The blocks lie below the range that the kernel takes for outgoing connections, of
which other tests may hold thousands. What was given away is noted in the block's file: nothing is given twice.
"""
import fcntl, random, socket, sys

BLOCK = 128
BLOCKS = range(10240 // BLOCK, 32000 // BLOCK)


def block_file(n):
    return "/tmp/qasid-ports.%d" % n


def own_block():
    """A block that is this process's until it ends: an open, locked file."""
    for n in random.sample(BLOCKS, len(BLOCKS)):
        try:
            f = open(block_file(n), "a+")
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue
        f.truncate(0)
        return f
    raise SystemExit("no block of ports is free")


def is_free(port):
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        with socket.socket(type=kind) as s:
            try:
                s.bind(("0.0.0.0", port))
            except OSError:
                return False
    return True


def free_ports(name, count):
    """`count` ports of the block whose file this is."""
    first = int(name.rsplit(".", 1)[1]) * BLOCK
    with open(name) as f:
        given = {int(line) for line in f}
    ports = [p for p in range(first, first + BLOCK) if p not in given and is_free(p)][:count]
    if len(ports) < count:
        raise SystemExit("the block %s has no %d ports left" % (name, count))
    with open(name, "a") as f:
        f.writelines("%d\n" % p for p in ports)
    return ports


if __name__ == "__main__":
    print(*free_ports(sys.argv[1], int(sys.argv[2])))
