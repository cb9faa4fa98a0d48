package conformance;

import static conformance.Suite.equal;
import static conformance.Suite.holds;

import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.http.auth.aws.scheme.AwsV4AuthScheme;
import software.amazon.awssdk.http.auth.aws.signer.AwsV4HttpSigner;
import software.amazon.awssdk.http.auth.spi.signer.AsyncSignRequest;
import software.amazon.awssdk.http.auth.spi.signer.AsyncSignedRequest;
import software.amazon.awssdk.http.auth.spi.signer.HttpSigner;
import software.amazon.awssdk.http.auth.spi.signer.SignRequest;
import software.amazon.awssdk.http.auth.spi.signer.SignedRequest;
import software.amazon.awssdk.identity.spi.AwsCredentialsIdentity;
import software.amazon.awssdk.identity.spi.IdentityProvider;
import software.amazon.awssdk.identity.spi.IdentityProviders;
import software.amazon.awssdk.services.sqs.SqsClient;
import software.amazon.awssdk.services.sqs.model.SqsException;

/** Keys: for an endpoint that knows the key in AWS_ACCESS_KEY_ID and no other. */
final class KeyChecks {
    /** The Query protocol's name of the error, and the JSON protocol's. */
    private static final List<String> WRONG = List.of("SignatureDoesNotMatch", "InvalidSignatureException");

    private final Suite suite;
    private final Endpoint sqs;

    KeyChecks(Suite suite, Endpoint sqs) {
        this.suite = suite;
        this.sqs = sqs;
    }

    void run() {
        suite.run("keys: a wrong secret", () -> refused(WRONG, keys(System.getenv("AWS_ACCESS_KEY_ID"), "not-the-secret")));
        suite.run("keys: one that is not known",
                () -> refused(List.of("InvalidClientTokenId", "UnrecognizedClientException"), keys("AKIAUNKNOWN", "whatever")));
        suite.run("keys: a clock that is wrong", this::clock);
    }

    private SqsClient keys(String id, String secret) {
        return sqs.connect(StaticCredentialsProvider.create(AwsBasicCredentials.create(id, secret)));
    }

    private static void refused(List<String> codes, SqsClient client) {
        try (client) {
            client.listQueues();
        } catch (SqsException e) {
            equal(e.statusCode(), 403, e.getMessage());
            holds(codes.contains(e.awsErrorDetails().errorCode()), e.awsErrorDetails().errorCode() + " is none of " + codes);
            return;
        }
        throw new AssertionError("it was accepted");
    }

    private void clock() {
        List<String> codes = new ArrayList<>(WRONG);
        codes.addAll(List.of("RequestExpired", "RequestTimeTooSkewed"));
        for (int minutes : new int[] {-20, 20}) {
            Clock clock = Clock.offset(Clock.systemUTC(), Duration.ofMinutes(minutes));
            refused(codes, sqs.connect(b -> b.putAuthScheme(new Skewed(clock))));
        }
        sqs.client.listQueues();
    }

    /** Signs as if it were another time. */
    private record Skewed(Clock clock) implements AwsV4AuthScheme {
        @Override
        public String schemeId() {
            return AwsV4AuthScheme.SCHEME_ID;
        }

        @Override
        public IdentityProvider<AwsCredentialsIdentity> identityProvider(IdentityProviders providers) {
            return providers.identityProvider(AwsCredentialsIdentity.class);
        }

        @Override
        public AwsV4HttpSigner signer() {
            AwsV4HttpSigner real = AwsV4HttpSigner.create();
            return new AwsV4HttpSigner() {
                @Override
                public SignedRequest sign(SignRequest<? extends AwsCredentialsIdentity> request) {
                    return real.sign(skew(request));
                }

                @Override
                public java.util.concurrent.CompletableFuture<AsyncSignedRequest> signAsync(AsyncSignRequest<? extends AwsCredentialsIdentity> request) {
                    throw new java.lang.UnsupportedOperationException();
                }
            };
        }

        private <T extends AwsCredentialsIdentity> SignRequest<T> skew(SignRequest<T> request) {
            return request.toBuilder().putProperty(HttpSigner.SIGNING_CLOCK, clock).build();
        }
    }
}
