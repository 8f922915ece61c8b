#!/usr/bin/env python3
"""`valkey-cli ping`, which the wheel of the server lacks. The password: REDISCLI_AUTH."""

import os
import socket

with socket.create_connection(("127.0.0.1", 6379), timeout=3) as server:
    for words in (f"AUTH {os.environ['REDISCLI_AUTH']}", "PING"):
        server.sendall(f"{words}\r\n".encode())
        print(server.recv(1024).decode().strip())
