"""A meter that stays with its vendor's module: heard on one port or on two, and never spoken to."""
import json
import os
import re
import shutil
import subprocess
import time

import pytest

from fake_mcu import REPORT, STATE, McuLogic, TcpPort, frame, unit
from gateway import Collector, run, wait_until
from module import Ear, Line, TuyaModule, VueModule, listening

STRACE = shutil.which("strace")
# Whatever can bring bytes onto a port, and what opens it or changes it.
TRACED = "write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg,sendfile,splice,ioctl,open,openat"
# Reads or sets how the line is received, or who may open it. Breaks and modem lines would be seen by the other side.
HARMLESS = {"TCGETS", "TCGETS2", "TCSETS", "TCSETS2", "TIOCEXCL", "TIOCNXCL", "TCFLSH", "TIOCGSERIAL", "TIOCMGET",
            "FIONREAD", "TIOCINQ"}


def can_trace():
    return STRACE and subprocess.run([STRACE, "-o", "/dev/null", "true"], capture_output=True).returncode == 0


@pytest.fixture
def ear(tmp_path):
    """ear("rx") is a receiver behind the port tmp_path/rx. At the end nothing may ever have been said to it."""
    made = []

    def make(name):
        made.append(Ear(tmp_path / name))
        return made[-1]

    yield make
    for e in made:
        e.close()
        assert bytes(e.said) == b"", e.link


@pytest.fixture
def between(play, vue):
    """between("tuyamcu", rx_ears, tx_ears) is a simulated meter with its module, and the line between them."""
    made = []

    def make(protocol, rx_ears, tx_ears=(), options=()):
        meter = play("mcu", *options) if protocol == "tuyamcu" else vue("mgm", *options)
        module = TuyaModule() if protocol == "tuyamcu" else VueModule()
        made.append(Line(meter.link, module, rx_ears, tx_ears))
        return meter, made[-1]

    yield make
    for line in made:
        line.close()


def traced(tmp_path):
    """Options for a gateway whose system calls go into a file, and that file. It stays the process that we signal."""
    path = tmp_path / "strace"
    options = os.environ.get("ASAN_OPTIONS", "")
    # The leak check of a sanitizer cannot run below a tracer.
    env = {"ASAN_OPTIONS": options + ":detect_leaks=0"}
    return {"prefix": [STRACE, "-D", "-f", "-y", "-e", "trace=" + TRACED, "-o", path], "env": env}, path


def wait_trace(trace, pid):
    """Until the tracer has written all; threads end before their process does."""
    wait_until(lambda: re.search(r"^%d\s+\+\+\+ exited with" % pid, trace.read_text(errors="replace"), re.MULTILINE),
               what="the tracer's last line")


def on_ports(trace, paths):
    """Lines of the trace by what they do to one of these terminals."""
    calls = {}
    for line in trace.read_text(errors="replace").splitlines():
        found = re.match(r"\d+\s+(\w+)\(", line)
        if found and any("<%s>" % p in line or '"%s"' % p in line for p in paths):
            calls.setdefault(found[1], []).append(line)
    return calls


def assert_only_read(trace, paths):
    calls = on_ports(trace, paths)
    opened = calls.pop("openat", []) + calls.pop("open", [])
    assert opened and all("O_RDONLY" in line for line in opened), opened
    # Numbers that stand for several things are told as "SNDCTL_TMR_START or TCSETS".
    done = [set(re.search(r">, ([A-Z0-9_]+(?: or [A-Z0-9_]+)*)", line)[1].split(" or "))
            for line in calls.pop("ioctl")]
    assert done and all(names & HARMLESS for names in done), done
    assert calls == {}


def shows(gateway, expected, meter="main"):
    now = gateway.now(meter)
    return all(now.get(key) == value for key, value in expected.items())


def frames_of(gateway, meter="main"):
    text = gateway.get("/api/v1/meters/%s/frames" % meter).text
    return [json.loads(line) for line in text.splitlines()]


def entry(protocol, ears, **settings):
    made = {"id": "main", "protocol": protocol, "role": "listen", "port": ears[0].link}
    if len(ears) > 1:
        made["port_tx"] = ears[1].link
    return {**made, **settings}


