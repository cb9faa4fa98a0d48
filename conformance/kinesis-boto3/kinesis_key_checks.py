"""Credentials that the endpoint does not know, or that do not fit."""

import os

from harness import fails


def wrong(k):
    key = os.environ["AWS_ACCESS_KEY_ID"]
    for settings, code in [({"aws_access_key_id": key, "aws_secret_access_key": "wrong"}, "InvalidSignatureException"),
                           ({"aws_access_key_id": "NOBODY", "aws_secret_access_key": "x"}, "UnrecognizedClientException")]:
        fails(code, k.connect(**settings).list_streams, status=403)


def run(suite, k):
    suite.run("keys: wrong ones", wrong, k)
