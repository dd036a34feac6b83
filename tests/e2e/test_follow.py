"""GET .../frames?follow=true: what goes over the wire, as it goes."""
import json
import re
import shutil
import subprocess

import pytest

from fake_mcu import REPORT, frame, unit
from gateway import TIMEOUT, run, wait_until
from stream import Stream

FRAMES = "/api/v1/meters/main/frames"
HEARTBEAT = '{"lost":0}'


class Follower(Stream):
    """One connection that reads lines."""

    def __init__(self, gateway, query="", **options):
        self.lines, self.looked_at = [], 0
        super().__init__(gateway.http_port, query, path=FRAMES, **options)

    def _take_line(self, line):
        self.lines.append(line)

    def frames(self):
        return [json.loads(line) for line in self.lines]

    def numbers(self):
        """Without heartbeats and what was lost."""
        return [f["number"] for f in self.frames() if "number" in f]

    def wait_text(self, text):
        """Until a line with it has come; those that were looked at before are not looked at again."""
        def found(s):
            for s.looked_at in range(s.looked_at, len(s.lines)):
                if text in s.lines[s.looked_at]:
                    return True
        self.wait(found)

    def wait_frame(self, data):
        self.wait_text('"hex":"%s"' % data.hex().upper())


def report_of(value):
    return frame(REPORT, unit(19, value))


def test_each_frame_once(mcu, online):
    """Those that are there already, then each one as it comes, in the order of their numbers."""
    gateway = online()
    before = gateway.get(FRAMES).text.splitlines()
    with Follower(gateway, "?follow=true") as follower:
        follower.wait(lambda s: len(s.lines) >= len(before))
        assert follower.lines[:len(before)] == before
        for value in (191, 192, 193):
            mcu.report(dp19=value)
            follower.wait_frame(report_of(value))
        lines = [line for line in follower.lines if line != HEARTBEAT]
        assert follower.numbers() == list(range(1, len(lines) + 1))
        assert {json.loads(line)["direction"] for line in lines} == {"rx", "tx"}
        # The same as somebody else is told who asks now.
        assert gateway.get(FRAMES).text.splitlines()[:len(lines)] == lines
        assert follower.head.splitlines()[0].endswith("200 OK")
        assert "application/x-ndjson" in follower.head and "no-store" in follower.head
        assert "etag" not in follower.head.lower() and "gzip" not in follower.head.lower()


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl_writes_a_capture(mcu, online, tmp_path):
    gateway = online()
    path = tmp_path / "live.hex"
    with open(path, "wb") as out:
        curl = subprocess.Popen(["curl", "-sN", "--compressed", "http://127.0.0.1:%d%s?format=capture&follow=true" % (
            gateway.http_port, FRAMES)], stdout=out, stdin=subprocess.DEVNULL)
    for value in (291, 292):
        mcu.report(dp19=value)
        wait_until(lambda: report_of(value).hex(" ").upper() in path.read_text())
    # It ends with the stream, and so behind a whole line.
    gateway.stop()
    assert curl.wait(TIMEOUT) == 0
    assert path.read_text().startswith("# source: metergate, meter main\n# protocol: tuyamcu\n")
    result = run("decode", "--stats", path)
    assert result.returncode == 0, result.stderr
    decoded = [json.loads(line) for line in result.stdout.splitlines()]
    assert decoded[-1]["stats"]["noise_bytes"] == decoded[-1]["stats"]["pending_bytes"] == 0
    # The gateway goes on asking: what is told last is told more than once.
    powers = [d for d in decoded if "power_w" in d.get("readings", {})]
    assert powers[-1]["readings"] == {"power_w": 29.2} and powers[-1]["direction"] == "rx"


@pytest.mark.parametrize("form", ["ndjson", "capture"])
def test_slow_client(mcu, online, form):
    """It is told what it missed; others and the meter do not notice."""
    gateway = online()
    with Follower(gateway, "?follow=true&format=" + form, receive_buffer=4096) as slow, \
            Follower(gateway, "?follow=true") as good:
        slow.wait(lambda s: s.lines)
        value = 0
        # More than its sockets and the log hold together.
        while value < 3000:
            for _ in range(150):
                value += 1
                mcu.send(REPORT, unit(19, value))
            good.wait_frame(report_of(value))
        numbers = good.numbers()
        assert numbers == list(range(1, len(numbers) + 1)), "the other one has missed something"
        last = next(f["number"] for f in good.frames() if f.get("hex") == report_of(value).hex().upper())
        hex_of_last = (report_of(value).hex(" ") if form == "capture" else report_of(value).hex()).upper()
        slow.wait_text(hex_of_last)
        if form == "ndjson":
            expected, lost = 1, 0
            for f in slow.frames():
                if "lost" in f:
                    lost, expected = lost + f["lost"], expected + f["lost"]
                else:
                    assert f["number"] == expected
                    expected += 1
        else:
            lines = slow.lines[:next(i for i, line in enumerate(slow.lines) if hex_of_last in line) + 1]
            lost = sum(int(n) for n in re.findall(r"# note: (\d+) frames were lost", "\n".join(lines)))
            assert sum(" rx " in line or " tx " in line for line in lines) + lost == last
        assert lost > 100
    assert gateway.diagnostics()["framing"]["noise_bytes"] == 0 and gateway.now()["state"] == "online"


def test_reload_and_stop_end_it(mcu, online):
    gateway = online()
    with Follower(gateway, "?follow=true") as follower:
        follower.wait(lambda s: s.lines)
        gateway.reload(gateway.config_path.read_text() + "\n")
        follower.wait(lambda s: s.ended)
    with Follower(gateway, "?follow=true") as follower:
        follower.wait(lambda s: s.lines)
        gateway.stop()
        follower.wait(lambda s: s.ended)


def test_other_requests(mcu, online):
    gateway = online()
    head = gateway.get(FRAMES + "?follow=true", method="HEAD")
    assert head.status == 200 and head.body == b"" and "ETag" not in head.headers
    assert gateway.get(FRAMES + "?follow=maybe").json["parameter"] == "follow"
    assert gateway.get("/api/v1/meters/nobody/frames?follow=true").status == 404
    plain, followed = gateway.get(FRAMES), gateway.get(FRAMES + "?follow=false")
    assert plain.status == followed.status == 200 and plain.headers["ETag"] and followed.headers["ETag"]
    before = gateway.get("/api/v1/diagnostics").json["http"]["streams"]
    with Follower(gateway, "?follow=true") as follower:
        follower.wait(lambda s: s.lines)
        assert gateway.get("/api/v1/diagnostics").json["http"]["streams"] == before + 1
    wait_until(lambda: gateway.get("/api/v1/diagnostics").json["http"]["streams"] == before)


def test_heartbeat(start, meter):
    """While nothing goes over the wire something shows that the gateway is there."""
    gateway = start([meter()])
    with Follower(gateway, "?follow=true") as follower, Follower(gateway, "?follow=true&format=capture") as capture:
        follower.wait(lambda s: s.lines)
        assert set(follower.lines) == {HEARTBEAT}
        capture.wait(lambda s: s.lines[-1:] == ["#"])
