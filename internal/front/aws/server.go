package aws

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"mime"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"
)

const (
	// bodyBytesMax bounds a request: 1 MiB of messages, each byte of which a client
	// may write as six.
	bodyBytesMax = 8 << 20
	// smallBytesMax is up to what a body is small. Of larger ones, and of those
	// whose length is not said, largeRequestsMax are held at once; more wait.
	smallBytesMax    = 64 << 10
	largeRequestsMax = 64

	defaultRegion  = "us-east-1"
	jsonMediaType  = "application/x-amz-json-1.0"
	commonErrorsNS = "com.amazon.coral.service"
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
	c := &Call{RequestID: newRequestID(), Trace: r.Header.Get("X-Amzn-Trace-Id"), Path: r.URL.Path, Base: baseOf(r), Region: defaultRegion}
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
			defer func() { <-s.large }()
		case <-r.Context().Done():
			return
		}
	}
	service, err := s.read(w, r, c)
	var doc []byte
	if err == nil {
		doc, err = service.Serve(r.Context(), c)
	}
	if err != nil {
		s.refuse(w, service, c, err)
	} else {
		s.answer(w, service, c, doc)
	}
	if f := s.cfg.Observer.Done; f != nil && c.Action != "" {
		f(c.Action, err != nil, s.cfg.Now().Sub(began))
	}
}

// read takes the request apart and finds who answers it.
func (s *Server) read(w http.ResponseWriter, r *http.Request, c *Call) (Service, error) {
	target := r.Header.Get("X-Amz-Target")
	c.JSON = target != ""
	if s.cfg.Keys == nil && fromWebPage(r.Header) {
		return nil, denied("AccessDeniedException", "AccessDenied", "Requests of web pages are refused while there are no access keys.")
	}
	who, err := s.verifier.identify(r, s.cfg.Now())
	if err != nil {
		return nil, err
	}
	body, err := readBody(w, r)
	if err != nil {
		return nil, err
	}
	if err := s.verifier.verify(r, body, &who); err != nil {
		return nil, err
	}
	if who.region != "" {
		c.Region = who.region
	}
	if !c.JSON {
		return s.readForm(r, c, body)
	}
	c.Service, c.Action, _ = strings.Cut(target, ".")
	c.Body = body
	service := s.cfg.Services[c.Service]
	if service == nil {
		return nil, &Error{Shape: "UnknownOperationException", Code: "InvalidAction", Message: "The service " + clip(target) + " is not served here.", Common: true, Status: 404}
	}
	return service, nil
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

func readBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	r.Body = http.MaxBytesReader(w, r.Body, bodyBytesMax)
	var b []byte
	var err error
	if n := r.ContentLength; n > 0 && n <= smallBytesMax {
		b = make([]byte, n)
		_, err = io.ReadFull(r.Body, b)
	} else {
		b, err = io.ReadAll(r.Body)
	}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, &Error{Shape: "RequestEntityTooLarge", Message: fmt.Sprintf("The request is longer than %d bytes.", bodyBytesMax), Status: 413, Common: true}
	case err != nil:
		return nil, &Error{Shape: "IncompleteBody", Message: "The request ended before its content did.", Common: true}
	}
	return b, nil
}

// answer sends a document.
func (s *Server) answer(w http.ResponseWriter, service Service, c *Call, doc []byte) {
	h := w.Header()
	h["X-Amzn-Requestid"] = []string{c.RequestID}
	if c.JSON {
		h["Content-Type"] = []string{jsonMediaType}
	} else {
		h["Content-Type"] = []string{"text/xml"}
		_, ns := service.Namespace()
		var b bytes.Buffer
		fmt.Fprintf(&b, `<?xml version="1.0"?><%sResponse xmlns="%s">`, c.Action, ns)
		b.Write(doc)
		fmt.Fprintf(&b, `<ResponseMetadata><RequestId>%s</RequestId></ResponseMetadata></%sResponse>`, c.RequestID, c.Action)
		doc = b.Bytes()
	}
	w.Write(doc)
}

// refuse sends an error in the form of the call's protocol.
func (s *Server) refuse(w http.ResponseWriter, service Service, c *Call, err error) {
	var e *Error
	if !errors.As(err, &e) {
		if errors.Is(err, context.Canceled) {
			panic(http.ErrAbortHandler) // nobody is there to be told
		}
		s.cfg.Log.Error("aws: unexpected error", "action", c.Action, "err", err)
		e = internalError()
	}
	if e.status() == http.StatusInternalServerError {
		s.cfg.Log.Error("aws: call failed", "action", c.Action, "request", c.RequestID, "err", e.Message)
	}
	h := w.Header()
	h.Set("X-Amzn-Requestid", c.RequestID)
	shapes, ns := commonErrorsNS, ""
	if service != nil {
		var own string
		own, ns = service.Namespace()
		if !e.Common {
			shapes = own
		}
	}
	if !c.JSON {
		h.Set("Content-Type", "text/xml")
		w.WriteHeader(e.status())
		fmt.Fprintf(w, `<?xml version="1.0"?><ErrorResponse xmlns="%s"><Error><Type>%s</Type><Code>%s</Code><Message>%s</Message><Detail/></Error><RequestId>%s</RequestId></ErrorResponse>`,
			ns, e.party(), escapeXML(e.code()), escapeXML(e.Message), c.RequestID)
		return
	}
	h.Set("Content-Type", jsonMediaType)
	h.Set("X-Amzn-Query-Error", e.code()+";"+e.party())
	w.WriteHeader(e.status())
	doc, _ := json.Marshal(struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{shapes + "#" + e.Shape, e.Message})
	w.Write(doc)
}

func escapeXML(s string) string {
	var b strings.Builder
	xml.EscapeText(&b, []byte(s))
	return b.String()
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
