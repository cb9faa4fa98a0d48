"""Keys: for an endpoint that knows those in AWS_ACCESS_KEY_ID and no others."""

import datetime
from unittest import mock

import botocore.auth

from botocore.exceptions import ClientError

from harness import equal, holds


def refused(sqs, codes, **settings):
    client = sqs.connect(**settings)
    try:
        client.list_queues()
    except ClientError as e:
        equal(e.response["ResponseMetadata"]["HTTPStatusCode"], 403, f"status of {e.response['Error']}")
        holds(e.response["Error"]["Code"] in codes, f"{e.response['Error']} is none of {codes}")
        return
    raise AssertionError("it was accepted")


# The Query protocol's names of these errors, and the JSON protocol's.
WRONG = ("SignatureDoesNotMatch", "InvalidSignatureException")
UNKNOWN = ("InvalidClientTokenId", "UnrecognizedClientException")


def wrong_secret(sqs):
    key = sqs.client._request_signer._credentials.access_key
    refused(sqs, WRONG, aws_access_key_id=key, aws_secret_access_key="not-the-secret")


def unknown_key(sqs):
    refused(sqs, UNKNOWN, aws_access_key_id="AKIAUNKNOWN", aws_secret_access_key="whatever")


def clock(sqs):
    for minutes in (-20, 20):
        now = datetime.datetime.utcnow() + datetime.timedelta(minutes=minutes)
        if hasattr(botocore.auth, "get_current_datetime"):
            patch = mock.patch("botocore.auth.get_current_datetime", lambda *a, **k: now)
        else:
            patch = mock.patch("botocore.auth.datetime", mock.Mock(datetime=mock.Mock(utcnow=lambda: now)))
        with patch:
            refused(sqs, WRONG + ("RequestExpired", "RequestTimeTooSkewed"))
    sqs.client.list_queues()


def run(suite, sqs):
    suite.run("keys: a wrong secret", wrong_secret, sqs)
    suite.run("keys: one that is not known", unknown_key, sqs)
    suite.run("keys: a clock that is wrong", clock, sqs)
