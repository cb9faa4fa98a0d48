package conformance;

import static conformance.Endpoint.refused;

import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.services.kinesis.KinesisClient;
import software.amazon.awssdk.services.kinesis.model.KinesisException;

/** Keys: for an endpoint that knows the key in AWS_ACCESS_KEY_ID and no other. */
final class KeyChecks {
    private final Suite suite;
    private final Endpoint kinesis;

    KeyChecks(Suite suite, Endpoint kinesis) {
        this.suite = suite;
        this.kinesis = kinesis;
    }

    void run() {
        suite.run("keys: a wrong secret", () -> wrong("InvalidSignatureException", System.getenv("AWS_ACCESS_KEY_ID"), "not-the-secret"));
        suite.run("keys: one that is not known", () -> wrong("UnrecognizedClientException", "AKIAUNKNOWN", "whatever"));
    }

    private void wrong(String code, String id, String secret) {
        try (KinesisClient client = kinesis.connect(StaticCredentialsProvider.create(AwsBasicCredentials.create(id, secret)))) {
            refused(KinesisException.class, code, 403, "", client::listStreams);
        }
    }
}
