"""A client of server-sent events over a raw socket, as a browser reads them."""
import collections
import csv
import json
import random
import socket
import struct
import time

from gateway import TIMEOUT, run

Event = collections.namedtuple("Event", "kind id data")


class Stream:
    """One connection. last_id is what a browser would come back with."""

    def __init__(self, port, query="", last_id=None, receive_buffer=None, headers=(), tls=None,
                 path="/api/v1/stream"):
        self.last_id, self.events, self.comments, self.retry = last_id, [], 0, None
        self.ended = False
        self._raw = self._text = b""
        self._field = {}
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(TIMEOUT)
        self.socket.connect(("127.0.0.1", port))
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
        lines = ["GET %s%s HTTP/1.1" % (path, query), "Host: localhost", "Accept: text/event-stream", *headers]
        if last_id is not None:
            lines.append("Last-Event-ID: %s" % last_id)
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        self.status = None

    def read(self, most=65536):
        """Whatever comes next. False at the end of the connection."""
        try:
            data = self.socket.recv(most)
        except ConnectionResetError:
            data = b""
        if not data:
            self.ended = True
            return False
        self._raw += data
        if self.status is None:
            head, found, rest = self._raw.partition(b"\r\n\r\n")
            if not found:
                return True
            self.status = int(head.split()[1])
            self.head, self._raw = head.decode(), rest
        self._take_chunks()
        return True

    def _take_chunks(self):
        while b"\r\n" in self._raw:
            size, _, rest = self._raw.partition(b"\r\n")
            n = int(size, 16)
            if len(rest) < n + 2:
                return
            self._raw = rest[n + 2:]
            self._text += rest[:n]
            if n == 0:
                self.ended = True
        while b"\n" in self._text:
            line, _, self._text = self._text.partition(b"\n")
            self._take_line(line.decode())

    def _take_line(self, line):
        """As the HTML standard has it: an id counts once its event is complete, even if that has no data."""
        name, _, value = line.partition(":")
        if line == "":
            self.last_id = self._field.get("id", self.last_id)
            if "data" in self._field:
                self.events.append(Event(self._field.get("event", "message"), self._field.get("id"),
                                         json.loads(self._field["data"])))
            self._field = {}
        elif name == "":
            self.comments += 1
        elif name == "retry":
            self.retry = int(value)
        else:
            assert name in ("event", "id", "data"), line
            self._field[name] = value.removeprefix(" ")

    def wait(self, condition):
        """Reads until condition(self) holds; the first true value. Heartbeats alone do not make it wait for ever."""
        deadline = time.monotonic() + TIMEOUT
        while not (value := condition(self)):
            assert time.monotonic() < deadline, "did not come in time: %r" % self.events[-20:]
            assert not self.ended and self.read(), "ended: %r" % self.events
        return value

    def of(self, kind):
        return [e for e in self.events if e.kind == kind]

    def wait_data(self, kind="sample", **values):
        """The first event of that kind with these values."""
        return self.wait(lambda s: next((e.data for e in s.of(kind) if all(e.data.get(k) == v
                                                                           for k, v in values.items())), None))

    def close(self, reset=False):
        if reset:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def fill(folder, seed, meter, hours_ago, n, bits=10):
    """A past of another meter in folder/kept, so that there is something to catch up with."""
    path, chance = folder / (meter + ".csv"), random.Random(seed)
    begun = int(time.time() - 3600 * hours_ago) * 1000
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["t_ms", "power_w", "voltage_v"])
        writer.writerows([begun + i * 100, chance.getrandbits(bits) / 1000, chance.getrandbits(bits) / 1000]
                         for i in range(n))
    result = run("history", "import", "--directory", folder / "kept", "--size", "2MiB", "--meter", meter, path)
    assert result.returncode == 0, result.stderr