@pytest.mark.skipif(not can_trace(), reason="strace is not installed, or may not trace")
@pytest.mark.parametrize("lines", [1, 2], ids=["shared", "two"])
@pytest.mark.parametrize("protocol", ["tuyamcu", "vue"])
def test_not_one_write(protocol, lines, ear, between, mcu_at, meter, start, tmp_path):
    """Readings as the meter measures them, and no system call that could bring a byte onto a port. A meter of the
    gateway's own in the same process shows that the tracer would have seen it."""
    ears = [ear("rx")] + ([ear("tx")] if lines == 2 else [])
    mine = mcu_at("mine")
    options, trace = traced(tmp_path)
    settings = {"profile": "pj-mgw1103"} if protocol == "tuyamcu" else {"poll": "5s"}
    gateway = start([entry(protocol, ears, **settings), meter("mine")], **options)
    listening(gateway, lines=lines)
    simulated, line = between(protocol, ears[:1], ears[-1:])
    if protocol == "tuyamcu":
        for load in ("set 231.5 1.234 285.6", "set 229.9 0.5 -100"):
            simulated.tell(load)
            wait_until(lambda: shows(gateway, simulated.expected()), what=load)
    else:
        simulated.tell("set 909")
        wait_until(lambda: simulated.expected() and shows(gateway, simulated.expected()[-1])
                   and gateway.now()["power_w"] == 909)
    gateway.wait_now("mine", state="online", power_w=17.7)
    assert gateway.now()["state"] == "online"
    diagnostics = gateway.diagnostics()
    for key in ("link", "link_tx")[:lines]:
        assert diagnostics[key]["written_bytes"] == diagnostics[key]["write_errors"] == 0
        assert diagnostics[key]["read_bytes"] > 0
    gateway.stop()
    wait_trace(trace, gateway.pid)
    assert "write" in on_ports(trace, [mine.port.path])
    assert_only_read(trace, [e.port.path for e in ears])
    assert all(bytes(e.said) == b"" for e in ears)


def test_tuyamcu_on_two_lines(ear, between, start):
    """What each of them says has its direction, and the module's question its answer time."""
    ears = [ear("rx"), ear("tx")]
    gateway = start([entry("tuyamcu", ears)])
    listening(gateway)
    simulated, line = between("tuyamcu", ears[:1], ears[1:])
    simulated.tell("set 231.5 1.234 285.6")
    wait_until(lambda: shows(gateway, simulated.expected()))
    wait_until(lambda: gateway.diagnostics()["latency"]["count"] > 0)
    frames = frames_of(gateway)
    commands = {direction: {f["hex"][4:8] for f in frames if f["direction"] == direction}
                for direction in ("rx", "tx")}
    assert {"0000", "0001", "0002", "0003", "0008"} <= commands["tx"]
    assert all(command.startswith("00") for command in commands["tx"])
    assert "0307" in commands["rx"] and all(command.startswith("03") for command in commands["rx"])
    diagnostics = gateway.diagnostics()
    assert diagnostics["product_key"] and diagnostics["firmware"]
    assert diagnostics["framing"]["noise_bytes"] == diagnostics["framing_tx"]["noise_bytes"] == 0
    assert diagnostics["link_tx"]["port"] == str(ears[1].link)
    assert diagnostics["hint"] is None


def test_zeros_wait_for_the_modules_state(mcu_at, ear, start):
    """The acknowledgement of "connected" counts, and what it was told came over the other line."""
    mcu, tx = mcu_at("rx"), ear("tx")
    gateway = start([{"id": "main", "protocol": "tuyamcu", "role": "listen", "port": mcu.port.link,
                      "port_tx": tx.link, "profile": "pj-mgw1103"}])
    listening(gateway)
    with Collector(gateway) as collector:
        for dp in (18, 19, 20):
            mcu.send(REPORT, unit(dp, 0))
        tx.hear(frame(STATE, b"\4", version=0))
        mcu.send(STATE)
        for dp, value in mcu.values.items():
            mcu.send(REPORT, unit(dp, value))
        gateway.wait_now(voltage_v=240.3, power_w=17.7, current_a=0.077, state="online")
    assert collector.values("voltage_v") == {240.3} and collector.values("power_w") == {17.7}
    assert mcu.received_bytes == 0


