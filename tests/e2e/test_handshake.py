"""What the gateway says to a meter's microcontroller, byte for byte."""
import json

import pytest

from fake_mcu import frame
from gateway import TIMEOUT, Collector, shared_dir, wait_until

START_UP = ["00", "01", "02", "03/02", "08", "03/03", "03/04", "08"]


def captured_module_frames():
    """What the meter's own module sent, from the recording."""
    path = shared_dir() / "captures" / "tuyamcu" / "pj-mgw1103-module-stream-real.hex"
    if not path.exists():
        pytest.skip("the recordings of real meters are not here")
    data = bytes.fromhex("".join(line for line in path.read_text().splitlines() if not line.startswith("#")))
    frames, at = [], data.index(b"\x55\xaa")
    while at < len(data):
        end = at + 7 + int.from_bytes(data[at + 4:at + 6], "big")
        frames.append(data[at:end])
        at = end
    return frames


def in_order(wanted, sent):
    rest = iter(sent)
    return all(any(w == s for s in rest) for w in wanted)


def test_start_up_sequence_byte_for_byte(mcu, online):
    online()
    sent = [f.raw for f in mcu.frames[:len(START_UP)]]
    assert mcu.names()[:len(START_UP)] == START_UP
    assert sent == [frame(0x00, version=0), frame(0x01, version=0), frame(0x02, version=0),
                    frame(0x03, b"\2", 0), frame(0x08, version=0), frame(0x03, b"\3", 0), frame(0x03, b"\4", 0),
                    frame(0x08, version=0)]
    assert frame(0x00, version=0) == bytes.fromhex("55AA00000000FF")
    assert mcu.garbage == b""


def test_start_up_has_the_order_of_the_real_module(mcu, online):
    real = captured_module_frames()
    online()
    assert in_order(real[:6], [f.raw for f in mcu.frames])


def test_heartbeats_and_queries_go_on(mcu, online):
    gateway = online(poll="1s")
    assert mcu.wait_frames("08", 5, TIMEOUT)
    assert mcu.wait_frames("00", 2, TIMEOUT)
    # A heartbeat is no new start.
    assert mcu.count("01") == 1 and mcu.count("03/04") == 1
    assert gateway.now()["state"] == "online"
    assert gateway.diagnostics()["latency"]["count"] >= 4


def test_frames_keep_their_distance(mcu, online):
    """By the gateway's own record, exactly; at the pty, in a start during which this process was woken in time."""
    def arrive_apart():
        before = len(mcu.frames)
        gateway = online()
        assert mcu.wait_for(lambda: [f.name for f in mcu.frames[before:]].count("08") >= 5, TIMEOUT)
        times = [f["at_ms"] for f in map(json.loads, gateway.get("/api/v1/meters/main/frames").text
                                         .splitlines()) if f["direction"] == "tx"]
        gateway.stop()
        assert len(times) >= 10
        assert min(b - a for a, b in zip(times, times[1:])) >= 49
        at = [f.at for f in mcu.frames[before:]]
        gaps = [b - a for a, b in zip(at, at[1:])]
        return sum(gap >= 0.040 for gap in gaps) >= 0.9 * len(gaps)

    wait_until(arrive_apart)


def test_nothing_is_sent_twice_when_everything_is_answered(mcu, online):
    gateway = online()
    assert mcu.names()[:len(START_UP)] == START_UP
    assert gateway.counter("requests_unanswered") == 0
    assert gateway.counter("noise_bytes") == 0


def test_product_and_mode_unanswered_three_times(mcu_at, start, meter):
    mcu = mcu_at(product=None)
    mcu.answers_mode = False
    gateway = start([meter(profile="pj-mgw1103")])
    gateway.wait_now(state="online", power_w=17.7)
    # Heartbeats in between find out whether it is still there.
    assert [name for name in mcu.names() if name != "00"][:7] == ["01", "01", "01", "02", "02", "02", "03/02"]
    assert gateway.counter("requests_unanswered") == 2
    assert gateway.diagnostics()["product_key"] is None


def test_one_lost_answer_is_asked_again(mcu_at, start, meter):
    mcu = mcu_at()
    mcu.ignored_products = 2
    gateway = start([meter()])
    gateway.wait_now(state="online", power_w=17.7)
    assert mcu.count("01") == 3
    assert gateway.counter("requests_unanswered") == 0


def test_state_never_acknowledged_publishes_from_the_first_report_on(mcu_at, start, meter):
    mcu = mcu_at()
    mcu.acknowledges_state = False
    gateway = start([meter()])
    with Collector(gateway) as collector:
        gateway.wait_now(state="online", voltage_v=240.3, power_w=17.7)
        collector.wait_rounds()
    assert mcu.count("03/04") == 3
    assert collector.values("voltage_v") == {240.3}
    assert collector.values("power_w") == {17.7}


def test_an_mcu_that_says_nothing_is_asked_again_and_again(mcu_at, start, meter):
    mcu = mcu_at()
    mcu.silence(True)
    gateway = start([meter()])
    assert mcu.wait_frames("00", 4, TIMEOUT)
    assert set(mcu.names()) == {"00"}
    now = gateway.now()
    assert now["state"] == "connecting" and now["available"] is False
    assert gateway.diagnostics()["hint"]
    mcu.silence(False)
    gateway.wait_now(state="online", power_w=17.7)


@pytest.mark.parametrize("warm_up_s", [0.0, 3.0], ids=["at once", "3 s after state 04"])
def test_zeros_of_the_boot_are_never_served(mcu_at, start, meter, warm_up_s):
    """A real one answers the first query with zeros, and measures only some time after state 04."""
    mcu = mcu_at(warm_up_s=warm_up_s, gap_s=0.03, plugged=False)
    gateway = start([meter()])
    with Collector(gateway) as collector:
        mcu.replug()
        gateway.wait_now(state="online", voltage_v=240.3)
        collector.wait_rounds()
    assert mcu.count("08") >= 2
    assert collector.values("voltage_v") == {240.3}
    assert collector.values("power_w") == {17.7}
    assert collector.values("current_a") == {0.077}
    assert collector.values("apparent_power_va") == {18.503}
    # The zeros were seen, and kept back.
    assert gateway.datapoints()[20]["count"] >= 2
    assert sum(gateway.diagnostics()["withheld"].values()) > 0


def test_zeros_of_the_boot_do_not_come_with_the_first_real_values(mcu_at, start, meter):
    """As recorded: zeros, then voltage and power one by one, and the current not before it changes."""
    mcu = mcu_at(warm_up_s=1000)
    gateway = start([meter(profile="pj-mgw1103", poll="60s", stale_after="60s")])
    assert mcu.wait_frames("08", 2, TIMEOUT)
    with Collector(gateway) as collector:
        wait_until(lambda: gateway.datapoints().get(20, {}).get("count") == 2)
        collector.wait_rounds(30)
        mcu.report(dp20=2507)
        gateway.wait_now(voltage_v=250.7)
        collector.wait_rounds(30)
        mcu.report(dp19=221)
        gateway.wait_now(power_w=22.1)
        collector.wait_rounds()
    assert collector.values("voltage_v") == {250.7}
    assert collector.values("power_w") == {22.1}
    assert collector.values("current_a") == set()


def test_the_dialogue_can_be_read_back(mcu, online):
    gateway = online()
    text = gateway.get("/api/v1/meters/main/frames?format=capture").text
    assert "# kind: frames" in text
    assert " tx 55 AA 00 00 00 00 FF" in text
    assert " rx 55 AA 03 00 00 01 00 03" in text
