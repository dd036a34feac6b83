"""The gateway as a service: what it tells systemd, the journal and the shell."""
import os
import re
import signal
import socket
import time

import pytest

from gateway import TIMEOUT, run, wait_until

COMMANDS = ["serve", "demo", "check-config", "simulate", "decode", "profiles"]


def test_ready_and_stopping(start):
    gateway = start("[]")
    gateway.stop()
    texts = gateway.notify.texts()
    assert texts.count("READY=1") == 1
    assert texts.count("STOPPING=1") == 1
    assert texts.index("STOPPING=1") > texts.index("READY=1")


def test_ready_means_that_it_answers(start):
    for _ in range(3):
        assert start("[]").get("/healthz").status == 200


def test_status_in_words(mcu, online):
    gateway = online()
    wait_until(lambda: [t for t in gateway.notify.texts() if t.startswith("STATUS=") and re.search(r"\b1\b", t)
                        and "online" in t])
    mcu.unplug()
    wait_until(lambda: [t for t in gateway.notify.texts() if t.startswith("STATUS=") and "offline" in t
                        and "main" in t])


def test_watchdog_is_fed(start):
    gateway = start("[]", env={"WATCHDOG_USEC": "500000"})
    assert gateway.notify.wait("WATCHDOG=1", count=3)


def test_no_watchdog_unless_asked_for(start):
    gateway = start("[]")
    end = time.monotonic() + 1
    wait_until(lambda: time.monotonic() > end)
    assert "WATCHDOG=1" not in gateway.notify.texts()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal_ends_it_with_0(mcu, online, number):
    gateway = online()
    gateway.signal(number)
    assert gateway.wait() == 0
    gateway.check_log()
    gateway.stopped = True
    gateway.notify.close()


def test_end_while_a_client_is_connected(start):
    gateway = start("[]")
    with socket.create_connection(("127.0.0.1", gateway.http_port), TIMEOUT) as idle, \
            socket.create_connection(("127.0.0.1", gateway.http_port), TIMEOUT) as half:
        half.sendall(b"GET / HTTP/1.1\r\nHost: loc")
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(12) == b"HTTP/1.1 200"
        gateway.stop()


def test_port_is_left_as_it_was_found(mcu, online):
    gateway = online()
    gateway.stop()
    # Nothing hangs up, and another program can have it.
    fd = os.open(mcu.port.path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    os.close(fd)


def test_log_has_levels_for_the_journal(mcu, online):
    gateway = online()
    gateway.stop()
    assert gateway.log_lines()
    assert all(re.match(r"<[0-7]>\S", line) for line in gateway.log_lines()), gateway.log()


def test_log_is_plain_elsewhere(start):
    gateway = start("[]", journal=False)
    gateway.stop()
    assert not any(line.startswith("<") for line in gateway.log_lines())


def test_log_says_where_it_serves(start):
    gateway = start("[]")
    gateway.wait_log("http://127.0.0.1:%d" % gateway.http_port)


def test_log_of_an_ordinary_start_is_short(mcu, online):
    gateway = online()
    assert len(gateway.log_lines()) <= 8, gateway.log()


def test_what_a_meter_sends_cannot_forge_log_lines(mcu_at, start, meter):
    mcu_at(product=b'{"p":"evil\\n<0>xxxx","v":"\n<0>1"}')
    gateway = start([meter()])
    gateway.wait_now(state="online")
    gateway.stop()
    assert all(re.match(r"<[3-7]>", line) for line in gateway.log_lines()), gateway.log()


def test_version():
    result = run("--version")
    assert result.returncode == 0 and result.stderr == ""
    assert re.fullmatch(r"metergate \d+\.\d+\S*\n", result.stdout)


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help(command):
    result = run(*([command] if command else []), "--help")
    assert result.returncode == 0 and result.stderr == ""
    assert "usage" in result.stdout.lower() and "metergate" in result.stdout
    if command:
        assert command in result.stdout
    else:
        assert all(name in result.stdout for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_unknown_option(command):
    result = run(command, "--no-such-option")
    assert result.returncode == 2 and result.stdout == ""
    assert len(result.stderr.splitlines()) == 1 and "no-such-option" in result.stderr


@pytest.mark.parametrize("arguments", [
    ["no-such-command"], ["--no-such-option"], ["serve", "--config"], ["serve", "too", "much"], ["check-config"],
    ["check-config", "a", "b"], ["demo", "too-much"], ["demo", "--listen", "nowhere"], ["simulate"],
    ["simulate", "toaster"], ["decode"], ["decode", "--protocol", "tuyamcu"], ["decode", "--protocol", "x", "-"],
    ["decode", "--protocol", "tuyamcu", "--profile", "no-such-profile", "-"], ["profiles", "no-such-verb"],
    ["profiles", "show"],
], ids=" ".join)
def test_wrong_usage(arguments):
    result = run(*arguments)
    assert result.returncode == 2, result
    assert result.stdout == ""
    assert len(result.stderr.splitlines()) == 1, result.stderr


def test_no_command_shows_the_help():
    result = run()
    assert result.returncode == 2
    assert result.stdout == "" and "serve" in result.stderr


def test_profiles():
    result = run("profiles", "list")
    assert result.returncode == 0 and "pj-mgw1103" in result.stdout
    assert run("profiles").stdout == result.stdout
    shown = run("profiles", "show", "pj-mgw1103")
    assert shown.returncode == 0
    for word in ("djfep9s6s3b2qk89", "voltage_v", "current_a", "power_w"):
        assert word in shown.stdout
    assert run("profiles", "show", "no-such-profile").returncode in (1, 2)


def test_profile_that_was_shown_can_be_used(tmp_path):
    """People start their own from one that exists."""
    (tmp_path / "mine.yaml").write_text(run("profiles", "show", "pj-mgw1103").stdout)
    config = tmp_path / "metergate.yaml"
    config.write_text("meters:\n  - { id: main, protocol: tuyamcu, profile: mine.yaml, port: /dev/ttyUSB0 }\n")
    result = run("check-config", config)
    assert result.returncode == 0, result.stderr


def test_decode_reads_the_query_of_the_article(tmp_path):
    text = ("55 AA 03 07 00 08 12 02 00 04 00 00 00 4D 76\n55 AA 03 07 00 08 13 02 00 04 00 00 00 B1 DB\n"
            "55 AA 03 07 00 08 14 02 00 04 00 00 09 63 97\n")
    result = run("decode", "--protocol", "tuyamcu", "--profile", "pj-mgw1103", "--stats", "-", input=text)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert len(lines) == 4
    assert ['"readings":{"current_a":0.077}' in lines[0], '"readings":{"power_w":17.7}' in lines[1],
            '"readings":{"voltage_v":240.3}' in lines[2]] == [True] * 3, result.stdout
    assert lines[3] == '{"stats":{"frames":3,"noise_bytes":0,"pending_bytes":0,"total_bytes":45}}'
