"""Runs a fetch to a Maildir and kills it (kill -9) when some more has come, some times, or until one comes through.

    fetch_killed.py MAILDIR PASSWORD COMMAND…    says how often it was killed"""
import os, subprocess, sys, time

place, password, command = sys.argv[1], sys.argv[2], sys.argv[3:]
def seen(): return sum(len(os.listdir(f"{place}/{d}")) for d in ("new", "tmp") if os.path.isdir(f"{place}/{d}"))

killed = 0
for step in range(7):
    start, until = seen(), time.monotonic() + 20
    p = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL)
    p.stdin.write(password.encode() + b"\n"), p.stdin.close()
    while p.poll() is None and seen() <= start + step * 13 and time.monotonic() < until: time.sleep(0.0005)
    if p.poll() is None:
        p.kill()
        killed += 1
    if p.wait() == 0: break
print(killed)
