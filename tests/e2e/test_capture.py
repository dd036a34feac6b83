"""metergate capture: what goes over the wires is in the file, byte by byte, whatever happens meanwhile."""
import contextlib
import json
import os
import re
import resource
import select
import signal
import socket
import subprocess
import threading
import time
import tty

import pytest

from fake_mcu import frame, unit
from gateway import TIMEOUT, Process, command, run, wait_until
from player import Simulator

CODE_HEADER = b"$\x01i\x08"   # of a Vue's answer with its install code


class Line:
    """A pty that somebody may open and close as he likes; what is written to it waits for him."""

    def __init__(self, link):
        self.link = link
        self.master, self.slave = os.openpty()
        tty.setraw(self.slave)
        os.set_blocking(self.master, False)
        self.path = os.ttyname(self.slave)
        os.symlink(self.path, str(link) + ".new")
        os.replace(str(link) + ".new", link)

    def write(self, data, wanted=lambda: True):
        """Waits while the line is full, but for nobody who is gone."""
        deadline = time.monotonic() + TIMEOUT
        while data and wanted():
            assert time.monotonic() < deadline, "nobody reads; %d bytes are left" % len(data)
            if select.select([], [self.master], [], 0.1)[1]:
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(self.master, data):]

    def close(self):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.link)
        os.close(self.slave)
        os.close(self.master)


class Tap:
    """A wire from a device's terminal to folder/host, with an adapter on each of its lines: folder/rx and folder/tx."""

    def __init__(self, folder, device):
        self.host, self.rx, self.tx = (Line(folder / name) for name in ("host", "rx", "tx"))
        self.device = os.open(device, os.O_RDWR | os.O_NOCTTY)
        self.said = {"rx": b"", "tx": b""}
        self._wake, self._stop = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while True:
            readable, _, _ = select.select([self.device, self.host.master, self._wake], [], [])
            if self._wake in readable:
                return
            for fd, other, line, name in ((self.device, self.host.master, self.rx, "rx"),
                                          (self.host.master, self.device, self.tx, "tx")):
                if fd in readable:
                    data = os.read(fd, 4096)
                    self.said[name] += data
                    line.write(data)
                    os.write(other, data)

    def hang_up(self):
        """Nothing more goes over the wires: what has been said is all."""
        os.write(self._stop, b"x")
        self._thread.join()

    def close(self):
        self.hang_up()
        os.close(self._stop)
        os.close(self._wake)
        os.close(self.device)
        for line in (self.host, self.rx, self.tx):
            line.close()


class Capture(Process):
    """A recording under way; ports are files of folder."""

    def __init__(self, folder, *options, out="out.hex", name="capture", **more):
        self.out = folder / out
        super().__init__(folder, "capture", "--out", self.out, *options, name=name, **more)

    def lines(self):
        """Of every file, as far as they are whole; all over again when a file was set aside or deleted meanwhile."""
        while True:
            with contextlib.suppress(FileNotFoundError):
                files = files_of(self.out)
                lines = [line for path in files for line in path.read_text().splitlines(True)]
                if files_of(self.out) == files:
                    return [line.rstrip("\n") for line in lines if line.endswith("\n")]

    def bytes(self, direction="rx"):
        return bytes_of(self.lines(), direction)

    def wait_bytes(self, expected, direction="rx"):
        found = wait_until(lambda: len(found := self.bytes(direction)) >= len(expected) and (found,),
                           what="%d bytes of %s; %s" % (len(expected), direction, self.log()))
        assert found == (expected,)

    def wait_log(self, text):
        return wait_until(lambda: next((line for line in self.log_lines() if text in line), None), what=text)

    def end(self, number=signal.SIGINT):
        self.signal(number)
        assert self.wait() == 0, self.log()
        self.check_log()
        return self.log()

    def fails(self):
        assert self.wait() == 1, self.log()
        self.check_log(may_fail=True)
        return self.log()


def files_of(out):
    """Oldest first."""
    return sorted(out.parent.glob(out.stem + "-2*" + out.suffix)) + ([out] if out.exists() else [])


