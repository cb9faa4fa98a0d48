package objectstore

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// S3Config says where a bucket is and how to reach it.
type S3Config struct {
	Bucket string
	Prefix string // of all keys, without slashes at its ends; "" for none
	// Endpoint is a URL, "" for Amazon's own of the region (or AWS_ENDPOINT_URL).
	Endpoint string
	// Region is "" for that of the environment, or us-east-1.
	Region string
	// PathStyle puts the bucket into the path of the URL instead of the host's name,
	// as most servers other than Amazon's want it.
	PathStyle bool
	// AccessKey and SecretKey, and SessionToken if it belongs to them. Without them
	// credentials come from where AWS's tools take them: environment, files, web
	// identity, the container's or machine's role.
	AccessKey, SecretKey, SessionToken string
	// RequestTimeout is for one request without the time for its body, 0 for
	// RequestTimeoutDefault. Bodies get a second more for each BytesPerSecondMin;
	// those of answers from when the answer has begun.
	RequestTimeout time.Duration
	// WritesMax and ReadsMax are how many requests may be on their way, 0 for
	// WritesMaxDefault and ReadsMaxDefault. What is more waits.
	WritesMax, ReadsMax int
	// Observe, if set, is called after each request.
	Observe func(S3Request)
	// Transport stands in for the network in tests.
	Transport http.RoundTripper
}

// S3Request is what became of a request.
type S3Request struct {
	Kind  OpKind
	Bytes int64 // of the body, put or got
	Took  time.Duration
	Err   error
}

// Defaults and limits of S3.
const (
	RequestTimeoutDefault = 15 * time.Second
	BytesPerSecondMin     = 1 << 20
	WritesMaxDefault      = 16
	ReadsMaxDefault       = 64
	PrefixBytesMax        = 256
	regionDefault         = "us-east-1"
	connectTimeout        = 5 * time.Second
	idleTimeout           = 50 * time.Second // servers close idle connections after a minute or so
)

// S3 is a Store in a bucket.
//
// It never repeats a request: what becomes of an answer that did not come is the
// caller's to find out, and a Put that is made again may be answered ErrExists
// because of the first.
type S3 struct {
	cfg           S3Config
	api           *s3.Client
	writes, reads chan struct{} // a place for each request on its way
}

var _ Store = (*S3)(nil)

// ParseS3URL reads s3://BUCKET/PREFIX, with endpoint=URL, region=NAME and
// path-style=true|false behind a question mark, all of them optional. With an
// endpoint, path style is the default.
func ParseS3URL(text string) (S3Config, error) {
	u, err := url.Parse(text)
	if err != nil {
		return S3Config{}, fmt.Errorf("%w: %q is no URL", ErrInvalid, text)
	}
	cfg := S3Config{Bucket: u.Host, Prefix: strings.Trim(u.Path, "/")}
	if u.Scheme != "s3" || u.User != nil || u.Fragment != "" {
		return S3Config{}, fmt.Errorf("%w: %q; it is written s3://BUCKET/PREFIX", ErrInvalid, text)
	}
	style := ""
	for key, values := range u.Query() {
		switch value := values[len(values)-1]; key {
		case "endpoint":
			cfg.Endpoint = value
		case "region":
			cfg.Region = value
		case "path-style":
			style = value
		default:
			return S3Config{}, fmt.Errorf("%w: %q: %s is none of endpoint, region, path-style", ErrInvalid, text, key)
		}
	}
	if style != "" && style != "true" && style != "false" {
		return S3Config{}, fmt.Errorf("%w: %q: path-style is true or false", ErrInvalid, text)
	}
	cfg.PathStyle = style == "true" || style == "" && cfg.Endpoint != ""
	return cfg, cfg.check()
}

