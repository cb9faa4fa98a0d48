"""Schemathesis against the document that the server gives, with fixed seeds.

NARU_HTTP is the base URL, such as http://127.0.0.1:8080. An operation passes if
no phase found anything in it; every finding is a failure of its own. Triggers are
left out: a webhook makes the server call other hosts.
"""

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE / "out"
CHECKS = ("not_a_server_error", "status_code_conformance", "content_type_conformance", "response_schema_conformance",
          "response_headers_conformance", "unsupported_method", "allow_header_conformance", "negative_data_rejection")
SEED = 4
# Name, phases, and how long: so many examples of an operation, or so many seconds.
RUNS = (("stateless", "examples,coverage,fuzzing", "--max-examples", 60), ("stateful", "stateful", "--max-time", 25))


def post(base, path, body):
    request = urllib.request.Request(base + path, json.dumps(body).encode(), {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        answer.read()


def furnish(base):
    """Makes what requests can find: topics with records, queues with messages, a group."""
    for i in range(8):
        name = f"fuzz-{i}"
        post(base, "/v1/topics", {"topic": f"{name}-topic", "partitions": 2})
        post(base, f"/v1/topics/{name}-topic/records", {"records": [{"keyText": "열쇠", "text": f"값 {n}"} for n in range(20)]})
        post(base, "/v1/queues", {"queue": f"{name}-dead"})
        post(base, "/v1/queues", {"queue": f"{name}-queue", "settings": {"deadLetter": f"{name}-dead", "lanes": 3, "lease": "1s"}})
        post(base, f"/v1/queues/{name}-queue/messages", {"messages": [{"text": f"{n}", "priority": n % 3} for n in range(50)]})
        post(base, f"/v1/queues/{name}-dead/messages", {"messages": [{"text": f"{n}"} for n in range(20)]})
        post(base, f"/v1/groups/{name}-group:reset", {"topic": f"{name}-topic", "to": "latest"})


def run(base, name, phases, bound, much):
    """One run; its report."""
    report = OUT / f"{name}.json"
    command = [Path(sys.executable).parent / "schemathesis", "--config-file", HERE / "schemathesis.toml", "run", f"{base}/openapi.yaml",
               "--phases", phases, "--checks", ",".join(CHECKS), "--seed", str(SEED), bound, str(much),
               "--generation-database", "none", "--request-timeout", "60", "--suppress-health-check", "too_slow", "--exclude-path-regex", "/v1/triggers",
               "--continue-on-failure", "--no-color", "--report", "json", "--report-json-path", report]
    done = subprocess.run(command, cwd=OUT, env={**os.environ, "SCHEMATHESIS_HOOKS": "hooks", "PYTHONPATH": str(HERE)},
                          capture_output=True, text=True, timeout=300)
    (OUT / f"{name}.log").write_text(done.stdout + done.stderr)
    sys.stderr.write(done.stdout + done.stderr)
    return json.loads(report.read_text())


def judge(name, report):
    """Prints a line for each operation and each finding; how many passed and failed."""
    findings = [(f["title"], f["operations"]) for f in report["failures"]] + [(e["title"], []) for e in report["errors"]]
    bad = {operation for _, operations in findings for operation in operations}
    for title, operations in findings:
        for operation in operations or ["an error"]:
            print(f"FAIL {name}: {operation}: {title}, see out/{name}.log", flush=True)
    rates = report["valid_rates"]
    good = sorted(set(rates) - bad)
    for operation in good:
        accepted = sum(phase["accepted"] for phase in rates[operation].values())
        print(f"ok   {name}: {operation} (answered {accepted} of {sum(sum(phase.values()) for phase in rates[operation].values())})")
    if not rates and not findings and report["operations"]["tested"]:  # the stateful phase does not count by operation
        good = ["all"]
        print(f"ok   {name}: {report['operations']['tested']} operations")
    failed = sum(len(operations) or 1 for _, operations in findings)
    if report["exit_code"] != 0 and not failed:
        print(f"FAIL {name}: exit code {report['exit_code']}, see out/{name}.log")
        failed = 1
    cases = report["test_cases"]["generated"]
    print(f"     {name}: {cases} cases in {report['running_time']:.0f} s, seed {report['seed']}", flush=True)
    return len(good), failed


def main():
    base = os.environ["NARU_HTTP"].rstrip("/")
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    furnish(base)
    passed = failed = 0
    for name, *how in RUNS:
        good, bad = judge(name, run(base, name, *how))
        passed, failed = passed + good, failed + bad
    print(f"schemathesis: {passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
