"""The parsers of Prometheus' Python client, from PyPI, in an environment of its own that is kept."""
import fcntl
import json
import shutil
import subprocess
import sys
import time

from gateway import TIMEOUT
from home_assistant import Unavailable, cache_folder, run_or_give_up

# Families as [name, type, unit, [[sample's name, labels, value], ...]], by either parser; an error of it is ours.
PARSE = """
import json, sys
from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics
of = openmetrics if sys.argv[1] == "openmetrics" else parser
families = of.text_string_to_metric_families(sys.stdin.read())
print(json.dumps([[f.name, f.type, f.unit, [[s.name, s.labels, s.value] for s in f.samples]] for f in families]))
"""


def environment():
    """The Python that has it; made when it is not there, and kept."""
    folder = cache_folder() / ("prometheus-client-python%d.%d" % sys.version_info[:2])
    folder.parent.mkdir(parents=True, exist_ok=True)
    python = folder / "bin" / "python"
    with open(str(folder) + ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            try:
                run_or_give_up("python3 -m venv", sys.executable, "-m", "venv", "--clear", str(folder))
                run_or_give_up("pip", str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
                               "prometheus-client")
            except Unavailable:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            (folder / "complete").write_text("%s\n" % time.strftime("%F"))
    return python


def parse(python, form, text):
    result = subprocess.run([python, "-c", PARSE, form], input=text, capture_output=True, text=True, encoding="utf-8",
                            timeout=TIMEOUT)
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)
