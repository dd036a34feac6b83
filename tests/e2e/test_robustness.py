"""What happens on a bench: restarts, pulled cables, noise. The meter comes back by itself; nothing false is shown."""
import contextlib
import os
import signal
import time

import pytest

from fake_mcu import HEARTBEAT, REPORT, frame, unit
from gateway import TIMEOUT, Collector, wait_until

NOISE_S = float(os.environ.get("METERGATE_NOISE_SECONDS", "3"))

TRUE_VALUES = {"voltage_v": {240.3}, "current_a": {0.077}, "power_w": {17.7}, "apparent_power_va": {18.503},
               "power_factor": {0.957}}


@contextlib.contextmanager
def only_true_values_are_served(gateway, **also):
    with Collector(gateway) as collector:
        yield collector
        collector.wait_rounds()
    for key, values in TRUE_VALUES.items():
        assert collector.values(key) <= values | also.get(key, set()), key


def answered_again(mcu, gateway):
    """A query after now was answered, so that what is shown is not from before."""
    with mcu.changed:
        count = mcu.count("08")
    assert mcu.wait_frames("08", count + 2, TIMEOUT)
    gateway.wait_now(state="online", available=True, **{key: min(values) for key, values in TRUE_VALUES.items()})


def test_mcu_restart(mcu, online):
    """Its zeros arrive before the gateway can know of the restart, and are not shown."""
    gateway = online(poll="1s", stale_after="30s")
    with only_true_values_are_served(gateway):
        for count in (1, 2):
            mcu.restart()
            wait_until(lambda: gateway.counter("restarts") == count, what="restart noticed")
            assert mcu.wait_frames("03/04", 1 + count, TIMEOUT)
            answered_again(mcu, gateway)
    assert mcu.count("01") == 3 and mcu.count("02") == 3
    assert gateway.counter("restart") >= 1, "zeros of the restart were withheld, and counted"
    assert any("restart" in transition["reason"] for transition in gateway.diagnostics()["transitions"])


def test_mcu_restart_that_measures_late(mcu_at, online):
    mcu = mcu_at(warm_up_s=2.0)
    gateway = online(poll="1s", stale_after="30s")
    with only_true_values_are_served(gateway):
        mcu.restart()
        wait_until(lambda: gateway.counter("restarts") == 1)
        wait_until(lambda: mcu.measuring)
        answered_again(mcu, gateway)


def test_mcu_restart_between_two_datapoints(mcu, online):
    """Half of a moment is from before, half from after."""
    gateway = online(poll="60s", stale_after="60s")
    with only_true_values_are_served(gateway):
        mcu.report(dp20=2403)
        mcu.restart()
        mcu.send(REPORT, unit(18, 0))
        wait_until(lambda: gateway.counter("restarts") == 1)
        assert mcu.wait_frames("03/04", 2, TIMEOUT)
        gateway.wait_now(state="online", available=True)


def test_mcu_restart_whose_first_heartbeat_answer_is_damaged(mcu, online):
    """The answer that tells of the restart comes only once; without it the zeros must not be believed either."""
    gateway = online(poll="1s", stale_after="30s")
    send, damaged = mcu.send, []

    def send_badly(command, data=b""):
        if (command, data) == (HEARTBEAT, b"\0") and not damaged:
            damaged.append(mcu.count("08"))
            mcu.send_raw(frame(command, data)[:-1] + b"\x99")
        else:
            send(command, data)

    mcu.send = send_badly
    with only_true_values_are_served(gateway):
        mcu.restart()
        assert mcu.wait_for(lambda: damaged, TIMEOUT)
        # It has to be told again that it is connected; only then does it measure.
        assert mcu.wait_frames("03/04", 2, TIMEOUT)
        answered_again(mcu, gateway)


def test_mcu_restart_with_silence_in_between(mcu, online):
    gateway = online(poll="1s", stale_after="30s")
    with only_true_values_are_served(gateway):
        mcu.silence(True)
        count = mcu.count("08")
        assert mcu.wait_frames("08", count + 2, TIMEOUT)
        mcu.restart()
        mcu.silence(False)
        wait_until(lambda: gateway.counter("restarts") == 1)
        answered_again(mcu, gateway)