def bytes_of(lines, direction):
    found = b""
    for line in lines:
        if line.strip() and not line.startswith("#"):
            at, side, data = line.split(" ", 2)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at), line
            if side == direction:
                found += bytes.fromhex(data)
    return found


def decode(protocol, *files, options=()):
    result = run("decode", "--protocol", protocol, "--stats", *options, "-", input="".join(f.read_text() for f in files))
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def decode_bytes(protocol, data, folder, direction="rx"):
    at = "2026-11-21T10:00:00.000Z"
    lines = ["%s %s %s\n" % (at, direction, data[i:i + 1000].hex()) for i in range(0, len(data), 1000)]
    (folder / "direct.hex").write_text("".join(lines))
    return decode(protocol, folder / "direct.hex")


def without_place(objects):
    return [{k: v for k, v in o.items() if k not in ("at", "direction")} for o in objects]


@pytest.fixture
def line(tmp_path):
    line = Line(tmp_path / "line")
    yield line
    line.close()


@pytest.fixture
def capture(tmp_path):
    running = []

    def start(*options, **more):
        process = Capture(tmp_path, *options, name="capture%d" % len(running), **more)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()


@contextlib.contextmanager
def tapped(folder, protocol):
    simulator = Simulator(protocol, folder, "device")
    tap = Tap(folder, simulator.link)
    try:
        yield tap
    finally:
        tap.close()
        simulator.kill()


@pytest.mark.parametrize("protocol", ["tuyamcu", "vue"])
def test_a_gateway_at_work(capture, start, meter, tmp_path, protocol):
    """Both directions of a whole dialogue: what is decoded from the file is what is decoded from the wires."""
    with tapped(tmp_path, protocol) as tap:
        record = capture("--port", tmp_path / "rx", "--port-tx", tmp_path / "tx", "--protocol", protocol,
                         "--show-secrets", "--baud", 115200)
        wait_until(record.out.exists)
        gateway = start([meter(protocol=protocol, port=tmp_path / "host", poll="5s" if protocol == "vue" else "1s")])
        gateway.wait_now(state="online")
        wait_until(lambda: gateway.diagnostics()["framing"]["frames"] >= 6)
        gateway.stop()
        tap.hang_up()
        record.wait_bytes(tap.said["rx"], "rx")
        record.wait_bytes(tap.said["tx"], "tx")
        log = record.end()
    assert "recorded" in log and "rx %d bytes" % len(tap.said["rx"]) in log
    objects = decode(protocol, record.out)
    for direction in ("rx", "tx"):
        frames = [o for o in objects if o.get("direction") == direction]
        direct = decode_bytes(protocol, tap.said[direction], tmp_path, direction)
        assert without_place(frames) == without_place(direct[:-1])
        found = re.search(direction + r" (\d+) bytes, (\d+) good frames of \w+, (\d+) bytes of noise", log)
        assert int(found[1]) == direct[-1]["stats"]["total_bytes"]
        assert int(found[2]) == direct[-1]["stats"]["frames"] > 0
        assert int(found[3]) == direct[-1]["stats"]["noise_bytes"]
    times = [o["at"] for o in objects[:-1]]
    assert times == sorted(times)


def test_what_is_captured_replays(capture, start, meter, tmp_path):
    """Bit for bit: a gateway hears from the file, to the last byte, what the one at the wire heard."""
    with tapped(tmp_path, "tuyamcu") as tap:
        record = capture("--port", tmp_path / "rx", "--port-tx", tmp_path / "tx", "--baud", 115200)
        wait_until(record.out.exists)
        first = start([meter(port=tmp_path / "host")])
        first.wait_now(state="online")
        first.stop()
        tap.hang_up()
        for side, said in tap.said.items():
            record.wait_bytes(said, side)
        record.end()
        said = dict(tap.said)
    again = start([meter(port="replay://%s?speed=100" % record.out, role="listen", profile="pj-mgw1103", baud=None)],
                  may_log_errors=True)
    wait_until(lambda: "ended" in (again.diagnostics()["link"]["error"] or ""))
    frames = [json.loads(line) for line in again.get("/api/v1/meters/main/frames").text.splitlines()]
    for side in said:
        assert b"".join(bytes.fromhex(f["hex"]) for f in frames if f["direction"] == side) == said[side]


