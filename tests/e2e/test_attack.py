"""Everything that a hostile network can open at once: the meters go on, legitimate requests are answered, memory stays
bounded."""
import contextlib
import os
import pathlib
import resource
import socket
import statistics
import time

import pytest

from gateway import BINARY, RUN, TIMEOUT, wait_until
from stream import Stream

STREAMS = int(os.environ.get("METERGATE_STREAMS", "500"))
LORIS = int(os.environ.get("METERGATE_LORIS", "200"))
PRIVATE_KB = 12 * 1024
ROUNDS = 40


@pytest.fixture(autouse=True)
def descriptors():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], min(4096, before[1])), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def private_kb(gateway):
    for line in pathlib.Path("/proc/%d/status" % gateway.pid).read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1])


def check_memory(gateway):
    """Valgrind and the sanitizers have their own."""
    if not RUN and b"__asan_init" not in pathlib.Path(BINARY).read_bytes():
        assert private_kb(gateway) < PRIVATE_KB, "%d kB" % private_kb(gateway)


def send_some(s, data):
    """As much as is taken."""
    s.setblocking(False)
    with contextlib.suppress(OSError):
        while data:
            data = data[s.send(data):]


class Attack:
    """What is open, and how it goes on."""

    def __init__(self, port):
        self.port, self.sockets, self.loris, self.streams = port, [], [], []

    def open(self, data=b"", **options):
        s = socket.create_connection(("127.0.0.1", self.port))
        self.sockets.append(s)
        send_some(s, data)
        return s

    def begin(self):
        for _ in range(STREAMS):
            self.streams.append(Stream(self.port))
        for _ in range(LORIS):
            self.loris.append(self.open(b"GET /api/v1/meters HTTP/1.1\r\nHost: loc"))
        for _ in range(10):
            self.open(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * (10 << 20))
            self.open(b"GET /api/v1/meters HTTP/1.1\r\nHost: localhost\r\n\r\n" * 1000)
            self.open(b"GET /api/v1/stream?after=0 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            half = self.open(b"GET /api/v1/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            half.shutdown(socket.SHUT_WR)
            self.open()

    def go_on(self):
        """A byte now and then keeps a slow-loris alive."""
        for s in self.loris:
            send_some(s, b"a")

    def end(self):
        for s in self.sockets + [s.socket for s in self.streams]:
            s.close()


@pytest.fixture
def attack():
    made = []

    def make(port):
        made.append(Attack(port))
        return made[-1]

    yield make
    for one in made:
        one.end()


QUERY = "08"


class Times:
    """The slowest of each, in ms."""

    def __init__(self):
        self.request = self.report = self.poll = 0

    def polls(self, frames):
        """A quiet meter is asked at equal distances."""
        at = [f.at for f in frames if f.name == QUERY]
        between = [b - a for a, b in zip(at, at[1:])]
        self.poll = (max(between) - statistics.median(between)) * 1000


def measure(gateway, mcu, quiet, stream, first, between=lambda: None):
    """Requests, reports up to a client of the stream, and how late a meter is polled."""
    times, n_frames = Times(), len(quiet.frames)
    for i in range(ROUNDS):
        between()
        for path in ("/api/v1/meters/main/now", "/metrics", "/"):
            begun = time.monotonic()
            assert gateway.get(path).status == 200
            times.request = max(times.request, (time.monotonic() - begun) * 1000)
        begun = time.monotonic()
        mcu.report(dp19=first + i)
        stream.wait_data(power_w=(first + i) / 10)
        times.report = max(times.report, (time.monotonic() - begun) * 1000)
    assert quiet.wait_for(lambda: [f.name for f in quiet.frames[n_frames:]].count(QUERY) >= 4, TIMEOUT)
    with quiet.changed:
        times.polls(quiet.frames[n_frames:])
    return times


def test_attack(mcu_at, start, meter, attack):
    mcu, quiet = mcu_at("main"), mcu_at("quiet")
    gateway = start([meter("main"), meter("quiet", poll="1s")])
    gateway.wait_now(state="online", power_w=17.7)
    gateway.wait_now("quiet", state="online", power_w=17.7)
    one = attack(gateway.http_port)
    with Stream(gateway.http_port) as stream:
        stream.wait(lambda s: s.last_id is not None)
        alone = measure(gateway, mcu, quiet, stream, 500)
    one.begin()
    for stream in one.streams:
        stream.wait(lambda s: s.last_id is not None)
    attacked = measure(gateway, mcu, quiet, one.streams[0], 1000, one.go_on)
    # Every stream has heard everything, and none was cut.
    for stream in one.streams:
        stream.wait(lambda s: any(e.data.get("power_w") == (999 + ROUNDS) / 10 for e in s.of("sample")))
        values = [e.data["power_w"] for e in stream.of("sample")
                  if e.data["meter"] == "main" and e.data.get("power_w", 0) >= 100]
        assert list(dict.fromkeys(values)) == [(1000 + i) / 10 for i in range(ROUNDS)]
    check_memory(gateway)
    assert gateway.now()["state"] == "online" and gateway.counter("reconnects") == 0
    for name in ("request", "report", "poll"):
        print("slowest %-8s %7.1f ms, alone %7.1f ms" % (name, getattr(attacked, name), getattr(alone, name)))
    print("private memory with %d streams %d KiB" % (STREAMS, private_kb(gateway)))


def test_too_many_streams(mcu, online, attack):
    """Streams cannot use up the connections; the next one is told to wait, and gets its place when one goes."""
    gateway = online()
    one = attack(gateway.http_port)
    limit = gateway.json("/api/v1/diagnostics")["limits"]["streams"]
    if RUN:
        pytest.skip("%d connections take too long here" % limit)
    for _ in range(limit):
        one.streams.append(Stream(gateway.http_port))
    for stream in one.streams:
        stream.wait(lambda s: s.last_id is not None)
    answer = gateway.get("/api/v1/stream")
    assert answer.status == 503 and int(answer.headers["Retry-After"]) > 0
    assert gateway.now()["state"] == "online"
    check_memory(gateway)
    one.streams.pop().close()

    def is_let_in():
        with Stream(gateway.http_port) as stream:
            stream.wait(lambda s: s.status is not None)
            return stream.status == 200

    wait_until(is_let_in)
