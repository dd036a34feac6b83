"""The live stream of a real gateway: what comes, what is left out, and that nothing is missed whatever happens."""
import contextlib
import os
import random
import threading

import pytest

from gateway import SEED, wait_until
from stream import Stream, fill

DISCONNECTS = int(os.environ.get("METERGATE_DISCONNECTS", "1000"))
LOAD = {18: 1000, 19: 2300, 20: 2300, 101: 500000}


def samples(gateway, after="0"):
    rows = []
    while True:
        page = gateway.json("/api/v1/samples?after=%s&limit=1000" % after)
        rows += page["samples"]
        after = page["next"]
        if not page["samples"]:
            return rows


def newest_of(gateway):
    return int(gateway.json("/api/v1")["history"]["cursor"])


@pytest.fixture
def begin(mcu_at, start, meter, tmp_path):
    """begin() starts a gateway whose meter reports when it is told to; a second one goes on with its history."""
    made = []

    def make():
        if not made:
            made.append(mcu_at(values=dict(LOAD), product=None))
        gateway = start([meter(profile="tomzn-60a", poll="5min", stale_after="10min")],
                        extra="history: { directory: %s/kept, size: 2MiB, flush: 1s }\n" % tmp_path)
        gateway.wait_history()
        gateway.wait_now(state="online", energy_import_kwh=5000)
        return made[0], gateway

    return make


def test_what_comes(begin):
    mcu, gateway = begin()
    with Stream(gateway.http_port) as stream:
        state = stream.wait_data("state")
        assert (state["meter"], state["state"], state["available"]) == ("main", "online", True)
        assert state["sources"]["voltage_v"] == {"source": "measured", "origin": "dp 20"}
        assert state["sources"]["apparent_power_va"]["source"] == "derived"
        assert stream.retry and "text/event-stream" in stream.head and stream.of("state")[0].id is None
        mcu.report(dp19=1234)
        data = stream.wait_data(power_w=123.4)
        assert data == samples(gateway)[-1] and stream.last_id == data["cursor"]
        mcu.unplug()
        assert stream.wait_data("state", state="offline")["reason"]
        mcu.replug()
        stream.wait(lambda s: s.of("state")[-1].data["state"] == "online")


def test_some_series_of_some_meters(mcu_at, start, meter):
    mcu_at("other", values=dict(LOAD), product=None)
    mcu = mcu_at(values=dict(LOAD), product=None)
    entries = [meter(id, profile="tomzn-60a", poll="1s", stale_after="10min") for id in ("main", "other")]
    gateway = start(entries)
    gateway.wait_now(energy_import_kwh=5000)
    with Stream(gateway.http_port, "?meters=main&series=power_w&min_interval=1h&delta=power_w:50") as stream:
        stream.wait_data("state")
        for value in (1000, 1400, 1600, 2099, 2100, 1000):
            mcu.report(dp19=value)
            gateway.wait_now(power_w=value / 10)
        stream.wait_data(power_w=100)
        stream.wait(lambda s: [e.data["power_w"] for e in s.of("sample")][-4:] == [100, 160, 210, 100])
        assert {e.data["meter"] for e in stream.events} == {"main"}
        assert all(set(e.data) == {"cursor", "meter", "at", "at_ms", "power_w"} for e in stream.of("sample"))


def test_heartbeat_moves_the_id_on(begin):
    """Rows that are left out are not asked for again by a client that comes back."""
    mcu, gateway = begin()
    with Stream(gateway.http_port, "?series=voltage_v&delta=voltage_v:100&min_interval=1d") as stream:
        stream.wait(lambda s: s.last_id is not None)
        mcu.report(dp20=2310)
        stream.wait(lambda s: s.of("sample"))
        for value in (2311, 2312, 2313):
            mcu.report(dp20=value)
            gateway.wait_now(voltage_v=value / 10)
        newest = samples(gateway)[-1]["cursor"]
        stream.wait(lambda s: s.comments >= 1 and int(s.last_id) >= int(newest))
        assert len(stream.of("sample")) == 1


