package main

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// object is a mapping whose keys keep their order.
type object struct {
	keys   []string
	values map[string]any
}

func (o *object) set(key string, value any) *object {
	if o.values == nil {
		o.values = make(map[string]any)
	}
	if _, ok := o.values[key]; !ok {
		o.keys = append(o.keys, key)
	}
	o.values[key] = value
	return o
}

func (o *object) at(key string) *object {
	if v, ok := o.values[key]; ok {
		return v.(*object)
	}
	v := &object{}
	o.set(key, v)
	return v
}

// MarshalYAML implements yaml.Marshaler.
func (o *object) MarshalYAML() (any, error) {
	node := &yaml.Node{Kind: yaml.MappingNode}
	for _, k := range o.keys {
		var key, value yaml.Node
		key.SetString(k)
		if err := value.Encode(o.values[k]); err != nil {
			return nil, err
		}
		node.Content = append(node.Content, &key, &value)
	}
	return node, nil
}

func obj(pairs ...any) *object {
	o := &object{}
	for i := 0; i < len(pairs); i += 2 {
		o.set(pairs[i].(string), pairs[i+1])
	}
	return o
}

// document gathers the OpenAPI document.
type document struct {
	paths, schemas *object
}

func openAPI(files []protoreflect.FileDescriptor) ([]byte, error) {
	d := &document{paths: &object{}, schemas: &object{}}
	var tags []any
	for _, f := range files {
		for i := range f.Services().Len() {
			s := f.Services().Get(i)
			tags = append(tags, obj("name", tagOf(s), "description", comment(s)))
			for j := range s.Methods().Len() {
				if err := d.method(s.Methods().Get(j)); err != nil {
					return nil, err
				}
			}
		}
	}
	d.schemas.set("Problem", problemSchema())
	root := obj(
		"openapi", "3.1.0",
		"info", obj("title", "Naru", "version", "v1",
			"description", "Topics, queues, groups, triggers and calls of a Naru broker. The same definition serves gRPC and Connect.",
			"license", obj("name", "Apache-2.0", "identifier", "Apache-2.0")),
		"servers", []any{obj("url", "http://127.0.0.1:8080")},
		"tags", tags, "paths", d.paths,
		"components", obj("schemas", d.schemas))
	var b bytes.Buffer
	b.WriteString("# Written by tools/apigen from naru/v1/*.proto.\n")
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(root); err != nil {
		return nil, err
	}
	return b.Bytes(), e.Close()
}

func tagOf(s protoreflect.ServiceDescriptor) string {
	return strings.TrimSuffix(string(s.Name()), "Service")
}

// comment is the comment above d, as one paragraph.
func comment(d protoreflect.Descriptor) string {
	text := d.ParentFile().SourceLocations().ByDescriptor(d).LeadingComments
	return strings.Join(strings.Fields(text), " ")
}

func (d *document) method(m protoreflect.MethodDescriptor) error {
	rule, err := httpRule(m)
	if err != nil || rule == nil {
		return err
	}
	for i, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
		if err := d.operation(m, r, i); err != nil {
			return fmt.Errorf("%s: %w", m.FullName(), err)
		}
	}
	return nil
}

// httpRule is the google.api.http option of m, or nil. The compiler's own copy of the
// option is of a dynamic type.
func httpRule(m protoreflect.MethodDescriptor) (*annotations.HttpRule, error) {
	raw, err := proto.Marshal(m.Options())
	if err != nil {
		return nil, err
	}
	var options descriptorpb.MethodOptions
	if err := proto.Unmarshal(raw, &options); err != nil {
		return nil, err
	}
	rule, _ := proto.GetExtension(&options, annotations.E_Http).(*annotations.HttpRule)
	return rule, nil
}

func verbAndPath(r *annotations.HttpRule) (verb, path string) {
	switch p := r.GetPattern().(type) {
	case *annotations.HttpRule_Get:
		return "get", p.Get
	case *annotations.HttpRule_Post:
		return "post", p.Post
	case *annotations.HttpRule_Put:
		return "put", p.Put
	case *annotations.HttpRule_Patch:
		return "patch", p.Patch
	case *annotations.HttpRule_Delete:
		return "delete", p.Delete
	}
	return "", ""
}

var pathVariable = regexp.MustCompile(`\{(\w+)\}`)

