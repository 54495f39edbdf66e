# SPDX-License-Identifier: GPL-2.0
"""The control socket of a daemon without the command line between: one connection for many requests."""

import http.client
import json
import socket


class Control:
    def __init__(self, daemon):
        self.daemon = daemon
        self.connection = http.client.HTTPConnection("localhost", timeout=30)
        self.connection.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.connection.sock.settimeout(30)
        self.connection.sock.connect(daemon.control)

    def request(self, method, path, body=None):
        """(status, answer)"""
        self.connection.request(method, path, body=None if body is None else json.dumps(body))
        answer = self.connection.getresponse()
        return answer.status, json.loads(answer.read())

    def post(self, path, body=None, status=200):
        got, answer = self.request("POST", path, body or {})
        assert got == status, f"POST {path}: {got} {answer}\n{self.daemon.log()[-1500:]}"
        return answer

    def close(self):
        self.connection.close()
