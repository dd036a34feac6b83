"""A power that does not fit voltage and current is told, and served as it is."""
from gateway import Collector, wait_until

WORDS = "active power is ten times"


def mismatch(gateway):
    return gateway.diagnostics()["plausibility"]["power_scale_mismatch"]


def notices(gateway):
    one = gateway.json("/api/v1/meters/main")["notices"]
    assert gateway.json("/api/v1/meters")["meters"][0]["notices"] == one
    return one


def told(gateway):
    return [line for line in gateway.log_lines() if WORDS in line]


def push(mcu, gateway, times):
    """Reports of all values, each of them a sample of its own."""
    for _ in range(times):
        at_ms = gateway.now()["at_ms"]
        mcu.report(dps=dict(mcu.values))
        wait_until(lambda: gateway.now()["at_ms"] != at_ms)


def test_power_ten_times_too_high_is_told_once_and_changes_nothing(mcu_at, start, meter):
    mcu = mcu_at(values={18: 1000, 19: 23000, 20: 2300})
    gateway = start([meter(poll="60s")])
    with Collector(gateway) as collector:
        gateway.wait_now(power_w=2300, current_a=1, voltage_v=230)
        push(mcu, gateway, 3)
        assert mismatch(gateway) is None and notices(gateway) == []
        push(mcu, gateway, 20)
    assert mismatch(gateway) == {"channel": None, "factor": 10}
    assert len(notices(gateway)) == 1 and WORDS in notices(gateway)[0]
    assert len(told(gateway)) == 1 and "meter main" in told(gateway)[0] and "power_scale" in told(gateway)[0]
    assert collector.values("power_w") == {2300}
    assert gateway.now()["state"] == "online" and gateway.now()["available"] is True
    assert gateway.counter("limits") == 0


def test_power_that_fits_is_not_mentioned(mcu, online):
    gateway = online(poll="60s")
    with mcu.changed:
        mcu.values.update({18: 1000, 19: 1150, 20: 2300})
    push(mcu, gateway, 20)
    assert gateway.now()["power_w"] == 115
    assert mismatch(gateway) is None and notices(gateway) == [] and told(gateway) == []


def test_another_profile_clears_it(mcu_at, start, meter, tmp_path):
    """The owner corrects the scale in a profile file and reloads."""
    mcu = mcu_at(values={18: 1000, 19: 23000, 20: 2300})
    (tmp_path / "mine.yaml").write_text("""\
name: mine
protocol: tuyamcu
title: A meter of my own
source: measured by hand
evidence: captured
datapoints:
  - { dp: 18, type: value, quantity: current_a, scale: 0.001 }
  - { dp: 19, type: value, quantity: power_w, scale: 0.01 }
  - { dp: 20, type: value, quantity: voltage_v, scale: 0.1 }
""")
    gateway = start([meter(poll="60s")])
    gateway.wait_now(power_w=2300)
    push(mcu, gateway, 9)
    assert mismatch(gateway)
    gateway.reload([meter(poll="60s", profile="mine.yaml")])
    gateway.wait_now(power_w=230, current_a=1)
    push(mcu, gateway, 9)
    assert mismatch(gateway) is None and notices(gateway) == []