func (cfg S3Config) check() error {
	if n := len(cfg.Bucket); n < 3 || n > 63 || strings.Trim(cfg.Bucket, bucketBytes) != "" {
		return fmt.Errorf("%w: the bucket %q", ErrInvalid, cfg.Bucket)
	}
	if cfg.Prefix != "" {
		if err := CheckKey(cfg.Prefix); err != nil || len(cfg.Prefix) > PrefixBytesMax {
			return fmt.Errorf("%w: the prefix %q: up to %d small letters, digits and \"-_.=\" between slashes", ErrInvalid, cfg.Prefix, PrefixBytesMax)
		}
	}
	if cfg.Endpoint != "" {
		u, err := url.Parse(cfg.Endpoint)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return fmt.Errorf("%w: the endpoint %q is no URL of http or https", ErrInvalid, cfg.Endpoint)
		}
	}
	if (cfg.AccessKey == "") != (cfg.SecretKey == "") {
		return fmt.Errorf("%w: one of access key and secret key is missing", ErrInvalid)
	}
	return nil
}

const bucketBytes = "abcdefghijklmnopqrstuvwxyz0123456789-."

// NewS3 prepares access to a bucket. It connects to nothing: whether the bucket is
// there, the first request tells.
func NewS3(ctx context.Context, cfg S3Config) (*S3, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("objectstore: %w", err)
	}
	setDefault(&cfg.RequestTimeout, RequestTimeoutDefault)
	setDefault(&cfg.WritesMax, WritesMaxDefault)
	setDefault(&cfg.ReadsMax, ReadsMaxDefault)
	options := []func(*config.LoadOptions) error{
		config.WithRetryer(func() aws.Retryer { return aws.NopRetryer{} }),
		config.WithDefaultRegion(regionDefault),
		config.WithHTTPClient(httpClient(cfg)),
	}
	if cfg.Region != "" {
		options = append(options, config.WithRegion(cfg.Region))
	}
	if cfg.AccessKey != "" {
		options = append(options, config.WithCredentialsProvider(
			credentials.NewStaticCredentialsProvider(cfg.AccessKey, cfg.SecretKey, cfg.SessionToken)))
	}
	environment, err := config.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("objectstore: AWS's configuration: %w", err)
	}
	environment.Credentials = denied{environment.Credentials}
	s := &S3{cfg: cfg, writes: make(chan struct{}, cfg.WritesMax), reads: make(chan struct{}, cfg.ReadsMax)}
	s.api = s3.NewFromConfig(environment, s.options)
	return s, nil
}

func (s *S3) options(o *s3.Options) {
	if s.cfg.Endpoint != "" {
		o.BaseEndpoint = aws.String(s.cfg.Endpoint)
	}
	if s.cfg.Transport != nil {
		o.HTTPClient = &http.Client{Transport: s.cfg.Transport}
	}
	o.UsePathStyle = s.cfg.PathStyle
	// Some servers send the whole object's checksum with a part of it.
	o.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
	o.ContinueHeaderThresholdBytes = -1 // a round trip, and a second with servers that do not know it
	o.DisableLogOutputChecksumValidationSkipped = true
	if o.BaseEndpoint == nil || unseen(*o.BaseEndpoint) {
		// The checksum protects the body, and nobody is in between who could alter both; a
		// digest more costs this side and the server 6 ms of a core each for 8 MiB, 20 ms
		// where the processor has no help for it.
		o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
	}
}

// unseen tells whether what goes to an endpoint passes nobody: it goes by TLS, or stays
// on this machine.
func unseen(endpoint string) bool {
	u, err := url.Parse(endpoint)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || ip != nil && ip.IsLoopback()
}

func httpClient(cfg S3Config) aws.HTTPClient {
	return awshttp.NewBuildableClient().
		WithDialerOptions(func(d *net.Dialer) { d.Timeout = connectTimeout }).
		WithTransportOptions(func(t *http.Transport) {
			t.MaxIdleConnsPerHost = cfg.WritesMax + cfg.ReadsMax
			t.MaxIdleConns = t.MaxIdleConnsPerHost
			t.IdleConnTimeout = idleTimeout
			t.TLSHandshakeTimeout = connectTimeout
		})
}

func setDefault[T int | time.Duration](v *T, d T) {
	if *v <= 0 {
		*v = d
	}
}

// denied tells errors of finding credentials apart from those of the store.
type denied struct{ aws.CredentialsProvider }

func (d denied) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := d.CredentialsProvider.Retrieve(ctx)
	if err != nil {
		return c, fmt.Errorf("%w: no credentials were found: %w", ErrDenied, err)
	}
	return c, nil
}
