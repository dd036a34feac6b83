"""What an Emporia Vue cannot have meant. By itself: the module is asked every 5 s at most, so that it takes minutes."""
import itertools

from gateway import wait_until
from vue import Witness


def test_what_cannot_be_is_not_shown(vue, vue_meter, start):
    """Spikes, missing values, duplicates, a reset and another meter."""
    simulator = vue("utility", "--firmware", "8", "--seed", "9")
    gateway = start([vue_meter()])

    def shown():
        return gateway.now("utility")["energy_import_kwh"]

    simulator.tell("set 36000")
    with Witness(gateway, simulator):
        simulator.wait_readings(2)
        for flaw, counter in (("spike", "counter_jumped"), ("all-ones", None), ("no-power", None),
                              ("duplicate", "duplicates")):
            simulator.tell("flaw %s 1" % flaw)
            simulator.wait_readings(1)
            if counter:
                wait_until(lambda: gateway.counter(counter, "utility") >= 1, what=flaw)
        simulator.tell("flaw all-zero 1")
        wait_until(lambda: gateway.counter("all_zero", "utility") == 1)
        for number, change in enumerate(("reset", "replace 1234.5 6"), 1):
            simulator.tell(change)
            simulator.wait_readings(1)
            wait_until(lambda: gateway.counter("register_resets", "utility") >= number, what=change)
            wait_until(lambda: shown() == simulator.ledger()["energy_import_kwh"])
    energies = sorted({row["energy_import_kwh"] for row in simulator.expected() if "energy_import_kwh" in row})
    assert energies[-1] - energies[0] > 0.5
    assert max(b - a for a, b in itertools.pairwise(energies)) < 1
