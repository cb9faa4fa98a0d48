"""A client that grpcio-tools generated from api/naru/v1, over cleartext HTTP/2.

NARU_HTTP is the base URL, such as http://127.0.0.1:8080. An argument runs only
the checks that have it in their title.
"""

import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
API = HERE.parent.parent / "api"


def generate(out):
    """Makes the messages and stubs of every definition; nothing of it is kept."""
    import grpc_tools
    from grpc_tools import protoc

    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    files = sorted(str(f.relative_to(API)) for f in API.rglob("*.proto"))
    status = protoc.main(["protoc", f"-I{API}", f"-I{Path(grpc_tools.__file__).parent / '_proto'}",
                          f"--python_out={out}", f"--grpc_python_out={out}", *files])
    if status != 0:
        sys.exit(f"protoc: status {status}")


def main():
    generate(HERE / "gen")
    sys.path.insert(0, str(HERE / "gen"))
    import call_checks
    import consume_checks
    import queue_checks
    import server_checks
    import topic_checks
    from harness import Naru, Suite

    target = os.environ["NARU_HTTP"].removeprefix("http://").rstrip("/")
    suite = Suite("grpc-python", sys.argv[1] if len(sys.argv) > 1 else "")
    naru = Naru(target)
    for checks in (server_checks, topic_checks, queue_checks, consume_checks, call_checks):
        checks.run(suite, naru)
    return suite.finish()


if __name__ == "__main__":
    sys.exit(main())
