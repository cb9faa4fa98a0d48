"""A client that openapi-python-client generated from the document that the server gives.

NARU_HTTP is the base URL, such as http://127.0.0.1:8080. An argument runs only
the checks that have it in their title.
"""

import os
import shutil
import subprocess
import sys
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
OUT = HERE / "out"


def generate(base):
    """Makes the package naru_client of the document; nothing of it is kept."""
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    with urllib.request.urlopen(f"{base}/openapi.yaml", timeout=30) as answer:
        (OUT / "openapi.yaml").write_bytes(answer.read())
    tools = Path(sys.executable).parent
    done = subprocess.run([tools / "openapi-python-client", "generate", "--path", OUT / "openapi.yaml", "--meta", "none",
                           "--output-path", OUT / "naru_client"], capture_output=True, text=True, timeout=300,
                          env={**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"})
    sys.stderr.write(done.stdout + done.stderr)
    if done.returncode != 0:
        sys.exit(f"openapi-python-client: status {done.returncode}")


def main():
    base = os.environ["NARU_HTTP"].rstrip("/")
    generate(base)
    sys.path.insert(0, str(OUT))
    import checks
    from harness import Suite

    suite = Suite("openapi-client", sys.argv[1] if len(sys.argv) > 1 else "")
    checks.run(suite, base, OUT / "openapi.yaml")
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
