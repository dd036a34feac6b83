"""Serial ports, ptys and TCP: the ways to a meter."""
import contextlib
import fcntl
import os
import pathlib
import socket
import stat
import time

import pytest

from fake_mcu import REPORT, STATE, McuLogic, TcpPort, frame, unit
from gateway import Collector, free_port, wait_until


@pytest.fixture
def tcp_mcu():
    mcu = McuLogic()
    mcu.port = TcpPort(mcu)
    yield mcu
    mcu.port.close()


def test_tcp(tcp_mcu, start, meter):
    gateway = start([meter(port="tcp://127.0.0.1:%d" % tcp_mcu.port.port, baud=None)])
    gateway.wait_now(state="online", power_w=17.7, voltage_v=240.3)
    assert tcp_mcu.names()[:3] == ["00", "01", "02"]
    link = gateway.diagnostics()["link"]
    assert link["open"] is True and link["baud"] is None


def test_tcp_by_name(tcp_mcu, start, meter):
    try:
        socket.getaddrinfo("localhost", None)
    except OSError:
        pytest.skip("this host does not know its own name localhost")
    gateway = start([meter(port="tcp://localhost:%d" % tcp_mcu.port.port)])
    gateway.wait_now(state="online", power_w=17.7)


def test_tcp_server_goes_away_and_comes_back(tcp_mcu, start, meter):
    gateway = start([meter(port="tcp://127.0.0.1:%d" % tcp_mcu.port.port, stale_after="3s")])
    gateway.wait_now(state="online", power_w=17.7)
    with Collector(gateway) as collector:
        tcp_mcu.port.stop()
        gateway.wait_now(state="offline", power_w=None)
        assert gateway.diagnostics()["link"]["error"]
        tcp_mcu.port.start()
        gateway.wait_now(state="online", power_w=17.7)
    assert collector.values("power_w") == {17.7}
    assert gateway.counter("reconnects") == 1


def test_tcp_connection_dropped(tcp_mcu, start, meter):
    gateway = start([meter(port="tcp://127.0.0.1:%d" % tcp_mcu.port.port)])
    gateway.wait_now(state="online", power_w=17.7)
    tcp_mcu.port.drop()
    wait_until(lambda: gateway.counter("reconnects") == 1)
    gateway.wait_now(state="online", power_w=17.7)
    assert tcp_mcu.count("03/04") == 2


def test_tcp_server_that_starts_later(tcp_mcu, start, meter):
    tcp_mcu.port.stop()
    gateway = start([meter(port="tcp://127.0.0.1:%d" % tcp_mcu.port.port)])
    wait_until(lambda: gateway.diagnostics()["link"]["error"])
    assert gateway.now()["state"] == "connecting"
    tcp_mcu.port.start()
    gateway.wait_now(state="online", power_w=17.7)


def test_tcp_name_that_does_not_exist(start, meter):
    gateway = start([meter(port="tcp://meter.invalid:%d" % free_port())])
    wait_until(lambda: gateway.diagnostics()["link"]["error"])
    assert gateway.now()["state"] == "connecting"


def test_listening_never_transmits(mcu_at, start, meter):
    """The original module stays in charge; the first value that is not 0 shows that the meter measures."""
    mcu = mcu_at()
    gateway = start([meter(role="listen", profile="pj-mgw1103", stale_after="60s")])
    wait_until(lambda: gateway.diagnostics()["link"]["open"])
    with Collector(gateway) as collector:
        def heard():
            mcu.send(0x00, b"\1")
            for dp in (18, 19, 20):
                mcu.send(REPORT, unit(dp, mcu.values[dp]))
            return gateway.now().get("power_w") == 17.7
        # Asking is what a module would do now: heartbeats, queries, an answer to 22.
        wait_until(heard, interval=0.3)
        collector.wait_rounds()
        mcu.send(0x22, unit(19, 193))
        gateway.wait_now(power_w=19.3, state="online")
        end = time.monotonic() + 3
        wait_until(lambda: time.monotonic() > end)
    assert mcu.received_bytes == 0
    assert gateway.diagnostics()["link"]["written_bytes"] == 0
    assert collector.values("power_w") == {17.7, 19.3}


def test_listening_waits_for_the_real_module(mcu_at, start, meter):
    """Zeros before the acknowledgement of state 04 are no values."""
    mcu = mcu_at()
    gateway = start([meter(role="listen", profile="pj-mgw1103", stale_after="60s")])
    wait_until(lambda: gateway.diagnostics()["link"]["open"])
    with Collector(gateway) as collector:
        for dp in (18, 19, 20):
            mcu.send(REPORT, unit(dp, 0))
        mcu.send_raw(frame(STATE, b"\4", version=0))
        mcu.send(STATE)
        for dp in (18, 19, 20):
            mcu.send(REPORT, unit(dp, mcu.values[dp]))
        gateway.wait_now(power_w=17.7, voltage_v=240.3, current_a=0.077)
    assert collector.values("voltage_v") == {240.3}
    assert mcu.received_bytes == 0


def test_listened_port_is_opened_for_reading_only(mcu_at, start, meter):
    """Not even a bug could write."""
    mcu = mcu_at()
    gateway = start([meter(role="listen")])
    wait_until(lambda: gateway.diagnostics()["link"]["open"])
    flags = []
    for fd in pathlib.Path("/proc/%d/fdinfo" % gateway.pid).iterdir():
        with contextlib.suppress(FileNotFoundError):
            if os.readlink("/proc/%d/fd/%s" % (gateway.pid, fd.name)) == mcu.port.path:
                text = dict(line.split(":", 1) for line in fd.read_text().splitlines() if ":" in line)
                flags.append(int(text["flags"], 8) & os.O_ACCMODE)
    assert flags == [os.O_RDONLY]


