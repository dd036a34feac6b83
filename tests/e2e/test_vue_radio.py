"""An Emporia Vue whose radio loses half of what is said. By itself, for it takes a minute."""
from gateway import wait_until
from vue import Witness


def test_poor_radio(vue, vue_meter, start):
    simulator = vue("utility", "--loss", "50", "--seed", "3", "--solar")
    gateway = start([vue_meter()])
    with Witness(gateway, simulator):
        simulator.wait_readings(3)
        wait_until(lambda: gateway.counter("timeouts_read", "utility") >= 1)
        simulator.tell("e 2")
        wait_until(lambda: gateway.counter("notices_2", "utility") >= 1)
        simulator.tell("loss 0")
        simulator.wait_readings(2)
        simulator.wait_shown(gateway)
