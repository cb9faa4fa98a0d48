package management

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/narumq/naru/internal/user"
)

// Server answers the management API. It is an http.Handler for paths under /api/.
type Server struct {
	cfg    Config
	log    *slog.Logger
	routes []route
	rates  rates
}

// NewServer returns a server. What cfg holds outlives it.
func NewServer(cfg Config) *Server {
	s := &Server{cfg: cfg, log: cfg.Log, routes: routes()}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	return s
}

// object is JSON's.
type object = map[string]any

// reply is what a function answers. The zero reply is 204.
type reply struct {
	status   int // 0: 200 with a body, else 204
	body     any // nil: none
	location string
}

// call is a request.
type call struct {
	*Server
	r     *http.Request
	user  *user.User
	vars  map[string]string // of the path
	query url.Values
}

// handler is the function of a path and a method.
type handler func(c *call) (reply, error)

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// As RabbitMQ's: nothing here is to be kept or framed.
	h := w.Header()
	h.Set("Cache-Control", "no-cache")
	h.Set("Vary", "accept, accept-encoding, origin")
	out, err := s.answer(r)
	if err != nil {
		p := s.problemOf(err)
		if p.status == http.StatusUnauthorized {
			h.Set("WWW-Authenticate", `Basic realm="RabbitMQ Management"`)
		}
		if p.status >= http.StatusInternalServerError {
			s.log.Warn("management: request failed", "method", r.Method, "path", r.URL.Path, "error", err)
		}
		out = reply{status: p.status, body: p.body()}
	}
	if out.location != "" {
		h.Set("Location", out.location)
	}
	s.write(w, r, out)
}

func (s *Server) write(w http.ResponseWriter, r *http.Request, out reply) {
	if out.body == nil {
		if out.status == 0 {
			out.status = http.StatusNoContent
		}
		w.WriteHeader(out.status)
		return
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false) // names of connections have arrows
	if err := e.Encode(out.body); err != nil {
		s.log.Error("management: an answer cannot be written", "path", r.URL.Path, "error", err)
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	if out.status == 0 {
		out.status = http.StatusOK
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(out.status)
	w.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}

func (s *Server) answer(r *http.Request) (reply, error) {
	if err := mayAsk(r); err != nil {
		return reply{}, err
	}
	u, err := s.login(r)
	if err != nil {
		return reply{}, err
	}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/api/")
	if !ok {
		return reply{}, errNotFound
	}
	route, vars := find(s.routes, path)
	if route == nil {
		return reply{}, errNotFound
	}
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	op, ok := route.methods[method]
	if !ok {
		return reply{}, &problem{status: http.StatusMethodNotAllowed}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return reply{}, badRequest("query: %v", err)
	}
	c := &call{Server: s, r: r, user: u, vars: vars, query: query}
	if err := c.mayCall(op.who); err != nil {
		return reply{}, err
	}
	return op.do(c)
}

// decode reads the body into v; without a body v stays as it is.
func (c *call) decode(v any) error {
	return c.decodeUpTo(v, bodyBytesMax)
}

func (c *call) decodeUpTo(v any, most int64) error {
	body := http.MaxBytesReader(nil, c.r.Body, most)
	d := json.NewDecoder(body)
	d.UseNumber()
	err := d.Decode(v)
	var tooLarge *http.MaxBytesError
	var kind *json.UnmarshalTypeError
	var p *problem
	switch {
	case errors.As(err, &p):
		return p
	case err == nil, errors.Is(err, io.EOF): // or there is no body
		return nil
	case errors.As(err, &tooLarge):
		return &problem{http.StatusRequestEntityTooLarge, "bad_request", "body of more than the allowed size"}
	case errors.As(err, &kind):
		return badRequest("%s cannot be a JSON %s", kind.Field, kind.Value)
	}
	return badRequest("not_json")
}
