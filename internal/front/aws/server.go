package aws

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"runtime/debug"
	"sync"
	"time"
)

const (
	// bodyBytesMax bounds a request whose service does not say: 1 MiB of messages,
	// each byte of which a client may write as six.
	bodyBytesMax = 8 << 20
	// smallBytesMax is up to what a body is small. Of larger ones, and of those
	// whose length is not said, largeRequestsMax are held at once; more wait.
	smallBytesMax    = 64 << 10
	largeRequestsMax = 64
	// firstBytesMax is what is allocated before a body's first byte is there.
	firstBytesMax = 1 << 20

	defaultRegion = "us-east-1"
)

// Config of an endpoint.
type Config struct {
	Services map[string]Service // by the part of X-Amz-Target before the dot
	Query    Service            // answers Query calls
	Keys     *Keys              // nil: any credentials will do
	Now      func() time.Time   // default time.Now
	Log      *slog.Logger
	Observer Observer
}

// Observer is told what happens, for metrics. Each func may be nil.
type Observer struct {
	Done func(action string, failed bool, took time.Duration)
}

// Server is the endpoint: an http.Handler.
type Server struct {
	cfg      Config
	verifier verifier
	large    chan struct{} // a slot for each large request
}

// NewServer returns an endpoint.
func NewServer(cfg Config) *Server {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Server{cfg: cfg, verifier: verifier{keys: cfg.Keys}, large: make(chan struct{}, largeRequestsMax)}
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := s.cfg.Now()
	c := &Call{RequestID: newRequestID(), Trace: r.Header.Get("X-Amzn-Trace-Id"), Path: r.URL.Path, Base: baseOf(r), Region: defaultRegion, encoding: json10}
	defer func() {
		if p := recover(); p != nil {
			if p == http.ErrAbortHandler {
				panic(p)
			}
			s.cfg.Log.Error("aws: internal error", "panic", p, "stack", string(debug.Stack()))
			s.refuse(w, nil, c, internalError())
		}
	}()
	if r.ContentLength < 0 || r.ContentLength > smallBytesMax {
		select {
		case s.large <- struct{}{}:
			c.free = sync.OnceFunc(func() { <-s.large })
			defer c.free()
		case <-r.Context().Done():
			return
		}
	}
	service, err := s.read(w, r, c)
	if err == nil {
		err = s.serve(w, r, service, c)
	}
	if err != nil {
		s.refuse(w, service, c, err)
	}
	if f := s.cfg.Observer.Done; f != nil && c.Action != "" {
		f(c.Action, err != nil, s.cfg.Now().Sub(began))
	}
}

// read takes the request apart and finds who answers it.
func (s *Server) read(w http.ResponseWriter, r *http.Request, c *Call) (Service, error) {
	service, failed := s.route(r, c)
	if s.cfg.Keys == nil && fromWebPage(r.Header) {
		return nil, denied("AccessDeniedException", "AccessDenied", "Requests of web pages are refused while there are no access keys.")
	}
	who, err := s.verifier.identify(r, s.cfg.Now())
	if err != nil {
		return service, err
	}
	bytesMax := int64(bodyBytesMax)
	if t, ok := service.(Typed); ok {
		bytesMax = t.BodyBytesMax()
	}
	body, err := readBody(w, r, bytesMax)
	if err != nil {
		return service, err
	}
	if err := s.verifier.verify(r, body, &who); err != nil {
		return service, err
	}
	if who.region != "" {
		c.Region = who.region
	}
	if !c.JSON {
		return s.readForm(r, c, body)
	}
	c.Body = body
	return service, failed
}

func (s *Server) readForm(r *http.Request, c *Call, body []byte) (Service, error) {
	media, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	form := r.URL.Query()
	if r.Method == http.MethodPost && (media == "application/x-www-form-urlencoded" || media == "") {
		posted, err := url.ParseQuery(string(body))
		if err != nil {
			return nil, &Error{Shape: "MalformedQueryString", Message: "The query string contains a syntax error.", Common: true}
		}
		for k, v := range posted {
			form[k] = v
		}
	}
	if len(form) > formFieldsMax {
		return nil, &Error{Shape: "MalformedQueryString", Message: fmt.Sprintf("More than %d parameters.", formFieldsMax), Common: true}
	}
	c.Form, c.Action = form, form.Get("Action")
	if c.Action == "" {
		return nil, &Error{Shape: "MissingAction", Message: "The request is missing an action or a required parameter.", Common: true}
	}
	if s.cfg.Query == nil {
		return nil, &Error{Shape: "InvalidAction", Message: "The action " + clip(c.Action) + " is not valid for this endpoint.", Common: true}
	}
	return s.cfg.Query, nil
}

// formFieldsMax is more than any action's parameters.
const formFieldsMax = 1_000

// fromWebPage tells whether a browser sent a request on behalf of a page. Any page
// may send a form to a port of the user's own machine, where nothing but the
// network protects a server without keys. Browsers say so themselves (Fetch
// standard, "Origin"; Fetch Metadata, "Sec-Fetch-Site"); SDKs send neither.
func fromWebPage(h http.Header) bool {
	site := h.Get("Sec-Fetch-Site") // "none": the user typed the address
	return h.Get("Origin") != "" || site != "" && site != "none"
}

func readBody(w http.ResponseWriter, r *http.Request, bytesMax int64) ([]byte, error) {
	r.Body = http.MaxBytesReader(w, r.Body, bytesMax)
	var in bytes.Buffer
	// A length that is only claimed costs no more than firstBytesMax.
	in.Grow(int(min(max(r.ContentLength, 0), firstBytesMax)) + bytes.MinRead)
	_, err := in.ReadFrom(r.Body)
	b := in.Bytes()
	if n := r.ContentLength; err == nil && n > int64(len(b)) {
		err = io.ErrUnexpectedEOF
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &Error{Shape: "RequestEntityTooLarge", Message: fmt.Sprintf("The request is longer than %d bytes.", bytesMax), Status: 413, Common: true}
	case err != nil:
		return nil, &Error{Shape: "IncompleteBody", Message: "The request ended before its content did.", Common: true}
	}
	return b, nil
}

// baseOf is the address that the client used.
func baseOf(r *http.Request) string {
	scheme := "http://"
	if r.TLS != nil || r.Header.Get("X-Forwarded-Proto") == "https" {
		scheme = "https://"
	}
	return scheme + r.Host
}

// newRequestID need not be a secret, only different.
func newRequestID() string {
	var raw [16]byte
	for i := 0; i < 16; i += 8 {
		v := rand.Uint64()
		for j := range 8 {
			raw[i+j] = byte(v >> (8 * j))
		}
	}
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	var b [36]byte
	hex.Encode(b[0:], raw[0:4])
	hex.Encode(b[9:], raw[4:6])
	hex.Encode(b[14:], raw[6:8])
	hex.Encode(b[19:], raw[8:10])
	hex.Encode(b[24:], raw[10:])
	b[8], b[13], b[18], b[23] = '-', '-', '-', '-'
	return string(b[:])
}

// clip shortens what a client sent, so that an answer can quote it.
func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
