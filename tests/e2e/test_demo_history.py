"""The demo with a past."""
import json
import os
import pty
import resource
import select
import signal
import subprocess
import time

import pytest

from gateway import TIMEOUT, Lines, Process, command, fetch, free_port, run, wait_until


@pytest.fixture
def temporary(tmp_path):
    folder = tmp_path / "tmp"
    folder.mkdir()
    return folder


@pytest.fixture
def demo(tmp_path, temporary):
    """demo("--history", "3d") has filled its history when it returns; it serves at .port."""
    running = []

    def start(*options):
        port = free_port()
        process = Process(tmp_path, "demo", "--listen", "127.0.0.1:%d" % port, *options, name="demo%d" % len(running),
                          stdout=subprocess.PIPE, env={"TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(temporary)})
        running.append(process)
        process.port = port
        process.output = Lines(process.process.stdout)
        process.output.wait(lambda line: "http://127.0.0.1:%d" % port in line)
        process.json = lambda path: fetch(port, path).json
        wait_until(lambda: process.json("/healthz")["history"] != "reading")
        return process

    yield start
    for process in running:
        process.kill()


def left_over(folder):
    """valgrind has pipes of its own in there."""
    return [p for p in folder.rglob("*") if "vgdb-pipe" not in p.name]


def now_ms():
    return int(time.time() * 1000)


def history(demo, meter, **parameters):
    query = "&".join("%s=%s" % item for item in parameters.items())
    return demo.json("/api/v1/meters/%s/history?%s" % (meter, query))


def test_the_past_is_there_and_goes_on_without_a_seam(demo):
    began = now_ms()
    d = demo("--history", "3d")
    assert "history [" not in d.log(), "a bar where there is no terminal"
    filled = now_ms()

    live = wait_until(lambda: (n := d.json("/api/v1/meters/utility/now"))["power_w"] is not None and n)
    main = wait_until(lambda: (n := d.json("/api/v1/meters/main/now"))["energy_import_kwh"] is not None and n)
    for meter, series in (("main", "power_w"), ("utility", "power_w"), ("utility", "energy_import_kwh")):
        rows = history(d, meter, series=series, **{"from": "-80h", "to": "now", "step": "1h"})["rows"]
        known = [row for row in rows if row[1] is not None]
        assert abs(known[0][0] - (began - 3 * 86400000)) < 3600000 + filled - began
        assert len(known) > 72 - 10, "an outage takes a few hours at most"

    # Registers go on from where the past left them: no jump, no reset, nothing withheld.
    raw = history(d, "utility", series="energy_import_kwh", step="raw", limit=11000, **{"from": "-80h", "to": "now"})
    energies = [row[1] for row in raw["rows"]]
    assert energies == sorted(energies) and energies[0] > 5800
    assert 0 <= live["energy_import_kwh"] - energies[0] < 3 * 24 * 12
    wait_until(lambda: d.json("/api/v1/meters/utility/now")["at_ms"] > live["at_ms"])
    for meter in ("main", "utility"):
        withheld = d.json("/api/v1/meters/%s/diagnostics" % meter)["withheld"]
        assert not any(count for why, count in withheld.items() if why.startswith("counter") or why == "limits")
    # What has no register is the integral of its past.
    assert 3 < main["energy_import_kwh"] < 3 * 24 * 12 and main["energy_export_kwh"] == 0


def last_before_the_start(d, key):
    """The newest total that was stored before the live part, and the first that it brought."""
    events = d.json("/api/v1/events")["events"]
    started = next(e["at_ms"] for e in reversed(events) if e["kind"] == "started")
    rows = history(d, "utility", series=key, **{"from": "-10min", "to": "now", "step": "raw", "limit": 11000})["rows"]
    before = [row for row in rows if row[0] <= started]
    after = [row for row in rows if row[0] > started]
    return (before[-1], after[0]) if before and after else None


def test_the_live_part_begins_where_the_past_ended(demo):
    d = demo("--history", "1h")
    for key in ("energy_import_kwh", "energy_export_kwh"):
        before, after = wait_until(lambda: last_before_the_start(d, key))
        # At most what flows in that time, and a Wh of rounding.
        assert 0 <= after[1] - before[1] <= 12.0 * (after[0] - before[0]) / 3600000 + 0.001


def test_same_seed_same_past(demo):
    first, second, other = demo("--history", "2h"), demo("--history", "2h"), demo("--history", "2h", "--seed", "2")
    asked = {"series": "power_w", "from": now_ms() // 1000 - 6000, "to": now_ms() // 1000 - 3600, "step": "raw",
             "limit": 11000}
    rows = [history(d, "main", **asked)["rows"] for d in (first, second, other)]
    assert len(rows[0]) > 200 and rows[0] == rows[1] != rows[2]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_fills_leaves_nothing_behind(tmp_path, temporary, number):
    process = Process(tmp_path, "demo", "--listen", "127.0.0.1:%d" % free_port(), "--history", "1830d",
                      env={"TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(temporary)})
    try:
        wait_until(lambda: list(temporary.glob("metergate-demo-*/*")))
        process.signal(number)
        assert process.wait() == 0, process.log()
        assert left_over(temporary) == []
        process.check_log()
    finally:
        process.kill()


def read_all(descriptor, process):
    """What a terminal shows until the process ends."""
    shown = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], 0.1)
        if ready:
            try:
                data = os.read(descriptor, 65536)
            except OSError:
                return shown
            if not data:
                return shown
            shown += data
            if b"http://" in shown:
                process.send_signal(signal.SIGINT)
        elif process.poll() is not None:
            return shown


def test_a_bar_on_a_terminal(temporary):
    master, slave = pty.openpty()
    process = subprocess.Popen(command("demo", "--listen", "127.0.0.1:%d" % free_port(), "--history", "2d"),
                               stdin=subprocess.DEVNULL, stdout=slave, stderr=slave,
                               env={**os.environ, "TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(temporary)})
    os.close(slave)
    try:
        shown = read_all(master, process).decode(errors="replace")
        assert process.wait(TIMEOUT) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        os.close(master)
    assert "history [" in shown and "#" in shown and "%" in shown
    # It is gone before anything else is said.
    assert shown.rindex("history [") < shown.rindex("\x1b[K") < shown.index("http://")


@pytest.mark.parametrize("option, value, words", [
    ("--history", "400", "400d"), ("--history", "59min", "1h"), ("--history", "1831d", "1830d"),
    ("--history", "-3d", "'-3d'"), ("--history", "99999999999999999999d", "1830d"), ("--history", "", "1h"),
    ("--seed", "x", "'x'"), ("--seed", "-1", "'-1'"), ("--seed", "1.5", "'1.5'"),
])
def test_mistakes_name_the_option(temporary, option, value, words):
    result = run("demo", option, value, env={**os.environ, "TMPDIR": str(temporary)})
    assert result.returncode == 2
    assert option in result.stderr and words in result.stderr and result.stderr.count("\n") == 1
    assert left_over(temporary) == []


def test_a_bad_address_is_told_before_the_past_is_made(temporary):
    result = run("demo", "--history", "1830d", "--listen", "nowhere",
                 env={**os.environ, "TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(temporary)})
    assert result.returncode == 2 and "--listen" in result.stderr
    assert left_over(temporary) == []


def test_no_room(temporary):
    """A file may not grow to what is needed: it says so and leaves nothing."""
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, 8 << 20))

    result = run("demo", "--history", "30d", "--listen", "127.0.0.1:%d" % free_port(), preexec_fn=limit,
                 env={**os.environ, "TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(temporary)})
    assert result.returncode == 1
    assert "history.ring" in result.stderr and "--history" in result.stderr and "TMPDIR" in result.stderr
    assert json.dumps(result.stderr).count("\\n") == 1
    assert left_over(temporary) == []