def test_the_install_code_stays_out(capture, tmp_path):
    """A recording is pasted into forums. The code comes in pieces, as a line's reads have it, and in text."""
    line = Line(tmp_path / "line")
    try:
        record = capture("--port", tmp_path / "line", "--protocol", "vue")
        wait_until(record.out.exists)
        code, crlf = bytes.fromhex("83FED3407A939723"), b"\r\n"
        reading = CODE_HEADER[:2] + b"f\x01\x07\r"
        for piece in (reading, CODE_HEADER[:3], CODE_HEADER[3:] + code[:2], code[2:5], code[5:] + b"\r", reading,
                      b"Install code is 83FED3407A93", b"9723 " + crlf, b"nwk 00:01:02:03", b":04:05:06:07 up" + crlf,
                      reading):
            line.write(piece)
            # Each as a read of its own, as far as that can be had.
            wait_until(lambda: not select.select([line.slave], [], [], 0)[0])
        wait_until(lambda: record.bytes().endswith(b"up\r\n" + reading))
        record.end()
    finally:
        line.close()
    text, data = record.out.read_text(), record.bytes()
    assert code not in data and b"83FED340" not in data and b"9723" not in data and b"00:01:02:03" not in data
    assert CODE_HEADER + bytes(8) + b"\r" in data and b"nwk 00:00:00:00:00:00:00:00 up\r\n" in data
    assert data.count(reading) == 3
    assert "# note: secrets" in text and "bytes that are or may be secret are overwritten" in text
    assert [o.get("install_code") for o in decode("vue", record.out) if o.get("type") == "i"] == ["masked"]


@pytest.mark.parametrize("options", [(), ("--protocol", "vue")], ids=["wrong protocol", "swapped"])
def test_the_install_code_stays_out_all_the_same(capture, tmp_path, options):
    """Of one that was told the wrong protocol, or has its two ports swapped. What is recorded can be decoded."""
    code, swapped = bytes.fromhex("83FED3407A939723"), bool(options)
    ports = [Line(tmp_path / "module"), Line(tmp_path / "host")]
    try:
        record = capture("--port", tmp_path / ("host" if swapped else "module"), "--baud", 115200,
                         "--port-tx", tmp_path / ("module" if swapped else "host"), *options)
        wait_until(record.out.exists)
        said = b"$\x01f\x01\x07\r" + CODE_HEADER + code + b"\rInstall code is 83FED3407A939723\r\n$\x01j\x01\x01\r"
        ports[1].write(b"$f\r$i\r$j\r")
        ports[0].write(said)
        sides = ("tx", "rx") if swapped else ("rx", "tx")
        wait_until(lambda: (len(record.bytes(sides[0])), len(record.bytes(sides[1]))) == (len(said), 9))
        log = record.end()
    finally:
        for port in ports:
            port.close()
    data = record.bytes(sides[0])
    assert code[2:5] not in data and b"83FE" not in data and b"9723" not in data
    assert ("the two ports are swapped" in log) == swapped
    assert any(o.get("join") == 1 for o in decode("vue", record.out))