def test_vue_on_two_lines_keeps_the_secret(ear, between, start):
    ears = [ear("rx"), ear("tx")]
    gateway = start([entry("vue", ears, poll="5s")])
    listening(gateway)
    simulated, line = between("vue", ears[:1], ears[1:], ("--chatter", "20", "--boot", "100ms"))
    simulated.tell("set 1234")
    gateway.wait_now(power_w=1234, state="online")
    wait_until(lambda: gateway.counter("answers_read") >= 2)
    code = wait_until(line.module.install_code).hex().upper()
    wait_until(lambda: gateway.diagnostics()["details"]["install_code"]["value"] == "masked")
    frames = frames_of(gateway)
    asked = {bytes.fromhex(f["hex"]) for f in frames if f["direction"] == "tx"}
    assert {b"$f\r", b"$m\r", b"$i\r", b"$j\r", b"$r\r"} <= asked
    assert any(f["hex"].startswith("240172") for f in frames if f["direction"] == "rx")
    assert not any(f["hex"].startswith("240169") for f in frames)
    for path in ("frames", "frames?format=capture", "diagnostics", "datapoints"):
        text = gateway.get("/api/v1/meters/main/" + path).text.upper()
        assert code not in text.replace(" ", ""), path
    diagnostics = gateway.diagnostics()
    counters = diagnostics["counters"]
    # What a busy machine reads late from both lines has lost its order.
    assert counters["requests_read"] >= 2 and counters["unasked_messages"] < counters["requests_read"]
    assert diagnostics["latency"]["count"] > 0
    assert diagnostics["framing_tx"]["noise_bytes"] == 0


def test_vue_with_its_lines_swapped(ear, between, start):
    """The module's answers at port_tx are no requests: nothing of them is kept."""
    ears = [ear("rx"), ear("tx")]
    gateway = start([entry("vue", ears, poll="5s")])
    listening(gateway)
    simulated, line = between("vue", ears[1:], ears[:1])
    code = wait_until(line.module.install_code).hex().upper()
    wait_until(lambda: gateway.diagnostics()["framing_tx"]["noise_bytes"] > 100)
    assert gateway.now()["power_w"] is None
    assert not any(f["hex"].startswith("2401") for f in frames_of(gateway))
    assert code not in gateway.get("/api/v1/meters/main/frames").text
    assert code not in gateway.get("/api/v1/meters/main/diagnostics").text.upper().replace(" ", "")


def test_tuyamcu_with_its_lines_swapped(ear, between, start):
    ears = [ear("rx"), ear("tx")]
    gateway = start([entry("tuyamcu", ears, profile="pj-mgw1103")])
    listening(gateway)
    between("tuyamcu", ears[1:], ears[:1])
    wait_until(lambda: "swapped" in (gateway.diagnostics()["hint"] or ""))
    assert gateway.now()["power_w"] is None and gateway.now()["state"] != "online"


def test_one_port_goes_and_comes_back(ear, between, start):
    """Whichever it is, the other one is still heard, and the reason says which is missing."""
    rx, tx = ear("rx"), ear("tx")
    gateway = start([entry("tuyamcu", [rx, tx], profile="pj-mgw1103", stale_after="20s")])
    listening(gateway)
    simulated, line = between("tuyamcu", [rx], [tx])
    simulated.tell("set 231.5 1.234 285.6")
    wait_until(lambda: shows(gateway, simulated.expected()))

    tx.port.unplug()
    wait_until(lambda: not gateway.diagnostics()["link_tx"]["open"])
    wait_until(lambda: "port_tx" in gateway.diagnostics()["reason"])
    assert gateway.diagnostics()["link_tx"]["error"]
    simulated.tell("set 230 1 200")
    wait_until(lambda: shows(gateway, simulated.expected()))
    assert gateway.now()["state"] == "online"
    tx.port.plug()
    wait_until(lambda: gateway.diagnostics()["link_tx"]["open"])
    wait_until(lambda: "port_tx" not in gateway.diagnostics()["reason"])
    assert gateway.diagnostics()["link_tx"]["reconnects"] == 1 and gateway.diagnostics()["link"]["reconnects"] == 0

    rx.port.unplug()
    gateway.wait_now(state="offline")
    asked = gateway.diagnostics()["framing_tx"]["frames"]
    wait_until(lambda: gateway.diagnostics()["framing_tx"]["frames"] > asked + 2)
    assert frames_of(gateway)[-1]["direction"] == "tx"
    rx.port.plug()
    simulated.tell("set 229 1.5 300")
    wait_until(lambda: shows(gateway, simulated.expected()))
    gateway.wait_now(state="online")
    states = [t["state"] for t in gateway.diagnostics()["transitions"]]
    assert states == ["connecting", "online", "online", "online", "offline", "connecting", "online"]
    assert 'metergate_reconnects_total{meter="main"} 2\n' in gateway.get("/metrics").text


