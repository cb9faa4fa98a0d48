package aws

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	wire "github.com/narumq/naru/internal/wire/aws"
)

// typedStub answers with what it was called with, in the call's encoding, and
// streams it.
type typedStub struct{}

type typedDoc struct {
	Text string `json:",omitempty"`
	Blob []byte `json:",omitempty"`
	At   *Time  `json:",omitempty"`
}

func (typedStub) Namespace() (string, string) { return "", "" }
func (typedStub) BodyBytesMax() int64         { return 1 << 10 }

func (typedStub) Serve(_ context.Context, c *Call) ([]byte, error) {
	var in typedDoc
	if err := Unmarshal(c, &in); err != nil {
		return nil, err
	}
	switch c.Action {
	case "Nothing":
		return Marshal(c, nil)
	case "Refuse":
		return nil, &Error{Shape: "MyException", Message: "no"}
	}
	return Marshal(c, &in)
}

func (typedStub) Streams(action string) bool { return strings.HasPrefix(action, "Stream") }

func (typedStub) ServeStream(_ context.Context, c *Call, w *EventWriter) error {
	if c.Action == "StreamRefused" {
		return &Error{Shape: "MyException", Message: "no"}
	}
	if err := errors.Join(w.Begin(), w.Event("MyEvent", &typedDoc{Text: "a"})); err != nil {
		return err
	}
	if c.Action == "StreamFails" {
		return &Error{Shape: "MyException", Message: "late"}
	}
	return nil
}

// post sends a request, and returns the answer in one line.
func post(s http.Handler, path string, body []byte, headers ...string) string {
	r := httptest.NewRequest("POST", path, bytes.NewReader(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	h := w.Header()
	return strings.Join(strings.Fields(fmt.Sprintf("%d %s %s %s %q", w.Code, h.Get("Content-Type"), h.Get("Smithy-Protocol"), h.Get("X-Amzn-Errortype"), w.Body)), " ")
}

func TestEncodings(t *testing.T) {
	s := NewServer(Config{Services: map[string]Service{"Typed": typedStub{}, "Stub": stub{}}})
	doc := typedDoc{"나루", []byte{0, 255}, &Time{Time: time.UnixMilli(1500)}}
	seconds, millis := wire.EncodeCBOR(nil, &doc, false), wire.EncodeCBOR(nil, &doc, true)
	refusal := wire.EncodeCBOR(nil, &struct {
		Type    string `json:"__type"`
		Message string `json:"message"`
	}{"MyException", "no"}, false)
	const target, media, j11, cbor = "X-Amz-Target", "Content-Type", "application/x-amz-json-1.1", "application/x-amz-cbor-1.1"
	for _, test := range []struct {
		path    string
		body    []byte
		headers []string
		want    string
	}{
		{"/", []byte(`{"Text":"나루","Blob":"AP8=","At":1.5}`), []string{target, "Typed.Echo", media, j11}, `200 ` + j11 + ` "{\"Text\":\"나루\",\"Blob\":\"AP8=\",\"At\":1.5}"`},
		{"/", millis, []string{target, "Typed.Echo", media, cbor}, fmt.Sprintf("200 %s %q", cbor, millis)},
		{"/service/Typed/operation/Echo", seconds, []string{"Smithy-Protocol", "rpc-v2-cbor", media, "application/cbor"}, fmt.Sprintf("200 application/cbor rpc-v2-cbor %q", seconds)},
		{"/", nil, []string{target, "Typed.Nothing", media, j11}, `200 ` + j11 + ` ""`},
		{"/", nil, []string{target, "Typed.Refuse", media, j11}, `400 ` + j11 + ` MyException "{\"__type\":\"MyException\",\"message\":\"no\"}"`},
		{"/", nil, []string{target, "Typed.Refuse", media, cbor}, fmt.Sprintf("400 %s MyException %q", cbor, refusal)},
		{"/service/Typed/operation/Refuse", nil, []string{"Smithy-Protocol", "rpc-v2-cbor"}, fmt.Sprintf("400 application/cbor rpc-v2-cbor MyException %q", refusal)},
		{"/", []byte(`{"Text":1}`), []string{target, "Typed.Echo", media, j11}, `400 ` + j11 + ` SerializationException "{\"__type\":\"SerializationException\",\"message\":\"NUMBER_VALUE can not be converted to a String\"}"`},
		{"/", make([]byte, 1<<10+1), []string{target, "Typed.Echo", media, j11}, `413 ` + j11 + ` RequestEntityTooLarge "{\"__type\":\"RequestEntityTooLarge\",\"message\":\"The request is longer than 1024 bytes.\"}"`},
		{"/", millis, []string{target, "Stub.Echo", media, cbor}, `404 ` + jsonMediaType + ` "{\"__type\":\"com.amazon.coral.service#UnknownOperationException\",\"message\":\"The service Stub is not served in CBOR.\"}"`},
		{"/service/None/operation/Echo", nil, []string{"Smithy-Protocol", "rpc-v2-cbor"}, `404 application/cbor rpc-v2-cbor `},
		{"/service/Typed", nil, []string{"Smithy-Protocol", "rpc-v2-cbor"}, `404 application/cbor rpc-v2-cbor `},
	} {
		if got := post(s, test.path, test.body, test.headers...); !strings.HasPrefix(got, test.want) {
			t.Errorf("%s %v\n got %s\nwant %s", test.path, test.headers, got, test.want)
		}
	}
}

// messages takes an event stream apart, as "name=value … payload".
func messages(t *testing.T, b []byte) (out []string) {
	for len(b) > 0 {
		total, n := binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])
		headers, line := b[12:12+n], ""
		for len(headers) > 0 {
			name := headers[1 : 1+headers[0]]
			size := binary.BigEndian.Uint16(headers[2+headers[0]:])
			value := headers[4+int(headers[0]):][:size]
			line += string(name) + "=" + string(value) + " "
			headers = headers[4+int(headers[0])+int(size):]
		}
		out = append(out, line+string(b[12+n:total-4]))
		b = b[total:]
	}
	return out
}

