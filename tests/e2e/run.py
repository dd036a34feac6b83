#!/usr/bin/env python3
"""Runs pytest files and prints TAP, so that `make check` counts each end-to-end test by itself."""
import os
import sys

try:
    import pytest
except ImportError:
    print("1..0 # SKIP pytest is not installed")
    sys.exit(0)


def one_line(text):
    return " ".join(str(text).replace("#", "no.").split())


def reason_of(report):
    """Where and why in one place, before the sources: a log may show the beginning alone."""
    crash = getattr(report.longrepr, "reprcrash", None)
    return f"{os.path.basename(crash.path)}:{crash.lineno}: {crash.message}\n" if crash else ""


class TapReporter:
    """One line for each test: a failure of its set-up or tear-down counts as its own."""

    def __init__(self):
        self.count = 0
        self.results = {}

    @pytest.hookimpl(trylast=True)
    def pytest_configure(self, config):
        # Standard output is the harness's.
        config.pluginmanager.unregister(config.pluginmanager.getplugin("terminalreporter"))

    def pytest_internalerror(self, excrepr):
        self.say({"ok": False, "note": "", "text": str(excrepr)}, "pytest itself")

    def pytest_runtest_logreport(self, report):
        result = self.results.setdefault(report.nodeid, {"ok": True, "note": "", "text": ""})
        if report.failed:
            result["ok"] = False
            result["text"] += reason_of(report) + report.longreprtext + "".join(
                f"\n--- {title}\n{content}" for title, content in report.sections)
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else getattr(report, "wasxfail", "")
            result["note"] = " # SKIP " + one_line(reason).removeprefix("Skipped: ")
        if report.when == "teardown":
            self.say(self.results.pop(report.nodeid), report.nodeid)

    def pytest_collectreport(self, report):
        if report.failed:
            self.say({"ok": False, "note": "", "text": report.longreprtext}, report.nodeid or "collection")
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self.say({"ok": True, "note": " # SKIP " + one_line(reason).removeprefix("Skipped: "), "text": ""},
                     report.nodeid)

    def say(self, result, name):
        self.count += 1
        print(f"{'ok' if result['ok'] else 'not ok'} {self.count} - {one_line(name)}{result['note']}")
        for line in result["text"].splitlines():
            print(f"# {line}")
        sys.stdout.flush()


def main(arguments):
    tap = TapReporter()
    # No cache: the sources may be read-only.
    options = ["-p", "no:cacheprovider", "--rootdir", os.path.dirname(os.path.dirname(os.path.abspath(__file__)))]
    status = pytest.main(options + arguments, plugins=[tap])
    if tap.count == 0:
        tap.say({"ok": False, "note": "", "text": f"exit status of pytest: {status}"}, "no test was found")
    print(f"1..{tap.count}", flush=True)
    # What pytest found wrong stands in the results; anything else is an error of the run.
    told = (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.NO_TESTS_COLLECTED)
    return 0 if status in told or tap.count else int(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
