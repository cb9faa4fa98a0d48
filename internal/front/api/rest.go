package api

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	naruv1 "github.com/narumq/naru/api/naru/v1"
)

// method is a function of the API as rest.go calls it.
type method struct {
	in   func() proto.Message
	call func(context.Context, proto.Message) (proto.Message, error)
}

func unary[In, Out any, PIn interface {
	*In
	proto.Message
}, POut interface {
	*Out
	proto.Message
}](f func(context.Context, PIn) (POut, error)) method {
	return method{
		in: func() proto.Message { return PIn(new(In)) },
		call: func(ctx context.Context, in proto.Message) (proto.Message, error) {
			out, err := f(ctx, in.(PIn))
			if err != nil {
				return nil, err
			}
			return out, nil
		},
	}
}

// route is a path and a verb of HTTP, and the method that they stand for.
type route struct {
	method
	name string
	vars []protoreflect.FieldDescriptor
	body bool
	out  layout
}

// router finds routes. In a path every second segment after the version is a name:
// /v1/topics/NAME/records. What follows a colon in the last segment is a verb.
type router struct {
	s      *Server
	routes map[string]map[string]*route // by shape, then by verb of HTTP
}

func (rt *router) init(s *Server) {
	rt.s, rt.routes = s, make(map[string]map[string]*route)
	methods := s.methods()
	for _, f := range []protoreflect.FileDescriptor{
		naruv1.File_naru_v1_topics_proto, naruv1.File_naru_v1_queues_proto, naruv1.File_naru_v1_groups_proto,
		naruv1.File_naru_v1_calls_proto, naruv1.File_naru_v1_system_proto, naruv1.File_naru_v1_triggers_proto,
		naruv1.File_naru_v1_users_proto,
	} {
		for i := range f.Services().Len() {
			list := f.Services().Get(i).Methods()
			for j := range list.Len() {
				if m, ok := methods[string(list.Get(j).Name())]; ok {
					rt.add(list.Get(j), m)
				}
			}
		}
	}
}

func (rt *router) add(d protoreflect.MethodDescriptor, m method) {
	rule, _ := proto.GetExtension(d.Options(), annotations.E_Http).(*annotations.HttpRule)
	if rule == nil {
		return
	}
	for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		verb, path := verbAndPath(r)
		out := &route{method: m, name: string(d.Name()), body: r.GetBody() != "", out: layoutOf(d.Output())}
		for _, segment := range strings.Split(path, "/") {
			if name, rest, ok := strings.Cut(strings.TrimPrefix(segment, "{"), "}"); ok && segment[0] == '{' {
				out.vars = append(out.vars, d.Input().Fields().ByName(protoreflect.Name(name)))
				path = strings.Replace(path, segment, "*"+rest, 1)
			}
		}
		if rt.routes[path] == nil {
			rt.routes[path] = make(map[string]*route)
		}
		rt.routes[path][verb] = out
	}
}

func verbAndPath(r *annotations.HttpRule) (verb, path string) {
	switch p := r.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return http.MethodGet, p.Get
	case *annotations.HttpRule_Post:
		return http.MethodPost, p.Post
	case *annotations.HttpRule_Patch:
		return http.MethodPatch, p.Patch
	case *annotations.HttpRule_Delete:
		return http.MethodDelete, p.Delete
	}
	panic("api: a rule of another kind")
}

const segmentsMax = 8

// shape is the path with names replaced by *, and the names.
func shape(escaped string) (string, []string, error) {
	var b strings.Builder
	var names []string
	b.Grow(len(escaped))
	last := strings.Count(escaped, "/") - 1
	if last >= segmentsMax {
		return "", nil, errNoPath
	}
	i := -1
	for segment := range strings.SplitSeq(escaped[1:], "/") {
		i++
		b.WriteByte('/')
		verb := ""
		if i == last {
			if at := strings.LastIndexByte(segment, ':'); at >= 0 {
				segment, verb = segment[:at], segment[at:]
			}
		}
		if i < 2 || i%2 == 1 {
			b.WriteString(segment)
		} else {
			name, err := url.PathUnescape(segment)
			if err != nil || name == "" {
				return "", nil, errNoPath
			}
			names = append(names, name)
			b.WriteByte('*')
		}
		b.WriteString(verb)
	}
	return b.String(), names, nil
}

// ServeHTTP implements http.Handler.
func (rt *router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			refuse(w, rt.s.recovered(r.URL.Path, p))
		} else if p != nil {
			panic(p)
		}
	}()
	if err := rt.serve(w, r); err != nil {
		err = translate{rt.s}.err(r.Method+" "+r.URL.Path, err)
		refuse(w, err)
	}
}

