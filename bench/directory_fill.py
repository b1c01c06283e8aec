#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Fills the databases of a stopped server with accounts: directory_fill.py DATA_DIR ACCOUNTS DOMAINS.

The server has made its databases and has one domain and one account, whose login (hash) all accounts get. Account n is
user<n>@d<n % DOMAINS>.example, as `account add` writes it; a tenth has an alias, alias<n> at the same domain, that leads to it."""
import sqlite3
import sys

ROWS = 50000


def fill(db, sql, rows):
    batch = []
    for row in rows:
        batch.append(row)
        if len(batch) == ROWS:
            db.executemany(sql, batch)
            batch = []
    db.executemany(sql, batch)


def main():
    data, accounts, domains = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    store = sqlite3.connect(data + "/store/database.sqlite", isolation_level=None)
    store.execute("BEGIN IMMEDIATE")
    domain0 = store.execute("SELECT coalesce(max(id), 0) + 1 FROM domain").fetchone()[0]
    account0 = store.execute("SELECT coalesce(max(id), 0) + 1 FROM account").fetchone()[0]
    folder0 = store.execute("SELECT coalesce(max(id), 0) + 1 FROM folder").fetchone()[0]
    fill(store, "INSERT INTO domain (id, name) VALUES (?, ?)", ((domain0 + i, f"d{i}.example") for i in range(domains)))
    fill(store, "INSERT INTO account (id, name, made) VALUES (?, ?, 1)",
         ((account0 + n, f"user{n}@d{n % domains}.example") for n in range(accounts)))
    by_domain = [n for d in range(domains) for n in range(d, accounts, domains)]
    fill(store, "INSERT INTO address (domain, local, account) VALUES (?, ?, ?)",
         ((domain0 + n % domains, f"user{n}", account0 + n) for n in by_domain))
    fill(store, "INSERT INTO address (domain, local, account) VALUES (?, ?, NULL)",
         ((domain0 + n % domains, f"alias{n}") for n in range(0, accounts, 10)))
    fill(store, "INSERT INTO target (domain, local, target) VALUES (?, ?, ?)",
         ((domain0 + n % domains, f"alias{n}", f"user{n}@d{n % domains}.example") for n in range(0, accounts, 10)))
    fill(store, "INSERT INTO folder (id, account, name, uidvalidity, uidnext, modseq, messages, octets)"
         " VALUES (?, ?, 'INBOX', ?, 1, 1, 0, 0)", ((folder0 + n, account0 + n, 1000 + n) for n in range(accounts)))
    store.execute("UPDATE store SET uidvalidity = ?", (int(max(2000 + accounts, 1 << 31)),))
    store.execute("COMMIT")
    store.close()

    auth = sqlite3.connect(data + "/auth/auth.db", isolation_level=None)
    auth.execute("BEGIN IMMEDIATE")
    row = auth.execute("SELECT hash FROM account LIMIT 1").fetchone()
    fill(auth, "INSERT INTO account (key, name, id, hash, enabled, created, changed, stamp) VALUES (?, ?, ?, ?, 1, 1, 1, ?)",
         ((f"user{n}@d{n % domains}.example", f"user{n}@d{n % domains}.example", account0 + n, row[0], n + 1)
          for n in sorted(range(accounts), key=lambda n: f"user{n}@d{n % domains}.example")))
    auth.execute("COMMIT")
    auth.close()


main()
