#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""A lone message through a quiet server: lone.py PORT SINK_PORT MESSAGES.

Submits one message after another, half a second apart, and is the next hop itself: the time from the server's 250 to the end of data
until its next hop (here) has the whole message and answers 250."""
import socket
import statistics
import sys
import threading
import time

arrived = {}
there = threading.Condition()
BODY = b"Subject: lone\r\nX-Number: %d\r\n\r\n" + b"The quick brown fox jumps over the lazy dog\r\n" * 90 + b".\r\n"


def serve(connection):
    lines = connection.makefile("rb")
    connection.sendall(b"220 sink.example ESMTP\r\n")
    inside, number = False, -1
    for line in lines:
        if inside:
            if line.startswith(b"X-Number:"):
                number = int(line.split()[1])
            if line == b".\r\n":
                inside = False
                connection.sendall(b"250 2.0.0 taken\r\n")
                with there:
                    arrived[number] = time.monotonic()
                    there.notify()
        elif line.upper().startswith(b"EHLO"):
            connection.sendall(b"250-sink.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n")
        elif line.upper().startswith(b"DATA"):
            inside = True
            connection.sendall(b"354 go on\r\n")
        elif line.upper().startswith(b"QUIT"):
            connection.sendall(b"221 bye\r\n")
            return
        else:
            connection.sendall(b"250 ok\r\n")


def listen(port):
    listener = socket.create_server(("127.0.0.1", port))
    while True:
        connection = listener.accept()[0]
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=serve, args=(connection,), daemon=True).start()


def main():
    port, sink, count = (int(a) for a in sys.argv[1:4])
    threading.Thread(target=listen, args=(sink,), daemon=True).start()
    client = socket.create_connection(("127.0.0.1", port))
    replies = client.makefile("rb")

    def says(*words):
        for word in words:
            client.sendall(word)
            while replies.readline()[3:4] == b"-":
                pass

    replies.readline()
    says(b"EHLO load.example\r\n")
    took = []
    for n in range(count):
        says(b"MAIL FROM:<load@example.net>\r\n", b"RCPT TO:<user@elsewhere.example>\r\n", b"DATA\r\n", BODY % n)
        taken = time.monotonic()
        with there:
            if not there.wait_for(lambda: n in arrived, 30):
                sys.exit("message %d did not come" % n)
        took.append(1000 * (arrived[n] - taken))
        time.sleep(0.5)
    print("A lone message, our 250 to the remote's: %.1f ms in the median, %.1f at most, of %d" % (statistics.median(took), max(took), count))


main()
