"""Mistakes in the configuration, and reading it again while the gateway runs."""
import os
import pathlib
import re
import signal

import pytest

from fake_mcu import frame, unit
from gateway import TIMEOUT, TOP, Collector, fetch, free_port, open_files, run, wait_until

GOOD = """\
http:
  listen: ["127.0.0.1:8730"]
meters:
  - id: main
    protocol: tuyamcu
    port: /dev/ttyUSB0
    poll: 10s
"""

METER = "  - { id: main, protocol: tuyamcu, port: /dev/ttyUSB0 }\n"


def with_meter(*lines):
    """A configuration whose meter has these lines too; the first of them is line 5."""
    return "meters:\n  - id: main\n    protocol: tuyamcu\n    port: /dev/ttyUSB0\n" + \
        "".join("    " + line + "\n" for line in lines)


# name: text, line of the mistake, words that the message has to have
MISTAKES = {
    "unknown key": ("meters: []\nmetres: []\n", 2, ["metres", "unknown"]),
    "unknown key of a meter": (with_meter("pol: 10s"), 5, ["pol", "unknown", "poll"]),
    "unknown key of http": ("http:\n  listn: []\nmeters: []\n", 2, ["listn", "unknown", "listen"]),
    "meters missing": ("site:\n  name: Home\n", None, ["meters"]),
    "meters not a list": ("meters: main\n", 1, ["meters", "list"]),
    "a meter not a map": ("meters:\n  - main\n", 2, ["meters[0]"]),
    "id missing": ("meters:\n  - protocol: tuyamcu\n    port: /dev/ttyUSB0\n", 2, ["id", "missing"]),
    "protocol missing": ("meters:\n  - id: main\n    port: /dev/ttyUSB0\n", 2, ["protocol", "missing"]),
    "port missing": ("meters:\n  - id: main\n    protocol: tuyamcu\n", 2, ["port", "missing"]),
    "id with capitals": ("meters:\n  - id: Main\n    protocol: tuyamcu\n    port: /dev/x\n", 2, ["id", "a-z"]),
    "id too long": ("meters:\n  - id: %s\n    protocol: tuyamcu\n    port: /dev/x\n" % ("a" * 33), 2, ["id", "32"]),
    "wrong type: a list for a text": (with_meter("name: [a, b]"), 5, ["name"]),
    "wrong type: a map for a number": (with_meter("baud: { a: 1 }"), 5, ["baud"]),
    "wrong type: a text for a number": (with_meter("baud: fast"), 5, ["baud", "fast"]),
    "speed that no port has": (with_meter("baud: 12345"), 5, ["baud", "12345"]),
    "bad unit": (with_meter("poll: 10sec"), 5, ["poll", "10sec"]),
    "no unit": (with_meter("poll: 10"), 5, ["poll", "10s"]),
    "poll too short": (with_meter("poll: 1ms"), 5, ["poll", "1s"]),
    "poll too long": (with_meter("poll: 2h"), 5, ["poll"]),
    "duplicate id": ("meters:\n" + METER + "  - { id: main, protocol: tuyamcu, port: /dev/ttyUSB1 }\n", 3,
                     ["main", "id"]),
    "duplicate key": ("meters: []\nmeters: []\n", 2, ["meters"]),
    "port used twice": ("meters:\n" + METER + "  - { id: other, protocol: tuyamcu, port: /dev/ttyUSB0 }\n", 3,
                        ["port", "/dev/ttyUSB0", "line 2"]),
    "unknown profile": (with_meter("profile: pj-mgw1104"), 5, ["profile", "pj-mgw1104"]),
    "unknown protocol": ("meters:\n  - id: main\n    protocol: modbus\n    port: /dev/ttyUSB0\n", 3,
                         ["protocol", "modbus", "tuyamcu"]),
    "unknown role": (with_meter("role: master"), 5, ["role", "module", "listen"]),
    "relative port": ("meters:\n  - { id: main, protocol: tuyamcu, port: ttyUSB0 }\n", 2,
                      ["port", "ttyUSB0", "tcp://"]),
    "TCP without a port": ("meters:\n  - { id: main, protocol: tuyamcu, port: 'tcp://host' }\n", 2, ["port"]),
    "limits of an unknown quantity": (with_meter("limits: { power_kw: [0, 1] }"), 5, ["power_kw"]),
    "limits the wrong way round": (with_meter("limits: { power_w: [100, -100] }"), 5, ["power_w"]),
    "limits with one number": (with_meter("limits: { power_w: [100] }"), 5, ["power_w"]),
    "limits in words": (with_meter("limits: { power_w: [low, high] }"), 5, ["power_w", "low"]),
    "scale of zero": (with_meter("scale: 0"), 5, ["scale"]),
    "beyond loopback without access": ("http:\n  listen: ['0.0.0.0:8730']\nmeters: []\n", 2,
                                       ["0.0.0.0:8730", "access"]),
    "beyond loopback without access, IPv6": ("http:\n  listen: ['[::]:8730']\nmeters: []\n", 2, ["access"]),
    "access unknown": ("http:\n  access: free\nmeters: []\n", 2, ["access", "open", "token"]),
    "access by token without tokens": ("http:\n  access: token\nmeters: []\n", None, ["tokens"]),
    "listen without a port": ("http:\n  listen: ['127.0.0.1']\nmeters: []\n", 2, ["listen", "127.0.0.1"]),
    "listen on a name": ("http:\n  listen: ['house.example:8730']\nmeters: []\n", 2, ["house.example"]),
    "listen twice": ("http:\n  listen: ['127.0.0.1:8730', '127.0.0.1:8730']\nmeters: []\n", 2, ["127.0.0.1:8730"]),
    "port beyond 65535": ("http:\n  listen: ['127.0.0.1:87300']\nmeters: []\n", 2, ["87300"]),
    "TLS without a key": ("http:\n  tls: { certificate: cert.pem }\nmeters: []\n", 2, ["tls", "key", "PEM"]),
    "TLS with nothing": ("http:\n  tls:\nmeters: []\n", 2, ["tls", "certificate"]),
    "time zone": ("site:\n  timezone: Europe/Warsow\nmeters: []\n", 2, ["timezone", "Warsow"]),
    "broken YAML": ("meters:\n  - id: main\n   protocol: tuyamcu\n", 3, []),
    "tab": ("meters:\n\t- id: main\n", 2, []),
    "empty file": ("", None, ["meters"]),
    "only remarks": ("# nothing\n", None, ["meters"]),
    "a list": ("- meters\n", 1, []),
    "two documents": ("meters: []\n---\nmeters: []\n", None, []),
}