@pytest.mark.parametrize("speed", [9600, 115200])
def test_baud_auto_finds_the_speed(mcu_at, start, meter, speed):
    mcu = mcu_at(speed=speed)
    gateway = start([meter(baud="auto")])
    gateway.wait_now(state="online", power_w=17.7)
    assert mcu.port.baud() == speed
    assert gateway.diagnostics()["link"]["baud"] == speed
    assert mcu.garbage == b""


def test_baud_is_found_again_after_the_cable(mcu_at, start, meter):
    """The speed that worked is tried first."""
    mcu = mcu_at(speed=115200)
    gateway = start([meter(baud="auto")])
    gateway.wait_now(state="online", power_w=17.7)
    changes = gateway.counter("baud_changes")
    mcu.unplug()
    gateway.wait_now(state="offline")
    mcu.replug()
    gateway.wait_now(state="online", power_w=17.7)
    assert mcu.port.baud() == 115200
    assert gateway.counter("baud_changes") == changes


@pytest.mark.parametrize("speed", [9600, 38400, 115200])
def test_baud_of_the_configuration_is_set(mcu_at, start, meter, speed):
    mcu = mcu_at(speed=speed)
    gateway = start([meter(baud=speed)])
    gateway.wait_now(state="online", power_w=17.7)
    assert mcu.port.baud() == speed
    assert gateway.counter("baud_changes") == 0


def test_port_by_a_chain_of_links(mcu, start, meter, tmp_path):
    """As in /dev/serial/by-id, relative links included."""
    folder = tmp_path / "by-id"
    folder.mkdir()
    (folder / "usb-meter-port0").symlink_to("../main")
    gateway = start([meter(port=folder / "usb-meter-port0")])
    gateway.wait_now(state="online", power_w=17.7)
    mcu.unplug()
    gateway.wait_now(state="offline")
    mcu.replug()
    gateway.wait_now(state="online", power_w=17.7)


def test_port_in_use_by_a_second_gateway(mcu, online, start, meter):
    first = online()
    sent = len(mcu.frames)
    second = start([meter()], may_log_errors=True)
    line = second.wait_log("main")
    wait_until(lambda: second.diagnostics()["link"]["error"])
    assert "use" in second.diagnostics()["link"]["error"] or "busy" in second.diagnostics()["link"]["error"].lower()
    line = second.wait_log("main", "use")
    assert str(mcu.port.link) in line or mcu.port.path in line
    assert second.now()["state"] == "connecting"
    assert mcu.count("01") == 1 and len(mcu.frames) >= sent
    assert first.now()["state"] == "online" and first.counter("noise_bytes") == 0
    first.stop()
    second.wait_now(state="online", power_w=17.7)


def test_port_locked_by_another_program(mcu, start, meter):
    fd = os.open(mcu.port.path, os.O_RDWR | os.O_NOCTTY)
    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    gateway = start([meter()], may_log_errors=True)
    wait_until(lambda: gateway.diagnostics()["link"]["error"])
    assert mcu.received_bytes == 0
    os.close(fd)
    gateway.wait_now(state="online", power_w=17.7)


@pytest.mark.parametrize("what", ["file", "folder"])
def test_port_that_is_no_port(start, meter, tmp_path, what):
    path = tmp_path / "main"
    path.mkdir() if what == "folder" else path.write_text("hello\n")
    gateway = start([meter()], may_log_errors=True)
    wait_until(lambda: gateway.diagnostics()["link"]["error"])
    assert gateway.now()["state"] == "connecting"
    if what == "file":
        assert path.read_text() == "hello\n"
        assert stat.S_ISREG(path.stat().st_mode)


def test_repeated_failures_do_not_fill_the_log(start, meter):
    gateway = start([meter()], may_log_errors=True)
    end = time.monotonic() + 3
    wait_until(lambda: time.monotonic() > end)
    assert len([line for line in gateway.log_lines() if "main" in line]) <= 3, gateway.log()


def test_wrong_speed_in_the_configuration_is_overcome(mcu_at, start, meter):
    mcu = mcu_at(speed=9600)
    gateway = start([meter(baud=115200)])
    gateway.wait_now(state="online", power_w=17.7)
    assert mcu.port.baud() == 9600
    assert gateway.counter("baud_changes") == 1


@pytest.mark.parametrize("baud", [None, 9600], ids=["silent", "wrong"])
def test_speed_is_remembered_across_restarts(mcu_at, start, meter, tmp_path, baud):
    """The second gateway begins with the speed that the first one found."""
    state = tmp_path / "state"
    state.mkdir()
    mcu_at(speed=115200)
    first = start([meter(baud=baud)], env={"STATE_DIRECTORY": str(state)})
    first.wait_now(state="online", power_w=17.7)
    assert first.counter("baud_changes") == 1
    assert (state / "speeds").read_text() == "main 115200\n"
    first.stop()
    second = start([meter(baud=baud)], env={"STATE_DIRECTORY": str(state)})
    second.wait_now(state="online", power_w=17.7)
    assert second.counter("baud_changes") == 0