func TestEventStreams(t *testing.T) {
	s := NewServer(Config{Services: map[string]Service{"Typed": typedStub{}}})
	const event = ":event-type=%s :content-type=application/x-amz-json-1.1 :message-type=event %s"
	for action, want := range map[string][]string{
		"Stream":      {fmt.Sprintf(event, "initial-response", "{}"), fmt.Sprintf(event, "MyEvent", `{"Text":"a"}`)},
		"StreamFails": {fmt.Sprintf(event, "initial-response", "{}"), fmt.Sprintf(event, "MyEvent", `{"Text":"a"}`), `:exception-type=MyException :content-type=application/x-amz-json-1.1 :message-type=exception {"__type":"MyException","message":"late"}`},
	} {
		r := httptest.NewRequest("POST", "/", nil)
		r.Header.Set("X-Amz-Target", "Typed."+action)
		r.Header.Set("Content-Type", "application/x-amz-json-1.1")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if got := strings.Join(messages(t, w.Body.Bytes()), "\n"); got != strings.Join(want, "\n") {
			t.Errorf("%s:\n%s\nwant\n%s", action, got, strings.Join(want, "\n"))
		}
		if got := w.Header().Get("Content-Type"); w.Code != 200 || got != wire.EventStream {
			t.Errorf("%s: %d %s", action, w.Code, got)
		}
	}
	if got := post(s, "/", nil, "X-Amz-Target", "Typed.StreamRefused"); !strings.HasPrefix(got, "400 application/x-amz-json-1.0 MyException") {
		t.Error(got)
	}
}

// Over HTTP/2 the host is a pseudo-header, which may be signed instead; over
// HTTP/1.1 nobody can have sent it.
func TestAuthorityIsTheHost(t *testing.T) {
	v := testVerifier(t)
	for major, want := range map[int]bool{1: false, 2: true} {
		r := httptest.NewRequest("POST", "http://localhost:4566/", nil)
		r.ProtoMajor = major
		r.Header.Set("X-Amz-Date", testStamp)
		sign := func(signature string) {
			r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/20150830/us-east-1/kinesis/aws4_request, SignedHeaders=:authority;x-amz-date, Signature=%s", algorithm, testAccess, signature))
		}
		sign("00")
		g, _ := signatureOf(r)
		sign(v.sign(testSecret, &g, canonical(r, nil, &g)))
		if _, err := v.check(r, nil, testTime); (err == nil) != want {
			t.Errorf("HTTP/%d: %v", major, err)
		}
		r.Host = "other:4566"
		if _, err := v.check(r, nil, testTime); err == nil {
			t.Errorf("HTTP/%d: another host is accepted", major)
		}
	}
}