def test_yanked_cable(mcu, online):
    gateway = online(poll="1s", stale_after="3s")
    with only_true_values_are_served(gateway):
        for count in (1, 2):
            mcu.unplug()
            gateway.wait_now(available=False, power_w=None)
            assert gateway.now()["state"] in ("offline", "connecting")
            link = gateway.diagnostics()["link"]
            assert link["open"] is False and link["error"]
            mcu.replug()
            wait_until(lambda: gateway.counter("reconnects") == count)
            answered_again(mcu, gateway)
    assert gateway.diagnostics()["link"]["error"] is None
    states = [t["state"] for t in gateway.diagnostics()["transitions"]]
    assert states.count("online") == 3 and "offline" in states


def test_cable_pulled_for_a_moment_keeps_the_values(mcu, online):
    gateway = online(poll="1s", stale_after="60s")
    with only_true_values_are_served(gateway) as collector:
        mcu.unplug()
        mcu.replug()
        wait_until(lambda: gateway.counter("reconnects") == 1)
        answered_again(mcu, gateway)
    assert None not in collector.served["power_w"]


def test_random_bytes(mcu, online):
    """METERGATE_NOISE_SECONDS=10 makes it longer."""
    gateway = online(poll="1s", stale_after="4s")
    with only_true_values_are_served(gateway):
        with mcu.changed:
            mcu.answers_query = False
        sent = mcu.noise(NOISE_S)
        with mcu.changed:
            mcu.answers_query = True
        answered_again(mcu, gateway)
    framing = gateway.diagnostics()["framing"]
    assert sent * 0.9 <= framing["noise_bytes"] <= sent
    assert gateway.counter("restarts") == 0 and gateway.counter("reconnects") == 0


def test_answers_in_between_random_bytes(mcu, online):
    gateway = online(poll="1s", stale_after="30s")
    with only_true_values_are_served(gateway, power_w={18.8}, power_factor={1}):
        for seed in range(20):
            mcu.noise(0.05, seed)
            with mcu.changed:
                mcu.report(dp19=188 if seed % 2 == 0 else 177)
        answered_again(mcu, gateway)
    assert gateway.counter("noise_bytes") > 1000


def test_bad_checksums(mcu, online):
    gateway = online(poll="60s", stale_after="60s")
    with only_true_values_are_served(gateway):
        for at in range(20):
            bad = bytearray(frame(REPORT, unit(19, 9999)))
            bad[-1] ^= 1 << at % 8
            mcu.send_raw(bytes(bad))
        mcu.report(dp19=177, dp20=2403, dp18=77)
        wait_until(lambda: gateway.counter("checksum_errors") == 20)
        wait_until(lambda: gateway.diagnostics()["framing"]["pending_bytes"] == 0)
    assert gateway.counter("noise_bytes") == 20 * 15
    assert gateway.now()["state"] == "online"


def test_good_frame_inside_a_falsely_announced_length(mcu, online):
    gateway = online(poll="60s", stale_after="60s")
    mcu.send_raw(bytes.fromhex("55AA03070210") + frame(REPORT, unit(19, 190)) + b"\x55\xaa")
    gateway.wait_now(power_w=19.0)
    wait_until(lambda: gateway.counter("noise_bytes") == 8)
    assert gateway.counter("part_frame_timeouts") >= 1


def test_part_frames_with_silence(mcu, online):
    gateway = online(poll="60s", stale_after="60s")
    whole = frame(REPORT, unit(19, 9999))
    with only_true_values_are_served(gateway, power_w={19.1}, power_factor={1}):
        for cut in (1, 2, 5, 6, 10, len(whole) - 1):
            before = gateway.counter("noise_bytes")
            mcu.send_raw(whole[:cut])
            wait_until(lambda: gateway.counter("noise_bytes") == before + cut)
        mcu.report(dp19=191)
        gateway.wait_now(power_w=19.1)
    assert gateway.counter("part_frame_timeouts") >= 6
    assert gateway.counter("checksum_errors") == 0


def test_oversized_length(mcu, online):
    gateway = online(poll="60s", stale_after="60s")
    mcu.send_raw(bytes.fromhex("55AA0307FFFF"))
    mcu.report(dp19=192)
    gateway.wait_now(power_w=19.2)
    assert gateway.counter("oversize") == 1