func (rt *router) serve(w http.ResponseWriter, r *http.Request) error {
	path, names, err := shape(r.URL.EscapedPath())
	if err != nil {
		return err
	}
	if path == "/v1/queues/*/messages:consume" && r.Method == http.MethodGet {
		return rt.s.serveWebSocket(w, r, names[0])
	}
	verbs := rt.routes[path]
	if verbs == nil {
		return fmt.Errorf("%w: %s", errNoPath, r.URL.Path)
	}
	verb := r.Method
	if verb == http.MethodHead {
		verb = http.MethodGet
	}
	to := verbs[verb]
	if to == nil {
		var allowed []string
		for v := range verbs {
			allowed = append(allowed, v)
		}
		slices.Sort(allowed)
		w.Header().Set("Allow", strings.Join(allowed, ", "))
		return fmt.Errorf("%w: %s has %s", errMethod, r.URL.Path, strings.Join(allowed, ", "))
	}
	if to.name == "Read" && r.Method == http.MethodGet && wantsEvents(r.Header.Get("Accept")) {
		return rt.s.serveEvents(w, r, names[0])
	}
	if err := acceptable(r.Header.Get("Accept")); err != nil {
		return err
	}
	in := to.in()
	if err := to.read(w, r, in); err != nil {
		return err
	}
	for i, f := range to.vars {
		if err := setField(in.ProtoReflect(), f, names[i]); err != nil {
			return err
		}
	}
	out, err := to.call(r.Context(), in)
	if err != nil {
		return err
	}
	return to.answer(w, out)
}

// buffers hold bodies while a request is decoded or an answer written.
var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

func putBuffer(b *bytes.Buffer) {
	if b.Cap() <= smallBytesMax {
		b.Reset()
		buffers.Put(b)
	}
}

func (to *route) answer(w http.ResponseWriter, out proto.Message) error {
	b := buffers.Get().(*bytes.Buffer)
	defer putBuffer(b)
	text, err := to.out.marshal(b.AvailableBuffer(), out)
	if err != nil {
		return err
	}
	b.Write(append(text, '\n'))
	w.Header()["Content-Type"] = isJSON
	w.Write(b.Bytes())
	return nil
}

var isJSON = []string{jsonType}

const (
	jsonType      = "application/json"
	versionedType = "application/vnd.naru.v1+json"
)

// acceptable tells whether the client takes what this version of the API answers.
func acceptable(accept string) error {
	if accept == "" {
		return nil
	}
	for part := range strings.SplitSeq(accept, ",") {
		switch t, ok := wanted(part); {
		case ok && (t == "*/*" || t == "application/*" || t == jsonType || t == versionedType):
			return nil
		}
	}
	return fmt.Errorf("%w: %q, there is %s (%s)", errAccept, accept, jsonType, versionedType)
}

// wanted reads one media type of an Accept header; false if it is refused there.
func wanted(part string) (string, bool) {
	t, parameters, _ := strings.Cut(part, ";")
	for p := range strings.SplitSeq(parameters, ";") {
		if q, ok := strings.CutPrefix(strings.TrimSpace(p), "q="); ok && strings.Trim(q, "0.") == "" {
			return "", false
		}
	}
	return strings.TrimSpace(t), true
}

// wantsEvents tells whether an Accept header asks for Server-Sent Events.
func wantsEvents(accept string) bool {
	for part := range strings.SplitSeq(accept, ",") {
		if t, ok := wanted(part); ok && t == "text/event-stream" {
			return true
		}
	}
	return false
}

// read decodes what the request says beside its path.
func (to *route) read(w http.ResponseWriter, r *http.Request, in proto.Message) error {
	buffer := buffers.Get().(*bytes.Buffer)
	defer putBuffer(buffer)
	body, err := readBody(w, r, buffer)
	if err != nil {
		return err
	}
	if !to.body {
		if len(body) > 0 {
			return invalid("%s takes no body", to.name)
		}
		return setQuery(in.ProtoReflect(), r.URL.Query())
	}
	if e := r.Header.Get("Content-Encoding"); e != "" && e != "identity" {
		return fmt.Errorf("%w: content encoding %q", errMediaType, e)
	}
	t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	raw := err == nil && (strings.HasPrefix(t, "text/") || t == "application/octet-stream")
	switch {
	case raw && takesRaw(in):
		return setRaw(in, bytes.Clone(body), r) // it is kept
	case len(body) == 0:
		return nil
	case err == nil && (t == jsonType || t == versionedType):
		return decodeJSON(body, in)
	}
	return fmt.Errorf("%w: %q, want %s", errMediaType, r.Header.Get("Content-Type"), jsonType)
}

func decodeJSON(body []byte, in proto.Message) error {
	if err := protojson.Unmarshal(body, in); err != nil {
		return fmt.Errorf("%w: %s", errInvalid, strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto: "))
	}
	return nil
}

// readBody reads the body into b, which keeps it.
func readBody(w http.ResponseWriter, r *http.Request, b *bytes.Buffer) ([]byte, error) {
	if r.ContentLength == 0 || r.Body == nil {
		return nil, nil
	}
	if r.ContentLength > requestBytesMax {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", errTooLarge, r.ContentLength, requestBytesMax)
	}
	if r.ContentLength > 0 {
		b.Grow(int(min(r.ContentLength, smallBytesMax)) + bytes.MinRead)
	}
	if _, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, requestBytesMax)); err != nil {
		if _, ok := err.(*http.MaxBytesError); ok {
			return nil, fmt.Errorf("%w: at most %d bytes are allowed", errTooLarge, requestBytesMax)
		}
		if errors.Is(err, errSlow) {
			return nil, err
		}
		return nil, invalid("read the body: %v", err)
	}
	return b.Bytes(), nil
}
