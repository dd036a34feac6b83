"""The demo with more than a year of history: the numbers of a large file, once."""
import subprocess
import time

from gateway import Lines, Process, fetch, free_port, run, wait_until

DAY_MS = 86400000
FILLING_S = 3600  # broken, not slow


def test_four_hundred_days(tmp_path, capsys):
    temporary, port = tmp_path / "tmp", free_port()
    temporary.mkdir()
    began = time.monotonic()
    process = Process(tmp_path, "demo", "--listen", "127.0.0.1:%d" % port, "--history", "400d",
                      stdout=subprocess.PIPE, env={"TMPDIR": str(temporary)})
    try:
        output = Lines(process.process.stdout)
        wait_until(lambda: output.lines or not process.alive(), timeout=FILLING_S, interval=0.1)
        assert process.alive(), process.log()
        filled = time.monotonic() - began
        wait_until(lambda: fetch(port, "/api/v1/meters/utility/now").json["power_w"] is not None)
        wait_until(lambda: fetch(port, "/healthz").json["history"] != "reading")
        look(port)
        info = run("history", "info", "--json", "--directory", next(temporary.glob("metergate-demo-*")))
        with capsys.disabled():
            print("# filled in %.1f s; %s" % (filled, info.stdout.splitlines()[0]))
    finally:
        process.kill()


def history(port, meter, **parameters):
    answer = fetch(port, "/api/v1/meters/%s/history?" % meter + "&".join("%s=%s" % p for p in parameters.items()))
    assert answer.status == 200, answer
    return answer.json


def look(port):
    """Every tier reaches back to the beginning, and all agree on what flowed."""
    begin_ms = int(time.time() * 1000) - 400 * DAY_MS
    day = begin_ms // 1000 + 2 * 86400
    for meter, series in (("main", "power_w"), ("main", "voltage_v"), ("utility", "power_w")):
        for span, step in ((600, "raw"), (43200, "1min"), (86400 * 7, "15min"), (86400 * 390, "1d")):
            answer = history(port, meter, series=series, step=step, limit=11000, **{"from": day, "to": day + span})
            assert len([row for row in answer["rows"] if row[1] is not None]) > 30, (meter, series, step)
    year = history(port, "utility", series="energy_import_kwh,energy_export_kwh", agg="delta", step="1d",
                   **{"from": day, "to": day + 86400 * 390})["rows"]
    assert all(row[1] >= 0 and row[2] >= 0 for row in year if row[1] is not None and row[2] is not None)
    solar, bought = (sum(row[i] or 0 for row in year) for i in (2, 1))
    assert 1000 < bought < 8000 and 1000 < solar < 8000