def test_frame_split_at_every_byte(mcu, online):
    gateway = online(poll="60s", stale_after="60s")
    whole = frame(REPORT, unit(19, 201))

    def was_sent():
        """False when this process was away for so long that it was silence."""
        longest, last = 0, time.monotonic()
        for at in range(len(whole)):
            mcu.send_raw(whole[at:at + 1])
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
            time.sleep(0.005)
        return longest < 0.2

    wait_until(was_sent)
    gateway.wait_now(power_w=20.1)


def test_a_gateway_that_was_away_does_not_tear_a_frame(mcu, online):
    """Its disk or its machine kept it while the second half of a frame came: that was no silence."""
    gateway = online(poll="60s", stale_after="60s")
    whole = frame(REPORT, unit(19, 201))

    def stopped_between():
        """Whether it was stopped before it could take what is missing for silence."""
        begun = time.monotonic()
        mcu.send_raw(whole[:8])
        wait_until(lambda: gateway.diagnostics()["framing"]["pending_bytes"] != 0 or time.monotonic() > begun + 0.2)
        gateway.signal(signal.SIGSTOP)
        wait_until(lambda: state_of(gateway.pid) == "T")
        if time.monotonic() < begun + 0.25:
            return True
        gateway.signal(signal.SIGCONT)
        wait_until(lambda: gateway.diagnostics()["framing"]["pending_bytes"] == 0)
        return False

    wait_until(stopped_between)
    timeouts_from = time.monotonic() + 0.5
    mcu.send_raw(whole[8:])
    wait_until(lambda: time.monotonic() > timeouts_from)
    gateway.signal(signal.SIGCONT)
    gateway.wait_now(power_w=20.1)


def state_of(pid):
    with open("/proc/%d/stat" % pid) as stat:
        return stat.read().rpartition(")")[2].split()[0]


def test_port_that_appears_later(mcu_at, start, meter):
    mcu = mcu_at(plugged=False)
    gateway = start([meter()])
    now = gateway.now()
    assert (now["state"], now["available"], now["at"]) == ("connecting", False, None)
    assert gateway.diagnostics()["link"]["open"] is False
    assert "main" in gateway.diagnostics()["link"]["port"]
    mcu.replug()
    gateway.wait_now(state="online", power_w=17.7)
    assert gateway.counter("reconnects") == 0


def test_device_without_power_at_start(mcu_at, start, meter):
    """The port is there, the meter is not."""
    mcu = mcu_at()
    mcu.silence(True)
    gateway = start([meter()])
    assert mcu.wait_frames("00", 2, TIMEOUT)
    mcu.silence(False)
    gateway.wait_now(state="online", power_w=17.7)


def test_one_broken_meter_does_not_disturb_another(mcu_at, start, meter):
    good, bad = mcu_at("good"), mcu_at("bad")
    gateway = start([meter("good"), meter("bad")])
    gateway.wait_now("good", power_w=17.7)
    gateway.wait_now("bad", power_w=17.7)
    with Collector(gateway, "good") as collector:
        bad.noise(0.5)
        bad.unplug()
        gateway.wait_now("bad", state="offline")
        good.report(dp19=178)
        gateway.wait_now("good", power_w=17.8)
    assert collector.values("power_w") == {17.7, 17.8}
    assert gateway.counter("noise_bytes", "good") == 0
    assert gateway.now("good")["state"] == "online"


def test_meter_that_hears_itself_gets_a_hint(mcu_at, start, meter):
    """RX and TX touch: whatever is sent comes back."""
    mcu = mcu_at()
    mcu.feed = lambda data: mcu.send_raw(data)
    gateway = start([meter()])
    wait_until(lambda: "RX" in (gateway.diagnostics()["hint"] or ""))
    assert gateway.now()["state"] == "connecting"


def test_heartbeats_unanswered_mean_offline_in_the_end(mcu, online):
    gateway = online(poll="1s", stale_after="2s")
    mcu.silence(True)
    gateway.wait_now(state="stale")
    mcu.silence(False)
    mcu.send(HEARTBEAT, b"\1")
    gateway.wait_now(state="online", power_w=17.7)


@pytest.mark.skipif(not os.environ.get("METERGATE_LONG"), reason="takes 40 s; METERGATE_LONG=1 runs it")
def test_silence_ends_in_offline(mcu, online):
    gateway = online(poll="1s", stale_after="3s")
    mcu.silence(True)
    gateway.wait_now(state="offline")
    mcu.silence(False)
    gateway.wait_now(state="online", power_w=17.7)
