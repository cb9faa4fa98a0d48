// Package sdk is what programs that use the AWS SDK for Go have in common.
package sdk

import (
	"bytes"
	"io"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
)

// whole sends requests whose bodies it has read before.
//
// The SDK closes a request's body as soon as the answer is there. Where the
// server was quicker than the transport, which looks once more whether all of the
// body was sent, the transport takes that for a failure to send it, and ends the
// connection while the SDK reads the answer: "use of closed network connection".
type whole struct{ client aws.HTTPClient }

// HTTP returns a client for the SDK's options that does not fail when a server answers quickly.
func HTTP() aws.HTTPClient { return whole{awshttp.NewBuildableClient()} }

func (w whole) Do(r *http.Request) (*http.Response, error) {
	if r.Body == nil || r.Body == http.NoBody {
		return w.client.Do(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	r = r.WithContext(r.Context()) // a copy: the body that it came with is the SDK's to close
	r.Body = io.NopCloser(bytes.NewReader(body))
	return w.client.Do(r)
}