func (d *document) operation(m protoreflect.MethodDescriptor, r *annotations.HttpRule, index int) error {
	verb, path := verbAndPath(r)
	id := string(m.Name())
	if index > 0 {
		id += "One"
	}
	op := obj("operationId", id, "tags", []any{tagOf(m.Parent().(protoreflect.ServiceDescriptor))}, "description", comment(m))
	inPath := make(map[string]bool)
	var parameters []any
	for _, v := range pathVariable.FindAllStringSubmatch(path, -1) {
		f := m.Input().Fields().ByName(protoreflect.Name(v[1]))
		if f == nil {
			return fmt.Errorf("%s has no field %s", m.Input().FullName(), v[1])
		}
		inPath[v[1]] = true
		schema := d.schema(f)
		schema.set("minLength", 1)
		parameters = append(parameters, obj("name", v[1], "in", "path", "required", true, "schema", schema))
	}
	if r.GetBody() == "" {
		for i := range m.Input().Fields().Len() {
			f := m.Input().Fields().Get(i)
			if inPath[string(f.Name())] || index > 0 {
				continue
			}
			parameters = append(parameters, obj("name", f.JSONName(), "in", "query", "description", comment(f), "schema", d.fieldSchema(f)))
		}
	}
	produces := strings.HasSuffix(path, "/records") || strings.HasSuffix(path, "/messages")
	if verb == "post" && (produces || strings.HasSuffix(path, "/replies")) {
		parameters = append(parameters, obj("name", "Idempotency-Key", "in", "header",
			"description", "A repeated request with the same key sends nothing, and has the answer of the first.",
			"schema", obj("type", "string", "minLength", 1, "maxLength", 255)))
	}
	if len(parameters) > 0 {
		op.set("parameters", parameters)
	}
	if r.GetBody() != "" {
		content := obj("application/json", obj("schema", d.body(m.Input(), inPath)))
		if verb == "post" && produces {
			const text = "The value of one record, which keeps its media type. The query parameter key is its key; its other fields are parameters too."
			content.set("text/plain", obj("schema", obj("type", "string", "description", text)))
			content.set("application/octet-stream", obj("schema", obj("type", "string", "format", "binary", "description", text)))
		}
		op.set("requestBody", obj("required", false, "content", content))
	}
	content := obj("application/json", obj("schema", d.ref(m.Output())))
	if id == "Read" {
		content.set("text/event-stream", obj("schema", obj("type", "string", "description",
			"An event for each record as it comes: its data is a Record, and its id the cursor after it. Last-Event-ID resumes.")))
	}
	op.set("responses", obj(
		"200", obj("description", "Done.", "content", content),
		"default", obj("description", "Refused or failed.", "content", obj("application/json", obj("schema", obj("$ref", "#/components/schemas/Problem"))))))
	d.paths.at(path).set(verb, op)
	return nil
}

// body is the request's schema without what the path has.
func (d *document) body(m protoreflect.MessageDescriptor, without map[string]bool) *object {
	if len(without) == 0 {
		return d.ref(m)
	}
	return d.messageSchema(m, without)
}

func (d *document) ref(m protoreflect.MessageDescriptor) *object {
	if known := wellKnown(m); known != nil {
		return known
	}
	name := string(m.Name())
	if _, ok := d.schemas.values[name]; !ok {
		d.schemas.set(name, obj()) // it may refer to itself
		d.schemas.set(name, d.messageSchema(m, nil))
	}
	return obj("$ref", "#/components/schemas/"+name)
}

func (d *document) messageSchema(m protoreflect.MessageDescriptor, without map[string]bool) *object {
	s := obj("type", "object")
	if text := comment(m); text != "" {
		s.set("description", text)
	}
	properties := &object{}
	for i := range m.Fields().Len() {
		if f := m.Fields().Get(i); !without[string(f.Name())] {
			properties.set(f.JSONName(), d.fieldSchema(f))
		}
	}
	if len(properties.keys) > 0 {
		s.set("properties", properties)
	}
	s.set("additionalProperties", false)
	var not []any
	for i := range m.Oneofs().Len() {
		o := m.Oneofs().Get(i)
		if o.IsSynthetic() {
			continue
		}
		for a := range o.Fields().Len() {
			for b := range a {
				not = append(not, obj("not", obj("required", []any{o.Fields().Get(b).JSONName(), o.Fields().Get(a).JSONName()})))
			}
		}
	}
	if not != nil {
		s.set("allOf", not)
	}
	return s
}

func (d *document) fieldSchema(f protoreflect.FieldDescriptor) *object {
	var s *object
	switch {
	case f.IsMap():
		s = obj("type", "object", "additionalProperties", d.schema(f.MapValue()))
	case f.IsList():
		s = obj("type", "array", "items", d.schema(f))
	default:
		s = d.schema(f)
	}
	if text := comment(f); text != "" {
		s.set("description", text)
	}
	return s
}

// schema is that of one value (ProtoJSON mapping of proto3).
func (d *document) schema(f protoreflect.FieldDescriptor) *object {
	switch f.Kind() {
	case protoreflect.BoolKind:
		return obj("type", "boolean")
	case protoreflect.Int32Kind:
		return obj("type", "integer", "format", "int32", "minimum", -1<<31, "maximum", 1<<31-1)
	case protoreflect.Int64Kind:
		return obj("type", "string", "format", "int64", "pattern", "^(0|-?[1-9][0-9]{0,17})$")
	case protoreflect.BytesKind:
		return obj("type", "string", "contentEncoding", "base64", "pattern", "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$")
	case protoreflect.StringKind:
		return obj("type", "string")
	case protoreflect.MessageKind:
		return d.ref(f.Message())
	}
	panic(fmt.Sprintf("%s: kind %v has no schema", f.FullName(), f.Kind()))
}

func wellKnown(m protoreflect.MessageDescriptor) *object {
	switch m.FullName() {
	case "google.protobuf.Duration":
		return obj("type", "string", "pattern", `^-?[0-9]{1,9}(\.[0-9]{1,9})?s$`, "examples", []any{"1.5s"})
	case "google.protobuf.Timestamp":
		return obj("type", "string", "format", "date-time")
	}
	return nil
}

func problemSchema() *object {
	return obj("type", "object", "description", "An error; the code is one of gRPC's.",
		"required", []any{"code", "message"},
		"properties", obj(
			"code", obj("type", "string", "examples", []any{"not_found"}),
			"message", obj("type", "string"),
			"details", obj("type", "array", "items", obj("type", "object"))))
}
