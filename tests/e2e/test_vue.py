"""The radio module of an Emporia Vue Utility Connect on a serial line, played by the simulator."""
import contextlib

import pytest

from gateway import run, wait_until
from vue import Witness, live_through


def test_from_silence_to_readings(vue, vue_meter, start):
    simulator = vue("utility", "--state", "silent", "--firmware", "8", "--chatter", "20", "--boot", "500ms")
    live_through(start([vue_meter()]), simulator)


def test_every_firmware_at_every_log_level(vue, vue_meter, start):
    """All at once, one of them asked to be quiet."""
    simulators = {firmware + "-" + level: vue("v%s-%s" % (firmware, level), "--firmware", firmware,
                                              "--chatter", level, "--multiplier", "3", "--divisor", "5000",
                                              "--solar", "--seed", level)
                  for firmware, level in (("2", "0"), ("7", "0"), ("8", "0"), ("8", "10"), ("8", "20"))}
    simulators["quiet"] = vue("quiet", "--chatter", "20", "--boot", "50ms")
    no_export = vue("no-export", "--no-export", "--chatter", "20")
    meters = [vue_meter(s.id) for s in simulators.values() if s.id != "quiet"]
    gateway = start(meters + [vue_meter("quiet", console_log_level=10), vue_meter("no-export")])
    everyone = (*simulators.values(), no_export)
    with contextlib.ExitStack() as stack:
        for simulator in everyone:
            stack.enter_context(Witness(gateway, simulator))
        for simulator in everyone:
            wait_until(lambda: len(simulator.expected()) >= 3)
            simulator.wait_shown(gateway)
    assert gateway.now("v2-0")["energy_export_kwh"] is None
    assert gateway.now("no-export")["energy_export_kwh"] is None
    assert gateway.now("v7-0")["energy_export_kwh"] > 1000
    for simulator in everyone:
        diagnostics = gateway.diagnostics(simulator.id)
        assert diagnostics["firmware"] == (simulator.id[1] if simulator.id[0] == "v" else "8")
        assert simulator.ledger()["forbidden"] == 0
    lines = {name: gateway.diagnostics(s.id)["console"]["total"] for name, s in simulators.items()}
    assert lines["2-0"] == lines["7-0"] == lines["8-0"] == 0
    assert lines["8-20"] >= 6
    text = [line["text"] for line in gateway.diagnostics("quiet")["console"]["lines"]]
    assert not any("Got Meter Rsp" in line for line in text), text
    assert any("Got Meter Rsp" in line["text"] for line in gateway.diagnostics("v8-20")["console"]["lines"])


@pytest.mark.parametrize("options", [
    ("--firmware", "0"), ("--state", "lost"), ("--chatter", "loud"), ("--divisor", "0"), ("--loss", "101"),
    ("extra",)])
def test_simulator_says_what_is_wrong(options):
    result = run("simulate", "vue", *options)
    assert result.returncode == 2 and result.stderr.count("\n") == 1