def test_wrong_requests_end_at_once(begin):
    _, gateway = begin()
    assert gateway.get("/api/v1/stream?meters=nobody").json["parameter"] == "meters"
    assert gateway.get("/api/v1/stream", headers={"Last-Event-ID": "x"}).status == 400
    assert gateway.get("/api/v1/stream", method="HEAD").status == 200
    assert gateway.get("/api/v1/stream", method="POST").status == 405


def test_reload_and_stop_end_streams(begin):
    mcu, gateway = begin()
    with Stream(gateway.http_port) as stream:
        stream.wait(lambda s: s.last_id is not None)
        gateway.reload(gateway.config_path.read_text() + "\n")
        stream.wait(lambda s: s.ended)
    with Stream(gateway.http_port, last_id=stream.last_id) as stream:
        mcu.report(dp19=777)
        stream.wait_data(power_w=77.7)
        gateway.stop()
        stream.wait(lambda s: s.ended)


# --- what a client missed ---

class Reporters:
    """Meters that report as fast as rows can be told apart, until the end."""

    def __init__(self, mcus):
        self._mcus, self._stop = mcus, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *error):
        self._stop.set()
        self._thread.join()

    def _run(self):
        value = 0
        while not self._stop.wait(0.05):
            value += 1
            mcu = self._mcus[value % len(self._mcus)]
            mcu.report(dp19=1000 + value % 9000, dp101=500000 + value // 100)


class Follower:
    """A client that goes away at any moment and comes back with what it has heard."""

    def __init__(self, chance):
        self.chance, self.last_id, self.heard, self.gaps = chance, "0", {}, []

    def take(self, stream):
        """What a connection brought: ids never go back."""
        for event in stream.events:
            if event.kind == "gap":
                self.gaps.append((int(event.data["after"]), int(event.data["next"])))
            elif event.kind == "sample":
                assert event.id == event.data["cursor"] and int(event.id) > int(self.last_id), "seed %d" % SEED
                self.heard[event.id] = event.data
                self.last_id = event.id
        assert int(stream.last_id) >= int(self.last_id)
        self.last_id = stream.last_id

    def listen_a_little(self, port):
        stream = Stream(port, last_id=self.last_id)
        stream.socket.settimeout(self.chance.random() * 0.04 + 0.001)
        left = self.chance.choice((0, 1, 10, 100)) * self.chance.randrange(20)
        with contextlib.suppress(TimeoutError):
            while left > 0 and stream.read(self.chance.randrange(1, left + 1)):
                left -= self.chance.randrange(1, 200)
        self.take(stream)
        stream.close(reset=self.chance.random() < 0.5)

    def listen_up_to(self, port, newest):
        with Stream(port, last_id=self.last_id) as stream:
            stream.wait(lambda s: int(s.last_id) >= newest)
        self.take(stream)


def test_disconnects(mcu_at, start, meter, tmp_path):
    """At any moment, also in the middle of an event, while the gateway is restarted: every row is heard once."""
    ids = ["m%d" % i for i in range(5)]
    mcus = [mcu_at(id, values=dict(LOAD), product=None) for id in ids]
    restarts = {DISCONNECTS * (i + 1) // 5: i % 2 == 1 for i in range(4)}
    follower, crashed_at = Follower(random.Random(SEED)), []
    fill(tmp_path, SEED, "past", 24, DISCONNECTS)

    def live(number):
        gateway = start([meter(id, profile="tomzn-60a", poll="5min", stale_after="10min") for id in ids],
                        name="life%d" % number,
                        extra="history: { directory: %s/kept, size: 2MiB, flush: 1s }\n" % tmp_path)
        gateway.wait_history()
        for id in ids:
            gateway.wait_now(id, state="online")
        return gateway

    with Reporters(mcus):
        gateway = live(0)
        born = newest_of(gateway)
        for i in range(DISCONNECTS):
            if i in restarts:
                wait_until(lambda: newest_of(gateway) >= born + 10)
                if restarts[i]:
                    follower.listen_up_to(gateway.http_port, newest_of(gateway))
                    gateway.crash()
                    crashed_at.append(int(follower.last_id))
                else:
                    gateway.stop()
                gateway = live(i)
                born = newest_of(gateway)
            follower.listen_a_little(gateway.http_port)
    newest = newest_of(gateway)
    follower.listen_up_to(gateway.http_port, newest)

    stored = {row["cursor"]: row for row in samples(gateway)}
    missed = [cursor for cursor in stored if int(cursor) <= newest and cursor not in follower.heard]
    assert not missed, "seed %d: not heard: %r" % (SEED, missed)
    assert all(follower.heard[cursor] == row for cursor, row in stored.items() if int(cursor) <= newest)
    # What was heard and is not stored stood at the end of a life that ended in a crash.
    lost = [int(cursor) for cursor in follower.heard if cursor not in stored]
    for number in lost:
        end = min(at for at in crashed_at if at >= number)
        assert not any(str(kept) in stored for kept in range(number, end + 1)), "seed %d" % SEED
    # And what a gap tells is missing is.
    assert len(follower.gaps) >= len(crashed_at)
    for after, following in follower.gaps:
        assert not any(str(number) in stored for number in range(after + 1, following)), "seed %d" % SEED


def test_ring_that_went_round(begin, start, tmp_path):
    fill(tmp_path, SEED, "past", 24, 1000)
    _, gateway = begin()
    assert samples(gateway)[0]["cursor"] == "1"
    gateway.stop()
    fill(tmp_path, SEED, "other", 12, 200000, bits=24)
    gateway = start("[]", name="after", extra="history: { directory: %s/kept, size: 2MiB }\n" % tmp_path)
    gateway.wait_history()
    oldest = gateway.json("/api/v1/samples?limit=1")["samples"][0]["cursor"]
    assert int(oldest) > 1000
    with Stream(gateway.http_port, last_id="500") as stream:
        gap = stream.wait_data("gap")
        assert gap == {"after": "500", "next": oldest, "lost": int(oldest) - 501, "restarted": False}
        assert stream.wait_data()["cursor"] == oldest
        # A browser that leaves here comes back behind the gap.
        last_id = stream.last_id
    with Stream(gateway.http_port, last_id=last_id) as stream:
        stream.wait_data()
        assert not stream.of("gap")


def test_cursor_of_a_lost_stretch(begin):
    mcu, gateway = begin()
    with Stream(gateway.http_port) as stream:
        stream.wait(lambda s: s.last_id is not None)
        mcu.report(dp19=999)
        stream.wait_data(power_w=99.9)
        gateway.crash()
    mcu, gateway = begin()
    with Stream(gateway.http_port, last_id=stream.last_id) as after:
        first = after.wait_data()
        gap = after.of("gap")[0].data
        assert gap["after"] == stream.last_id and gap["next"] == first["cursor"] and gap["restarted"] is False
        assert int(first["cursor"]) > int(stream.last_id) + 1
    rows = samples(gateway, stream.last_id)
    assert rows[0] == first


# --- clients that do not behave ---

def test_client_that_does_not_read(begin, tmp_path):
    """It is cut when nothing leaves for half a minute, and comes back to where it was."""
    fill(tmp_path, SEED, "past", 24, 20000)
    mcu, gateway = begin()
    slow = Stream(gateway.http_port, last_id="0", receive_buffer=4096)
    with Stream(gateway.http_port) as good:
        good.wait(lambda s: s.last_id is not None)
        mcu.report(dp19=555)
        good.wait_data(power_w=55.5)
        wait_until(lambda: mcu.report(dp19=len(good.events)) or good.read() and peer_has_closed(gateway, slow))
    while slow.read():
        pass
    with Stream(gateway.http_port, last_id=slow.last_id) as again:
        assert again.wait_data()["cursor"] == str(int(slow.last_id) + 1)
        newest = newest_of(gateway)
        again.wait(lambda s: int(s.last_id) >= newest)
        ids = [int(e.id) for e in slow.of("sample") + again.of("sample")]
        assert ids[:newest] == list(range(1, newest + 1))
        assert not slow.of("gap") and not again.of("gap")


def peer_has_closed(gateway, stream):
    """Whether the gateway has let go of this connection."""
    host, port = stream.socket.getsockname()
    with open("/proc/%d/net/tcp" % gateway.pid) as table:
        remote = "0100007F:%04X" % port
        return not any(line.split()[2] == remote and line.split()[3] == "01" for line in table.readlines()[1:])