def test_noise_of_one_line_does_not_hurt_the_other(mcu_at, ear, start):
    """A frame in two halves is whole however much noise comes at the other port between them."""
    mcu, tx = mcu_at("rx"), ear("tx")
    gateway = start([{"id": "main", "protocol": "tuyamcu", "role": "listen", "port": mcu.port.link,
                      "port_tx": tx.link, "profile": "pj-mgw1103"}])
    listening(gateway)
    whole, slow = frame(REPORT, unit(19, 177)), 0
    for _ in range(20):
        begun = time.monotonic()
        mcu.send_raw(whole[:8])
        tx.hear(b"\x55\xaa\x00\x06\x03" * 20)
        mcu.send_raw(whole[8:])
        slow += time.monotonic() - begun > 0.2    # this process was away: that was silence
    gateway.wait_now(power_w=17.7)
    wait_until(lambda: gateway.diagnostics()["framing"]["frames"] >= 20 - slow)
    assert gateway.diagnostics()["framing"]["noise_bytes"] <= slow * len(whole)
    wait_until(lambda: gateway.diagnostics()["framing_tx"]["noise_bytes"] == 2000)


def test_both_lines_over_tcp(start):
    """A connection can be written to, but nobody is there who would: not a byte arrives, whatever the meter asks."""
    meter, module = McuLogic(), McuLogic()
    ports = [TcpPort(meter), TcpPort(module)]
    gateway = start([{"id": "main", "protocol": "tuyamcu", "profile": "pj-mgw1103", "role": "listen",
                      "port": "tcp://127.0.0.1:%d" % ports[0].port, "port_tx": "tcp://127.0.0.1:%d" % ports[1].port}])
    listening(gateway)
    module.send_raw(frame(STATE, b"\4", version=0))
    meter.send(STATE)
    meter.send(0x1c)
    meter.send(0x22, unit(19, 177))
    gateway.wait_now(power_w=17.7, state="online")
    assert [f["direction"] for f in frames_of(gateway)].count("tx") == 1
    ports[1].drop()
    wait_until(lambda: gateway.diagnostics()["link_tx"]["reconnects"] == 1)
    assert gateway.diagnostics()["link"]["reconnects"] == 0
    gateway.stop()
    assert meter.received_bytes == module.received_bytes == 0
    for port in ports:
        port.close()


def test_actions_are_refused(ear, start, tmp_path):
    ears = [ear("rx"), ear("tx")]
    tokens = tmp_path / "tokens"
    tokens.write_text("control secret\n")
    tokens.chmod(0o600)
    gateway = start([entry("tuyamcu", ears, profile="pj-mgw1103")], http="access: open\ntokens: %s\n" % tokens)
    listening(gateway)
    answer = gateway.get("/api/v1/meters/main/actions/query", "POST", {"Authorization": "Bearer secret"})
    assert answer.status == 409 and "listened to" in answer.json["detail"]


def test_check_config_tells_both_ports(tmp_path):
    path = tmp_path / "m.yaml"
    path.write_text("meters:\n  - { id: a, protocol: vue, port: /dev/ttyA, port_tx: /dev/ttyB, role: listen }\n"
                    "  - { id: b, protocol: vue, port: 'replay://b.txt?speed=10' }\n")
    result = run("check-config", path)
    assert result.returncode == 0
    assert "  port tx      /dev/ttyB\n" in result.stdout
    assert "  replays      %s/b.txt\n" % tmp_path in result.stdout
    path.write_text("meters:\n  - { id: a, protocol: vue, port: /dev/ttyA, port_tx: /dev/ttyB }\n")
    result = run("check-config", path)
    assert result.returncode == 2 and "m.yaml:2:55: meters[0].port_tx: " in result.stderr
