package aws

import (
	"mime"
	"net/http"
	"strings"
)

// encoding is how the documents of a call are written.
type encoding struct {
	media  string
	cbor   bool
	millis bool // timestamps in CBOR are in milliseconds, not seconds
	rpc    bool // Smithy's RPC v2: the path names the action
}

const jsonMediaType = "application/x-amz-json-1.0"

// The encodings of calls that are not Query. Smithy, "AWS JSON 1.0 protocol", "AWS
// JSON 1.1 protocol", "Smithy RPC v2 CBOR". The second is described nowhere: it is
// what AWS's SDKs for Java send to Kinesis.
var (
	json10    = encoding{media: jsonMediaType}
	cborJava  = encoding{media: "application/x-amz-cbor-1.1", cbor: true, millis: true}
	cborRPC   = encoding{media: "application/cbor", cbor: true, rpc: true}
	encodings = map[string]encoding{
		"application/x-amz-json-1.1": {media: "application/x-amz-json-1.1"},
		cborJava.media:               cborJava,
	}
)

const (
	protocolHeader = "Smithy-Protocol"
	protocolRPC    = "rpc-v2-cbor"
)

// describe sets the headers that say how a document is written.
func (e encoding) describe(h http.Header) {
	h["Content-Type"] = []string{e.media}
	if e.rpc {
		h[protocolHeader] = []string{protocolRPC}
	}
}

// route finds the service and the action that a request names, and the encoding
// of its document. c.JSON stays false for a Query call.
func (s *Server) route(r *http.Request, c *Call) (Service, error) {
	target := r.Header.Get("X-Amz-Target")
	switch {
	case r.Header.Get(protocolHeader) == protocolRPC:
		// /service/SERVICE/operation/ACTION, perhaps after a prefix
		parts := strings.Split(r.URL.Path, "/")
		if n := len(parts); n >= 4 && parts[n-4] == "service" && parts[n-2] == "operation" {
			c.Service, c.Action = parts[n-3], parts[n-1]
		}
		c.encoding, target = cborRPC, c.Service+"."+c.Action
	case target != "":
		c.Service, c.Action, _ = strings.Cut(target, ".")
		media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if e, ok := encodings[media]; ok {
			c.encoding = e
		}
	default:
		return nil, nil
	}
	c.JSON = true
	service := s.cfg.Services[c.Service]
	if service == nil {
		return nil, &Error{Shape: "UnknownOperationException", Code: "InvalidAction", Message: "The service " + clip(target) + " is not served here.", Common: true, Status: 404}
	}
	if _, typed := service.(Typed); !typed {
		refused := c.encoding.cbor
		if c.encoding = json10; refused {
			return service, &Error{Shape: "UnknownOperationException", Code: "InvalidAction", Message: "The service " + clip(c.Service) + " is not served in CBOR.", Common: true, Status: 404}
		}
	}
	return service, nil
}