def test_rotation_has_no_hole(capture, line, tmp_path):
    """Over many files; each begins with a header, none is too large, and the oldest are gone."""
    record = capture("--port", line.link, "--rotate-size", "4KiB", "--keep", 1000)
    wait_until(record.out.exists)
    data = b"".join(frame(7, unit(1 + i % 100, i)) for i in range(1000))
    for i in range(0, len(data), 700):
        line.write(data[i:i + 700])
    record.wait_bytes(data)
    record.end()
    files = files_of(record.out)
    assert len(files) > 10 and "in %d files" % len(files) in record.log()
    for path in files:
        assert path.stat().st_size <= 4096 and path.read_text().startswith("# source: metergate capture\n# began: ")
        assert path.read_text().endswith("\n")
    assert decode("tuyamcu", files[len(files) // 2])[-1]["stats"]["frames"] > 20, "each can be read by itself"
    together = decode("tuyamcu", *files)
    assert together[-1]["stats"] == {"frames": 1000, "noise_bytes": 0, "pending_bytes": 0, "total_bytes": len(data)}
    # What is kept is the newest, and nothing but files of this recording is touched.
    others = [tmp_path / "out-notes.hex", tmp_path / "out-20261121T100000.123Z.txt", tmp_path / "other.hex"]
    for path in others:
        path.write_text("mine")
    again = capture("--port", line.link, "--rotate-size", "4KiB", "--keep", 4)
    newer = b"".join(frame(7, unit(101 + i % 100, i)) for i in range(1000))
    for i in range(0, len(newer), 700):
        line.write(newer[i:i + 700])
    wait_until(lambda: again.bytes().endswith(newer[-700:]) and len(files_of(record.out)) <= 4)
    again.end()
    assert len(files_of(record.out)) == 4 and newer.endswith(again.bytes()[-3000:])
    assert all(path.read_text() == "mine" for path in others)


def test_rotation_by_time(capture, line):
    record = capture("--port", line.link, "--rotate-every", "1s")
    wait_until(record.out.exists)
    sent = b""

    def three_files():
        nonlocal sent
        line.write(frame(0, b"\1"))
        sent += frame(0, b"\1")
        return len(files_of(record.out)) >= 3
    wait_until(three_files, interval=0.1)
    record.wait_bytes(sent)
    record.end()
    names = [path.name for path in files_of(record.out)]
    assert all(re.fullmatch(r"out-\d{8}T\d{6}\.\d{3}Z\.hex", name) for name in names[:-1]) and names[-1] == "out.hex"
    for path in files_of(record.out)[:-1]:
        began = re.search("# began: (.*)Z", path.read_text())[1]
        assert path.name == "out-%sZ.hex" % re.sub("[-:]", "", began)


def test_kill_leaves_whole_lines(capture, line):
    """Again and again, into one file, which is continued."""
    sent = b""
    for i in range(3):
        record = capture("--port", line.link)
        wait_until(lambda: record.out.exists() and record.out.read_text().count("# began") == i + 1)
        for k in range(200):
            data = frame(7, unit(18, 1000 * i + k))
            line.write(data)
            sent += data
        record.wait_bytes(sent)
        line.write(frame(7, unit(18, 0)) * 20)
        record.kill()
        sent = record.bytes()
        assert record.out.read_text().endswith("\n")
        tty_empty(line)
    objects = decode("tuyamcu", record.out)
    assert objects[-1]["stats"]["total_bytes"] == len(sent)


def tty_empty(line):
    while select.select([line.slave], [], [], 0)[0]:
        os.read(line.slave, 4096)


def test_a_file_that_is_no_recording_is_left_alone(capture, line, tmp_path):
    for content in ("precious", "# source: somebody else\n"):
        (tmp_path / "out.hex").write_text(content)
        assert "is no recording of metergate capture" in capture("--port", line.link).fails()
        assert (tmp_path / "out.hex").read_text() == content
    first = capture("--port", line.link, out="two.hex")
    wait_until(first.out.exists)
    second = Line(tmp_path / "second")
    try:
        assert "another program writes to it" in capture("--port", second.link, out="two.hex").fails()
    finally:
        second.close()
    first.end()


def test_a_torn_line_is_dropped(capture, line):
    """What a power cut left."""
    record = capture("--port", line.link)
    wait_until(record.out.exists)
    line.write(frame(0, b"\1"))
    record.wait_bytes(frame(0, b"\1"))
    record.end()
    with open(record.out, "a") as out:
        out.write("2026-11-21T10:00:00.123Z rx 55 A")
    record = capture("--port", line.link)
    wait_until(lambda: record.out.read_text().count("# began") == 2)
    line.write(frame(0, b"\2"))
    record.wait_bytes(frame(0, b"\1") + frame(0, b"\2"))
    record.end(signal.SIGTERM)
    assert decode("tuyamcu", record.out)[-1]["stats"]["frames"] == 2


def test_port_goes_away_and_comes_back(capture, tmp_path):
    line = Line(tmp_path / "line")
    record = capture("--port", line.link)
    wait_until(record.out.exists)
    line.write(frame(0, b"\1"))
    record.wait_bytes(frame(0, b"\1"))
    line.close()
    record.wait_log("it is opened again")
    line = Line(tmp_path / "line")
    try:
        record.wait_log("is back")
        line.write(frame(0, b"\2"))
        record.wait_bytes(frame(0, b"\1") + frame(0, b"\2"))
        record.end()
    finally:
        line.close()
    text = record.out.read_text()
    assert re.search(r"^# note: \S+Z rx: the port is gone", text, re.M)
    assert re.search(r"^# note: \S+Z rx: the port is back after \d+\.\d s$", text, re.M)
    assert decode("tuyamcu", record.out)[-1]["stats"] == {"frames": 2, "noise_bytes": 0, "pending_bytes": 0,
                                                         "total_bytes": 16}


def test_two_ports_over_tcp(capture):
    """A bridge for each line."""
    servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    urls = ["tcp://127.0.0.1:%d" % s.getsockname()[1] for s in servers]
    record = capture("--port", urls[0], "--port-tx", urls[1])
    ends = [server.accept()[0] for server in servers]
    ends[1].sendall(frame(8))
    record.wait_bytes(frame(8), "tx")
    ends[0].sendall(frame(7, unit(19, 177)))
    record.wait_bytes(frame(7, unit(19, 177)), "rx")
    record.end()
    for s in ends + servers:
        s.settimeout(10)
    assert [end.recv(100) for end in ends] == [b"", b""], "nothing was ever sent"
    assert "# rx: TCP\n# tx: TCP\n" in record.out.read_text()
    assert [o.get("direction") for o in decode("tuyamcu", record.out)[:-1]] == ["tx", "rx"]
    for s in ends + servers:
        s.close()


def test_the_speed_is_found(capture, mcu_at, tmp_path):
    """At the wrong one there is only noise; all of it is kept."""
    mcu = mcu_at(speed=38400)
    record = capture("--port", tmp_path / "main")
    wait_until(record.out.exists)

    def found():
        mcu.send(7, unit(19, 177))
        return any("good frames of tuyamcu at 38400 baud" in line for line in record.log_lines())
    wait_until(found, interval=0.01)
    assert mcu.port.baud() == 38400 and mcu.received_bytes == 0
    record.end()
    assert "no good frame of tuyamcu at 9600 baud; now at 115200" in record.log()
    notes = re.findall(r"^# note: \S+ (.*baud)$", record.out.read_text(), re.M)
    assert notes == ["now at 115200 baud", "now at 38400 baud", "good frames at 38400 baud"]
    assert decode("tuyamcu", record.out)[-1]["stats"]["frames"] > 0


def test_a_given_speed_is_kept(capture, mcu_at, tmp_path):
    mcu = mcu_at(speed=115200)
    record = capture("--port", tmp_path / "main", "--baud", 115200)
    wait_until(record.out.exists)
    mcu.send(7, unit(19, 177))
    record.wait_bytes(frame(7, unit(19, 177)))
    assert mcu.port.baud() == 115200
    record.end()
    assert "# rx: pty, 115200 baud\n" in record.out.read_text() and "searched" not in record.out.read_text()


def limit_files(size):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    return limit


def test_full_disk(capture, line, tmp_path):
    """A clear error; what was written before is whole."""
    out = tmp_path / "full.hex"
    with open(tmp_path / "stderr", "wb") as stderr:
        process = subprocess.Popen(command("capture", "--port", line.link, "--out", out), stderr=stderr,
                                   stdin=subprocess.DEVNULL, preexec_fn=limit_files(20000))
    sent = b""
    while process.poll() is None:
        data = frame(7, unit(18, len(sent)))
        line.write(data, wanted=lambda: process.poll() is None)
        sent += data
        time.sleep(0.001)
    assert process.wait() == 1
    assert "full.hex: File too large; what was recorded before is whole" in (tmp_path / "stderr").read_text()
    text = out.read_text()
    assert text.endswith("\n") and 15000 < len(text) <= 20000
    assert sent.startswith(bytes_of(text.splitlines(), "rx"))
    decode("tuyamcu", out)


def test_full_device(line):
    result = run("capture", "--port", line.link, "--out", "/dev/full")
    assert result.returncode == 1 and "/dev/full: No space left on device" in result.stderr


def test_standard_output(line):
    process = subprocess.Popen(command("capture", "--port", line.link, "--duration", "1h"), stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    line.write(frame(7, unit(18, 77)))
    seen = []
    for text in process.stdout:
        seen.append(text.decode())
        if bytes_of(seen, "rx") == frame(7, unit(18, 77)):
            break
    process.send_signal(signal.SIGTERM)
    assert process.wait() == 0
    process.communicate()
    assert seen[0] == "# source: metergate capture\n"


def test_a_reader_that_stands_still(line):
    """It does not keep the recorder from ending."""
    reader, writer = os.pipe()
    process = subprocess.Popen(command("capture", "--port", line.link, "--baud", 115200), stdout=writer,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    os.close(writer)
    try:
        # Far more than a pipe holds: the port is read on all the same.
        line.write(frame(7, unit(18, 77)) * 14000)
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 1
        assert b"stdout: is not read any more" in process.communicate()[1]
    finally:
        process.kill()
        os.close(reader)


def test_ends_by_itself(line, tmp_path):
    result = run("capture", "--port", line.link, "--out", tmp_path / "short.hex", "--duration", "1s")
    assert result.returncode == 0 and "recorded" in result.stderr
    assert "\033" not in result.stderr and "\r" not in result.stderr, "progress is for terminals"


def test_progress_on_a_terminal(line, tmp_path):
    master, slave = os.openpty()
    process = subprocess.Popen(command("capture", "--port", line.link, "--out", tmp_path / "p.hex"), stderr=slave,
                               stdin=subprocess.DEVNULL)
    os.close(slave)
    line.write(frame(7, unit(18, 77)) + b"\x01")
    shown = b""
    while b"rx 16 bytes, 1 good frames of tuyamcu, 1 bytes of noise" not in shown:
        shown += os.read(master, 4096)
    process.send_signal(signal.SIGINT)
    assert process.wait() == 0
    os.close(master)


def test_nothing_is_transmitted(capture, line):
    """Not even a bug could: the port is open for reading only."""
    record = capture("--port", line.link)
    wait_until(record.out.exists)
    flags = []
    folder = "/proc/%d" % record.pid
    for fd in os.listdir(folder + "/fdinfo"):
        with contextlib.suppress(FileNotFoundError):
            if os.readlink("%s/fd/%s" % (folder, fd)) == line.path:
                with open("%s/fdinfo/%s" % (folder, fd)) as info:
                    flags += [int(text.split()[1], 8) & os.O_ACCMODE for text in info if text.startswith("flags:")]
    assert flags == [os.O_RDONLY]
    record.end()


@pytest.mark.parametrize("options,text", [
    ([], "--port: expected"),
    (["--port", "ttyUSB0"], "--port: expected the full path of a device"),
    (["--port", "tcp://nowhere"], "--port: expected the full path of a device"),
    (["--port", "/dev/a", "--port-tx", "/dev/a"], "--port-tx: expected another port"),
    (["--port", "/dev/a", "--baud", "12345"], "--baud: expected auto"),
    (["--port", "/dev/a", "--rotate-size", "1KiB", "--out", "x"], "--rotate-size: expected a size from 4KiB"),
    (["--port", "/dev/a", "--rotate-size", "1MiB"], "--out: expected a file"),
    (["--port", "/dev/a", "--keep", "3"], "--keep: expected"),
    (["--port", "/dev/a", "--keep", "0", "--rotate-every", "1h", "--out", "x"], "--keep: expected a number"),
    (["--port", "/dev/a", "--duration", "1"], "--duration: expected a duration"),
    (["--port", "/dev/a", "--protocol", "dlms"], "there is no protocol 'dlms'"),
    (["--port", "/dev/a", "more"], "unexpected 'more'"),
])
def test_wrong_usage(options, text):
    result = run("capture", *options)
    assert result.returncode == 2 and text in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_a_port_that_is_not_there(tmp_path):
    result = run("capture", "--port", tmp_path / "none", "--out", tmp_path / "x.hex")
    assert result.returncode == 1 and "--port: %s: No such file or directory" % (tmp_path / "none") in result.stderr
    assert not (tmp_path / "x.hex").exists()
