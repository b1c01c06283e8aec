#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Fills the queue of a stopped server: queue_fill.py DATA_DIR LETTERS.

Each letter has a body of its own and one recipient, user<n>@dead.example, which was tried six times, waits for its next try
within four hours, and of which the sender was warned. One more, from a@few.example to live@elsewhere.example, is due."""
import sqlite3
import sys
import time

MESSAGE = b"Return-Path: <a@bench.example>\r\nSubject: queued\r\nMessage-ID: <%d@bench.example>\r\n\r\n" + b"x" * 400 + b"\r\n"


def main():
    data, letters, now = sys.argv[1], int(sys.argv[2]), int(time.time())
    db = sqlite3.connect(data + "/store/database.sqlite", isolation_level=None)
    db.execute("PRAGMA synchronous = OFF")
    db.execute("BEGIN IMMEDIATE")
    first = db.execute("SELECT next_body FROM store").fetchone()[0]
    size = [len(MESSAGE % (first + n)) for n in range(letters + 1)]
    db.executemany("INSERT INTO body (id, refs, size, dots, name, data) VALUES (?, 1, ?, 0, ?, ?)",
                   ((first + n, size[n], f"fill-{n}", MESSAGE % (first + n)) for n in range(letters + 1)))
    db.executemany("INSERT INTO letter (body, return_path, ret, flags, account, came, name, waiting, domain) VALUES (?, ?, 0, 4, 0, ?, ?, 1, ?)",
                   ((first + n, f"a@{of}.example", now - 5 * 3600, f"fill-{n}", f"{of}.example") for n in range(letters + 1)
                    for of in ["few" if n == letters else "bench"]))
    db.executemany("INSERT INTO recipient (body, destination, address, notify, state, due, expires, tries, delay, warned, code, reply, class)"
                   " VALUES (?, 'dead.example', ?, 0, 0, ?, ?, 6, 3600, 1, 0, 'Connection timed out', 'network')",
                   ((first + n, f"user{n}@dead.example", now + 600 + n % 14400, now + 400000) for n in range(letters)))
    db.execute("INSERT INTO recipient (body, destination, address, notify, state, due, expires) VALUES (?, 'elsewhere.example',"
               " 'live@elsewhere.example', 0, 0, ?, ?)", (first + letters, now, now + 400000))
    db.execute("INSERT INTO queue_count (kind, account, recipients, messages) VALUES (0, 0, ?1, ?1)", (letters + 1,))
    db.execute("UPDATE store SET next_body = ?", (first + letters + 1,))
    db.execute("COMMIT")
    db.close()


main()