def one_line_about(stderr, path, line):
    lines = stderr.splitlines()
    assert len(lines) == 1, stderr
    assert str(path) in lines[0] or pathlib.Path(path).name in lines[0], stderr
    if line:
        assert re.search(r"%s:%d(:\d+)?: " % (re.escape(pathlib.Path(path).name), line), lines[0]), stderr
    return lines[0]


@pytest.mark.parametrize("name", MISTAKES)
def test_mistake(tmp_path, name):
    text, line, words = MISTAKES[name]
    path = tmp_path / "metergate.yaml"
    path.write_text(text)
    for arguments in (["check-config", path], ["serve", "--config", path]):
        result = run(*arguments)
        assert result.returncode == 2, (arguments, result)
        said = one_line_about(result.stderr, path, line)
        for word in words:
            assert word.lower() in said.lower(), said
        assert result.stdout == ""


def test_port_used_twice_under_two_names(tmp_path):
    """As /dev/ttyUSB0 and as one of its names in /dev/serial/by-id."""
    (tmp_path / "by-id").symlink_to("/dev/null")
    path = tmp_path / "metergate.yaml"
    path.write_text("meters:\n  - { id: a, protocol: tuyamcu, port: /dev/null }\n"
                    "  - { id: b, protocol: tuyamcu, port: %s }\n" % (tmp_path / "by-id"))
    result = run("check-config", path)
    assert result.returncode == 2
    said = one_line_about(result.stderr, path, 3)
    assert "port" in said and "line 2" in said


def test_mistake_says_what_was_expected(tmp_path):
    path = tmp_path / "metergate.yaml"
    for text in (with_meter("poll: soon"), with_meter("role: x"), with_meter("pol: 10s"), "http: 5\nmeters: []\n"):
        path.write_text(text)
        assert "expected" in run("check-config", path).stderr


def test_file_that_is_missing(tmp_path):
    path = tmp_path / "nowhere.yaml"
    for arguments in (["check-config", path], ["serve", "--config", path]):
        result = run(*arguments)
        assert result.returncode == 2
        assert "No such file" in one_line_about(result.stderr, path, None)


def test_file_that_is_a_folder(tmp_path):
    for arguments in (["check-config", tmp_path], ["serve", "--config", tmp_path]):
        result = run(*arguments)
        assert result.returncode == 2
        one_line_about(result.stderr, tmp_path, None)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_file_that_may_not_be_read(tmp_path):
    path = tmp_path / "metergate.yaml"
    path.write_text(GOOD)
    path.chmod(0)
    result = run("check-config", path)
    assert result.returncode == 2
    assert "Permission denied" in one_line_about(result.stderr, path, None)


def test_file_that_is_no_text(tmp_path):
    path = tmp_path / "metergate.yaml"
    path.write_bytes(bytes(range(256)) * 16)
    result = run("check-config", path)
    assert result.returncode == 2
    one_line_about(result.stderr, path, None)


def test_good_configuration(tmp_path):
    path = tmp_path / "metergate.yaml"
    path.write_text(GOOD)
    result = run("check-config", path)
    assert (result.returncode, result.stderr) == (0, "")
    for word in ("main", "tuyamcu", "/dev/ttyUSB0", "127.0.0.1:8730", "10s"):
        assert word in result.stdout, result.stdout


def test_configuration_from_a_pipe():
    result = run("check-config", "-", input=GOOD)
    assert result.returncode == 0, result.stderr


