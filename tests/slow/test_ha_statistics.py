"""The hours of an outage, filled in from our history by Home Assistant's own command."""
import datetime
import re
import subprocess
import sys
import time

import pytest

from gateway import TOP, run, wait_until

SCRIPT = TOP / "etc" / "home-assistant" / "metergate_statistics.py"
HOUR_S = 3600
HOURS = 14
SILENT = range(5, 9)     # hours in which Home Assistant heard nothing; in the last of them for a part
BEFORE = 1234.5          # kWh in the register when it all began
ENTITY = "sensor.utility_imported_energy"


def rows_of(hour_s):
    """A row each ten minutes, with a load that is another one each hour."""
    energy_wh = BEFORE * 1000
    for i in range(HOURS * 6):
        energy_wh += 40 + 37 * (i // 6 % 5)
        yield (hour_s + i * 600 + 30) * 1000, energy_wh / 1000


@pytest.fixture
def gateway(start, vue_meter, tmp_path):
    """One whose history has the last hours of a meter that is not there at the moment."""
    # An hour that has just ended may not be told yet.
    first_s = int(time.time()) // HOUR_S * HOUR_S - (HOURS + 1) * HOUR_S
    lines = ["t_ms,power_w,energy_import_kwh"] + ["%d,1000,%.3f" % row for row in rows_of(first_s)]
    folder = tmp_path / "gateway0.history"
    folder.mkdir()
    result = run("history", "import", "--directory", folder, "--size", "2MiB", "--meter", "utility", "-",
                 input="\n".join(lines) + "\n")
    assert result.returncode == 0, result.stderr
    gateway = start([vue_meter(name="Utility")])
    gateway.wait_history()
    gateway.first_s = first_s
    return gateway


def ours(gateway):
    """{start in s: total at the end} as we tell it."""
    answer = gateway.json("/api/v1/meters/utility/energy?period=hour&format=ha-statistics&from=%d" % gateway.first_s)
    rows = next(s["rows"] for s in answer["statistics"] if s["series"] == "energy_import_kwh")
    return {int(datetime.datetime.fromisoformat(r["start"].replace("Z", "+00:00")).timestamp()): r["state"]
            for r in rows}


def when(second):
    return datetime.datetime.fromtimestamp(second, datetime.timezone.utc).isoformat()


def fill(gateway, ha, *options, token=None, **changes):
    arguments = {"--home-assistant": "http://127.0.0.1:%d" % ha.port, "--token-file": ha.folder / "token",
                 "--metergate": "http://127.0.0.1:%d" % gateway.http_port, "--meter": "utility",
                 "--statistic-id": ENTITY, "--from": when(gateway.first_s + SILENT[0] * HOUR_S + 1200),
                 "--to": when(gateway.first_s + SILENT[-1] * HOUR_S + 1800)}
    arguments.update({"--" + name.replace("_", "-"): value for name, value in changes.items()})
    (ha.folder / "token").write_text((token or ha.token) + "\n")
    given = [str(x) for pair in arguments.items() for x in pair]
    return subprocess.run([sys.executable, str(SCRIPT), *options, *given], capture_output=True, text=True)


def hourly(gateway, ha):
    """Those of the test. An hour that ends while it runs is added by Home Assistant itself."""
    return {int(start): (state, sum_) for start, state, sum_ in ha.statistics(ENTITY, "statistics")
            if start < gateway.first_s + HOURS * HOUR_S}


@pytest.fixture
def ha(home, gateway):
    """Home Assistant as the outage has left it: what flowed meanwhile stands in the hour in which it ended."""
    ha = home(gateway.get("/api/v1/home-assistant.yaml?url=http://127.0.0.1:%d" % gateway.http_port).text)
    wait_until(lambda: ENTITY in ha.states())
    totals = ours(gateway)
    known = [s for s in sorted(totals) if (s - gateway.first_s) // HOUR_S not in SILENT[:-1]]
    # The first silent hour has a part of its energy: Home Assistant had heard the meter for twenty minutes of it.
    begun = gateway.first_s + SILENT[0] * HOUR_S
    stats = [{"start": when(s), "state": totals[s], "sum": totals[s] - BEFORE} for s in known]
    stats.append({"start": when(begun), "state": totals[begun] - 0.1, "sum": totals[begun] - 0.1 - BEFORE})
    ha.call("recorder/import_statistics", stats=stats,
            metadata={"has_mean": False, "has_sum": True, "name": None, "source": "recorder", "statistic_id": ENTITY,
                      "unit_of_measurement": "kWh"})
    wait_until(lambda: len(hourly(gateway, ha)) == len(stats))
    return ha


def test_the_sums_become_ours(gateway, ha):
    before, totals = hourly(gateway, ha), ours(gateway)
    assert len(totals) == HOURS and len(before) == HOURS - len(SILENT) + 2

    shown = fill(gateway, ha, "--dry-run")
    assert shown.returncode == 0 and "4 hours to write" not in shown.stdout and "3 hours to write" in shown.stdout
    assert hourly(gateway, ha) == before

    result = fill(gateway, ha)
    assert (result.returncode, result.stderr) == (0, ""), result
    assert result.stdout == ENTITY + ": 3 hours written, 0 were so already\n"
    wait_until(lambda: len(hourly(gateway, ha)) == HOURS)
    after = wait_until(lambda: (h := hourly(gateway, ha))[gateway.first_s + SILENT[0] * HOUR_S] != before[
        gateway.first_s + SILENT[0] * HOUR_S] and h)
    # Hour by hour what we have; nothing else was touched.
    starts = sorted(totals)
    for a, b in zip(starts, starts[1:]):
        assert after[b][1] - after[a][1] == pytest.approx(totals[b] - totals[a], abs=1e-9)
        assert after[b][0] == pytest.approx(totals[b], abs=1e-9)
    silent = {gateway.first_s + n * HOUR_S for n in SILENT[:-1]}
    assert {s: row for s, row in after.items() if s not in silent} == {
        s: row for s, row in before.items() if s not in silent}

    again = fill(gateway, ha)
    assert again.stdout == ENTITY + ": 0 hours written, 3 were so already\n" and again.returncode == 0
    assert hourly(gateway, ha) == after
    assert ha.complaints() == []


MISTAKES = [
    ({"statistic_id": "sensor.nothing"}, ["sensor.nothing"]),
    ({"meter": "nobody"}, ["404", "nobody"]),
    ({"series": "l1.energy_import_kwh"}, ["l1"]),
    ({"series": "power_w"}, ["power_w", "energy_import_kwh"]),
    ({"token": "wrong"}, ["token"]),
    ({"home_assistant": "http://127.0.0.1:1"}, ["127.0.0.1:1"]),
    ({"home_assistant": "homeassistant"}, ["homeassistant", "http://"]),
    ({"metergate": "http://127.0.0.1:1"}, ["127.0.0.1:1"]),
    ({"from": "yesterday"}, ["yesterday"]),
    ({"from": "2020-01-01T00:00Z", "to": "2020-01-01T05:00Z"}, ["before"]),
    ({"from": "2026-01-01T00:10Z", "to": "2026-01-01T00:50Z"}, ["one hour"]),
]


def test_mistakes(gateway, ha):
    before = hourly(gateway, ha)
    for changes, words in MISTAKES:
        result = fill(gateway, ha, **changes)
        assert result.returncode == 1 and result.stdout == "", (changes, result)
        assert re.fullmatch("metergate_statistics: .*\n", result.stderr), (changes, result)
        assert all(word in result.stderr for word in words), (changes, result)
    assert hourly(gateway, ha) == before


def test_another_meter_is_noticed(gateway, ha):
    """A total below what Home Assistant had already cannot be the same meter's."""
    start = gateway.first_s + (SILENT[0] - 1) * HOUR_S
    ha.call("recorder/import_statistics", stats=[{"start": when(start), "state": 9999.0, "sum": 1.0}],
            metadata={"has_mean": False, "has_sum": True, "name": None, "source": "recorder", "statistic_id": ENTITY,
                      "unit_of_measurement": "kWh"})
    wait_until(lambda: hourly(gateway, ha)[start][0] == 9999.0)
    result = fill(gateway, ha)
    assert result.returncode == 1 and "same meter" in result.stderr
