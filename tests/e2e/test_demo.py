"""The two commands that need no meter: the demo, and the simulated meter as a peer for any program."""
import json
import os
import signal
import subprocess

import pytest

from gateway import Lines, Process, fetch, free_port, run, wait_until

SIMULATED = {"product": "djfep9s6s3b2qk89"}


@pytest.fixture
def demo(tmp_path):
    """The demo on a free port, with a folder of its own for temporary files."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    port = free_port()
    process = Process(tmp_path, "demo", "--listen", "127.0.0.1:%d" % port, name="demo", stdout=subprocess.PIPE,
                      env={"TMPDIR": str(temporary), "XDG_RUNTIME_DIR": str(temporary)})
    process.output = Lines(process.process.stdout)
    process.output.wait(lambda line: "http://127.0.0.1:%d" % port in line)
    process.port, process.temporary = port, temporary
    process.now = lambda meter="main": fetch(port, "/api/v1/meters/%s/now" % meter).json
    process.meters = lambda: [m["id"] for m in fetch(port, "/api/v1/meters").json["meters"]]
    yield process
    process.kill()


def delivering(demo):
    now = demo.now()
    return now if now["available"] and now["voltage_v"] and now["current_a"] and now["power_w"] is not None else None


def test_demo_tells_its_address_and_shows_live_values(demo):
    now = wait_until(lambda: delivering(demo))
    assert now["state"] == "online"
    assert 200 < now["voltage_v"] < 260
    assert 0 <= now["power_w"] < 20000
    assert abs(now["apparent_power_va"] - now["voltage_v"] * now["current_a"]) < 0.001
    assert -1 <= now["power_factor"] <= 1
    # It lives: the values move on.
    wait_until(lambda: demo.now()["at_ms"] != now["at_ms"])
    page = fetch(demo.port, "/")
    assert page.status == 200 and "<title>" in page.text
    assert "metergate_voltage_volts{" in fetch(demo.port, "/metrics").text


def test_demo_shows_a_meter_of_each_protocol(demo):
    assert demo.meters() == ["main", "utility"]
    now = wait_until(lambda: (n := demo.now("utility"))["energy_import_kwh"] and n)
    assert now["name"] == "Utility meter" and now["state"] == "online"
    assert -20000 < now["power_w"] < 20000
    assert now["energy_import_kwh"] > 1000 and now["energy_export_kwh"] > 1000
    page = fetch(demo.port, "/metrics").text
    assert 'metergate_energy_exported_joules_total{meter="utility"}' in page
    wait_until(lambda: demo.now("utility")["at_ms"] != now["at_ms"])


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_demo_leaves_nothing_behind(demo, number):
    wait_until(lambda: delivering(demo))
    children = open("/proc/%d/task/%d/children" % (demo.pid, demo.pid)).read().split()
    demo.signal(number)
    assert demo.wait() == 0, demo.log()
    demo.check_log()
    assert list(demo.temporary.rglob("*")) == []
    assert not any(os.path.exists("/proc/" + child) for child in children)


def test_demo_leaves_nothing_behind_when_stopped_at_once(tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    process = Process(tmp_path, "demo", "--listen", "127.0.0.1:%d" % free_port(), env={"TMPDIR": str(temporary)})
    try:
        # valgrind has pipes of its own in there.
        wait_until(lambda: list(temporary.glob("metergate*")))
        process.signal(signal.SIGINT)
        assert process.wait() == 0, process.log()
        assert list(temporary.rglob("metergate*")) == []
    finally:
        process.kill()


def test_demo_keeps_a_history_while_it_runs(demo):
    wait_until(lambda: delivering(demo))
    raw = "/api/v1/meters/main/history?step=raw&series=power_w"
    wait_until(lambda: len(fetch(demo.port, raw).json.get("rows", [])) > 2)
    assert list(demo.temporary.glob("*/history.ring"))


def test_demo_with_its_address_in_use(demo):
    result = run("demo", "--listen", "127.0.0.1:%d" % demo.port)
    assert result.returncode == 1
    assert str(demo.port) in result.stderr and "in use" in result.stderr


class Simulator(Process):
    def __init__(self, folder, link, *options):
        super().__init__(folder, "simulate", "tuyamcu", "--link", link, *options, name="simulate",
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.output = Lines(self.process.stdout)
        self.tell("auto")

    def tell(self, text):
        """A command, and its acknowledgement."""
        start = len(self.output.lines)
        self.process.stdin.write((text + "\n").encode())
        self.process.stdin.flush()
        answer = json.loads(self.output.wait(lambda line: line.startswith('{"command":'), start))
        assert answer["command"] == text
        return answer


@pytest.fixture
def simulator(tmp_path):
    made = []

    def make(*options):
        made.append(Simulator(tmp_path, tmp_path / "main", *options))
        return made[-1]

    yield make
    for s in made:
        if s.alive():
            s.signal(signal.SIGTERM)
            assert s.wait() == 0, s.log()
        s.check_log()
        assert not os.path.lexists(tmp_path / "main"), "the link is left behind"


def test_simulated_meter_delivers(simulator, start, meter):
    simulator()
    gateway = start([meter()])
    wait_until(lambda: gateway.now().get("voltage_v"))
    assert gateway.diagnostics()["product_key"] == SIMULATED["product"]
    assert gateway.now()["state"] == "online"


def test_simulated_meter_on_request(simulator, start, meter):
    s = simulator()
    gateway = start([meter(stale_after="2s")])
    wait_until(lambda: gateway.now().get("voltage_v"))

    assert s.tell("set 231.5 1.000 200.0") == {"command": "set 231.5 1.000 200.0", "ok": True}
    gateway.wait_now(voltage_v=231.5, current_a=1.0, power_w=200.0)

    assert s.tell("restart")["ok"]
    wait_until(lambda: gateway.counter("restarts") == 1)
    gateway.wait_now(state="online", power_w=200.0)

    assert s.tell("noise 500ms")["ok"]
    wait_until(lambda: gateway.counter("noise_bytes") > 100)
    gateway.wait_now(state="online", power_w=200.0)

    assert s.tell("silence 1h")["ok"]
    gateway.wait_now(available=False, power_w=None)
    assert s.tell("silence 50ms")["ok"]
    gateway.wait_now(state="online", power_w=200.0)

    errors = gateway.counter("checksum_errors")
    assert s.tell("bad-checksums 3")["ok"]
    wait_until(lambda: gateway.counter("checksum_errors") >= errors + 3)

    assert s.tell("unplug 500ms")["ok"]
    wait_until(lambda: gateway.counter("reconnects") >= 1)
    gateway.wait_now(state="online", power_w=200.0)

    assert s.tell("product abcdefgh12345678")["ok"]
    wait_until(lambda: gateway.diagnostics()["product_key"] == "abcdefgh12345678")
    wait_until(lambda: gateway.now()["available"] is False)


def test_simulated_meter_ends_on_request(simulator):
    s = simulator()
    s.tell("quit")
    assert s.wait() == 0


def test_simulated_meter_says_what_is_wrong(simulator):
    s = simulator()
    for text in ("dance", "silence forever", "set 1", "set a b c", "noise", "product", "restart now"):
        answer = s.tell(text)
        assert answer["ok"] is False and answer["error"]
    assert s.alive()


def test_simulated_meter_tells_its_terminal(simulator, tmp_path):
    s = simulator()
    terminal, link = s.output.wait(lambda line: line.startswith("/dev/")).split()
    assert link == str(tmp_path / "main") and os.path.realpath(link) == terminal


def test_simulated_meter_does_not_replace_a_file(tmp_path):
    path = tmp_path / "precious"
    path.write_text("x")
    result = run("simulate", "tuyamcu", "--link", path)
    assert result.returncode == 1 and "precious" in result.stderr
    assert path.read_text() == "x"


def test_simulated_meter_at_one_speed(simulator, start, meter, tmp_path):
    """The speed is found by asking."""
    simulator("--baud", "115200")
    gateway = start([meter(baud="auto")])
    wait_until(lambda: gateway.now().get("voltage_v"))
    assert gateway.diagnostics()["link"]["baud"] == 115200


def test_simulated_meter_with_a_bad_line(simulator, start, meter):
    simulator("--noise", "20", "--bad-checksums", "10", "--interval", "100ms", "--sync", "--seed", "7")
    gateway = start([meter()])
    wait_until(lambda: gateway.now().get("voltage_v"))
    wait_until(lambda: gateway.counter("checksum_errors") > 0 and gateway.counter("noise_bytes") > 20)
    wait_until(lambda: gateway.counter("sync_reports_acknowledged") > 2)
    assert 200 < gateway.now()["voltage_v"] < 260


def test_simulated_meter_goes_on_without_input(tmp_path, start, meter):
    """As a service it has no terminal."""
    process = Process(tmp_path, "simulate", "tuyamcu", "--link", tmp_path / "main", name="simulate")
    try:
        wait_until(lambda: os.path.islink(tmp_path / "main"))
        gateway = start([meter()])
        wait_until(lambda: gateway.now().get("voltage_v"))
        assert process.alive()
        gateway.stop()
        process.signal(signal.SIGTERM)
        assert process.wait() == 0, process.log()
    finally:
        process.kill()