def test_no_meters_are_fine(tmp_path):
    path = tmp_path / "metergate.yaml"
    path.write_text("meters: []\n")
    assert run("check-config", path).returncode == 0


def test_beyond_loopback_with_access(tmp_path):
    path = tmp_path / "metergate.yaml"
    path.write_text("http:\n  listen: ['0.0.0.0:8730']\n  access: open\nmeters: []\n")
    result = run("check-config", path)
    assert result.returncode == 0, result.stderr


def test_sample_configuration():
    result = run("check-config", TOP / "etc" / "metergate.yaml")
    assert result.returncode == 0, result.stderr


def test_address_in_use_is_told(start, tmp_path):
    gateway = start("[]")
    path = tmp_path / "second.yaml"
    path.write_text(gateway.config_text("[]"))
    result = run("serve", "--config", path)
    assert result.returncode == 1
    assert str(gateway.http_port) in result.stderr and "in use" in result.stderr


# reading it again


def test_reload_keeps_what_did_not_change(mcu_at, start, meter):
    first, second, third = mcu_at("first"), mcu_at("second"), mcu_at("third")
    gateway = start([meter("first"), meter("second")])
    gateway.wait_now("first", power_w=17.7)
    gateway.wait_now("second", power_w=17.7)
    opens = gateway.diagnostics("first")["link"]["opens"]
    with Collector(gateway, "first") as collector:
        gateway.reload([meter("first"), meter("third")])
        wait_until(lambda: [m["id"] for m in gateway.json("/api/v1/meters")["meters"]] == ["first", "third"])
        gateway.wait_now("third", power_w=17.7)
    assert gateway.get("/api/v1/meters/second").status == 404
    # The first never noticed.
    assert collector.served["power_w"] == {17.7} and collector.served["state"] == {"online"}
    assert first.count("01") == 1 and first.count("03/04") == 1
    assert gateway.diagnostics("first")["link"]["opens"] == opens
    # The second is left alone, its port is free.
    sent = len(second.frames)
    assert third.wait_frames("08", 3, TIMEOUT)
    assert len(second.frames) == sent
    assert second.port.path not in open_files(gateway.pid)


def test_reload_loses_no_byte(mcu, online, meter):
    gateway = online(poll="60s")
    for count in range(5):
        value = 200 + count
        whole = frame(0x07, unit(19, value))
        mcu.send_raw(whole[:6])
        gateway.reload([meter(poll="60s")])
        wait_until(lambda: gateway.log().count("reloaded") == count + 1)
        mcu.send_raw(whole[6:])
        mcu.report(dp19=value)
        gateway.wait_now(power_w=value / 10)
    assert mcu.count("01") == 1


def test_reload_with_a_bad_file_changes_nothing(mcu, online, meter):
    gateway = online()
    gateway.may_log_errors = True
    with Collector(gateway) as collector:
        gateway.reload([meter(poll="10sec")])
        line = gateway.wait_log(gateway.config_path.name, "poll", "10sec")
        assert re.search(r":\d+:\d+: ", line)
        gateway.config_path.unlink()
        gateway.signal(signal.SIGHUP)
        gateway.wait_log("No such file")
        count = mcu.count("08")
        assert mcu.wait_frames("08", count + 2, TIMEOUT)
    assert collector.served["state"] == {"online"} and collector.served["power_w"] == {17.7}
    assert mcu.count("01") == 1


def test_reload_of_a_changed_meter_starts_it_anew(mcu, online, meter):
    gateway = online()
    gateway.reload([meter(name="Renamed", poll="2s")])
    wait_until(lambda: gateway.now()["name"] == "Renamed")
    gateway.wait_now(power_w=17.7, state="online")


def test_reload_moves_the_listening_address(start):
    gateway = start("[]")
    old, new = gateway.http_port, free_port()
    gateway.listen = '["127.0.0.1:%d", "127.0.0.1:%d"]' % (old, new)
    gateway.reload([])
    wait_until(lambda: "reloaded" in gateway.log())
    assert fetch(new, "/healthz").status == 200 and fetch(old, "/healthz").status == 200
    gateway.listen = '["127.0.0.1:%d"]' % new
    gateway.reload([])
    wait_until(lambda: gateway.log().count("reloaded") == 2)
    assert fetch(new, "/healthz").status == 200
    with pytest.raises(OSError):
        fetch(old, "/healthz")


def test_reload_with_an_address_in_use_changes_nothing(start):
    gateway, other = start("[]"), start("[]")
    gateway.may_log_errors = True
    gateway.listen = '["127.0.0.1:%d"]' % other.http_port
    gateway.reload([])
    gateway.wait_log(str(other.http_port))
    assert gateway.get("/healthz").status == 200


def test_reload_tells_the_service_manager(start):
    gateway = start("[]")
    gateway.reload([])
    assert gateway.notify.wait("READY=1", count=2)
    texts = gateway.notify.texts()
    assert texts.index("RELOADING=1") > texts.index("READY=1")
    assert any(re.fullmatch(r"MONOTONIC_USEC=\d+", t) for t in texts)
