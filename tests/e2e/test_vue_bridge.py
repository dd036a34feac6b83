"""The same module behind a bridge from its serial line to TCP: ser2net as Debian ships it."""
import pytest

from gateway import wait_until
from vue import Ser2net, Witness, live_through

pytestmark = pytest.mark.skipif(Ser2net.PROGRAM is None, reason="ser2net is not installed")


@pytest.fixture
def bridge(tmp_path):
    made = []

    def make(simulator):
        made.append(Ser2net(tmp_path, simulator.link))
        return "tcp://127.0.0.1:%d" % made[-1].port

    yield make
    for b in made:
        b.stop()


def test_from_silence_to_readings(vue, vue_meter, start, bridge):
    simulator = vue("utility", "--state", "silent", "--firmware", "7", "--boot", "500ms")
    live_through(start([vue_meter(port=bridge(simulator))]), simulator)


def test_serial_line_behind_the_bridge_comes_and_goes(vue, vue_meter, start, bridge):
    simulator = vue("utility", "--firmware", "8", "--chatter", "20", "--solar")
    gateway = start([vue_meter(port=bridge(simulator))])
    with Witness(gateway, simulator):
        simulator.wait_readings(2)
        simulator.wait_shown(gateway)
        simulator.tell("unplug 2s")
        wait_until(lambda: gateway.counter("reconnects", "utility") >= 1)
        simulator.wait_readings(2)
        simulator.wait_shown(gateway)
