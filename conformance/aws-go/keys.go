package main

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/smithy-go"
)

// keyChecks are for an endpoint that knows the key in AWS_ACCESS_KEY_ID and no
// other.
func (s *suite) keyChecks() {
	s.run("keys: a wrong secret", func(t *tester) {
		own := must(t.client.Options().Credentials.Retrieve(t.ctx))
		t.refusedAs(withKey(own.AccessKeyID, "not-the-secret"), wrong)
	})
	s.run("keys: one that is not known", func(t *tester) {
		t.refusedAs(withKey("AKIAUNKNOWN", "whatever"), []string{"InvalidClientTokenId", "UnrecognizedClientException"})
	})
	s.run("keys: a clock that is wrong", clock)
}

// The Query protocol's name of the error, and the JSON protocol's.
var wrong = []string{"SignatureDoesNotMatch", "InvalidSignatureException"}

func withKey(id, secret string) func(*sqs.Options) {
	return func(o *sqs.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: id, SecretAccessKey: secret}, nil
		})
	}
}

func (t *tester) refusedAs(option func(*sqs.Options), codes []string) {
	// A signer of its own: one that is shared keeps what it derived from the secret.
	client := must(connect(t.ctx, func(o *sqs.Options) { o.HTTPSignerV4 = v4.NewSigner() }, option))
	_, err := client.ListQueues(t.ctx, &sqs.ListQueuesInput{})
	var api smithy.APIError
	holds(errors.As(err, &api) && slices.Contains(codes, api.ErrorCode()), "got %v, want one of %v", err, codes)
	status(err, 403)
}

// skewed signs as if it were another time.
type skewed struct {
	*v4.Signer
	by time.Duration
}

func (s skewed) SignHTTP(ctx context.Context, c aws.Credentials, r *http.Request, hash, service, region string, at time.Time, opts ...func(*v4.SignerOptions)) error {
	return s.Signer.SignHTTP(ctx, c, r, hash, service, region, time.Now().Add(s.by), opts...)
}

func clock(t *tester) {
	for _, by := range []time.Duration{-20 * time.Minute, 20 * time.Minute} {
		t.refusedAs(func(o *sqs.Options) { o.HTTPSignerV4 = skewed{v4.NewSigner(), by} }, append(wrong, "RequestExpired", "RequestTimeTooSkewed"))
	}
	must(t.client.ListQueues(t.ctx, &sqs.ListQueuesInput{}))
}
