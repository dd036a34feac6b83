"""Energy registers of a Tuya meter: what cannot be true is withheld, and nothing that is served steps back or jumps."""
from fake_mcu import NO_PROFILE
from gateway import Collector, wait_until

LOAD = {18: 1000, 19: 2300, 20: 2300}


def register_of(gateway):
    one, = gateway.diagnostics()["registers"]
    return one


def report(mcu, gateway, hundredths):
    """One reading of the register, in 0.01 kWh, and until the gateway has dealt with it."""
    def taken():
        return sum(gateway.diagnostics()["withheld"].values()), register_of(gateway)["at_ms"]
    before = taken()
    mcu.report(dp101=hundredths)
    wait_until(lambda: taken() != before)


def start_meter(mcu_at, start, meter, extra="", **settings):
    mcu = mcu_at(values={**LOAD, 101: 500000}, product=NO_PROFILE)
    gateway = start([meter(profile="tomzn-60a", poll="5min", **settings)], extra=extra)
    gateway.wait_now(state="online", energy_import_kwh=5000)
    return mcu, gateway


def test_spike(mcu_at, start, meter):
    mcu, gateway = start_meter(mcu_at, start, meter)
    with Collector(gateway) as collector:
        for _ in range(4):
            report(mcu, gateway, 429496730)
        one = register_of(gateway)
        assert one["register"] == one["published"] == 5000
        assert one["withheld"] == 4294967.3 and one["withheld_in_a_row"] == 4
        report(mcu, gateway, 500001)
    assert collector.values("energy_import_kwh") == {5000, 5000.01}
    assert gateway.counter("counter_jumped") == 4 and gateway.counter("register_resets") == 0
    assert register_of(gateway)["withheld_in_a_row"] == 0
    text = gateway.get("/metrics").text
    assert 'metergate_readings_withheld_total{meter="main",reason="counter_jumped"} 4' in text


def test_register_that_begins_anew(mcu_at, start, meter, tmp_path):
    """The meter's own counter was cleared: the energy goes on from where it was, as soon as a crash cannot lose it."""
    mcu, gateway = start_meter(mcu_at, start, meter,
                               extra="history: { directory: %s, size: 2MiB, flush: 1s }\n" % tmp_path)
    with Collector(gateway) as collector:
        for hundredths in (0, 0, 1, 1, 2, 3):
            report(mcu, gateway, hundredths)
        wait_until(lambda: report(mcu, gateway, 3) or gateway.now()["energy_import_kwh"] == 5000.03)
    assert collector.values("energy_import_kwh") <= {5000, 5000.02, 5000.03}
    assert gateway.counter("counter_decreased") == 4 and gateway.counter("register_resets") == 1
    assert register_of(gateway)["register"] == 0.03
    assert gateway.wait_log("energy_import_kwh", "begins anew")
    assert 'metergate_register_resets_total{meter="main"} 1' in gateway.get("/metrics").text


def test_the_owner_knows_what_can_flow(mcu_at, start, meter):
    """With a limit of 5 kW a step of 0.1 kWh in a moment is too much."""
    mcu, gateway = start_meter(mcu_at, start, meter, limits="{ power_w: [-1000, 5000] }")
    report(mcu, gateway, 500012)
    assert gateway.counter("counter_jumped") == 1
    report(mcu, gateway, 500001)
    assert gateway.now()["energy_import_kwh"] == 5000.01
