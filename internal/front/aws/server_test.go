package aws

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// stub answers with what it was called with, or as its action says.
type stub struct{}

func (stub) Namespace() (string, string) { return "com.example", "http://example/doc/" }

func (stub) Serve(_ context.Context, c *Call) ([]byte, error) {
	switch c.Action {
	case "Panic":
		panic("on purpose")
	case "Fail":
		return nil, errors.New("a secret detail")
	case "Gone":
		return nil, fmt.Errorf("wrapped: %w", context.Canceled)
	case "Refuse":
		return nil, fmt.Errorf("wrapped: %w", &Error{Shape: "Own", Code: "My.Own", Message: `no <"&>`, Status: 403})
	case "Common":
		return nil, &Error{Shape: "CommonException", Code: "Common", Message: "no", Common: true}
	}
	if c.JSON {
		return fmt.Appendf(nil, `{"service":%q,"body":%q,"region":%q,"base":%q,"path":%q,"trace":%q}`, c.Service, c.Body, c.Region, c.Base, c.Path, c.Trace), nil
	}
	return fmt.Appendf(nil, "<x>%s</x>", c.Form.Get("x")), nil
}

func TestEndpoint(t *testing.T) {
	var seen []string
	s := NewServer(Config{Services: map[string]Service{"Stub": stub{}}, Query: stub{}, Log: slog.New(slog.DiscardHandler),
		Observer: Observer{Done: func(action string, failed bool, _ time.Duration) { seen = append(seen, fmt.Sprint(action, failed)) }}})
	const form = "application/x-www-form-urlencoded"
	for _, test := range []struct {
		method, url, target, media, body, want string
	}{
		{"POST", "/", "Stub.Do", jsonMediaType, `{"a":1}`, `200 application/x-amz-json-1.0 {"service":"Stub","body":"{\"a\":1}","region":"us-east-1","base":"http://example.com","path":"/","trace":"T"}`},
		{"POST", "/", "", form, "Action=Do&x=a", `200 text/xml <?xml version="1.0"?><DoResponse xmlns="http://example/doc/"><x>a</x><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></DoResponse>`},
		{"GET", "/1/q?Action=Do&x=b", "", "", "", `200 text/xml <?xml version="1.0"?><DoResponse xmlns="http://example/doc/"><x>b</x><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></DoResponse>`},
		{"POST", "/?Action=Do&x=b", "", form + "; charset=utf-8", "x=c", `200 text/xml <?xml version="1.0"?><DoResponse xmlns="http://example/doc/"><x>c</x><ResponseMetadata><RequestId>ID</RequestId></ResponseMetadata></DoResponse>`},
		{"POST", "/", "Stub.Refuse", jsonMediaType, "", `403 application/x-amz-json-1.0 My.Own;Sender {"__type":"com.example#Own","message":"no \u003c\"\u0026\u003e"}`},
		{"POST", "/", "Stub.Common", jsonMediaType, "", `400 application/x-amz-json-1.0 Common;Sender {"__type":"com.amazon.coral.service#CommonException","message":"no"}`},
		{"POST", "/", "Stub.Fail", jsonMediaType, "", `500 application/x-amz-json-1.0 InternalError;Receiver {"__type":"com.amazon.coral.service#InternalFailure","message":"We encountered an internal error. Please try again."}`},
		{"POST", "/", "Stub.Panic", jsonMediaType, "", `500 application/x-amz-json-1.0 InternalError;Receiver {"__type":"com.amazon.coral.service#InternalFailure","message":"We encountered an internal error. Please try again."}`},
		{"POST", "/", "Other.Do", jsonMediaType, "", `404 application/x-amz-json-1.0 InvalidAction;Sender {"__type":"com.amazon.coral.service#UnknownOperationException","message":"The service Other.Do is not served here."}`},
		{"POST", "/", "", form, "Action=Refuse", `403 text/xml <?xml version="1.0"?><ErrorResponse xmlns="http://example/doc/"><Error><Type>Sender</Type><Code>My.Own</Code><Message>no &lt;&#34;&amp;&gt;</Message><Detail/></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"POST", "/", "", form, "Action=Fail", `500 text/xml <?xml version="1.0"?><ErrorResponse xmlns="http://example/doc/"><Error><Type>Receiver</Type><Code>InternalError</Code><Message>We encountered an internal error. Please try again.</Message><Detail/></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"POST", "/", "", form, "x=1", `400 text/xml <?xml version="1.0"?><ErrorResponse xmlns=""><Error><Type>Sender</Type><Code>MissingAction</Code><Message>The request is missing an action or a required parameter.</Message><Detail/></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"POST", "/", "", form, "Action=Do&%zz", `400 text/xml <?xml version="1.0"?><ErrorResponse xmlns=""><Error><Type>Sender</Type><Code>MalformedQueryString</Code><Message>The query string contains a syntax error.</Message><Detail/></Error><RequestId>ID</RequestId></ErrorResponse>`},
		{"POST", "/", "Stub.Do", jsonMediaType, strings.Repeat("x", bodyBytesMax+1), `413 application/x-amz-json-1.0 RequestEntityTooLarge;Sender {"__type":"com.amazon.coral.service#RequestEntityTooLarge","message":"The request is longer than 8388608 bytes."}`},
		{"POST", "/", "", form, "Action=Do" + many(formFieldsMax), `400 text/xml <?xml version="1.0"?><ErrorResponse xmlns=""><Error><Type>Sender</Type><Code>MalformedQueryString</Code><Message>More than 1000 parameters.</Message><Detail/></Error><RequestId>ID</RequestId></ErrorResponse>`},
	} {
		r := httptest.NewRequest(test.method, test.url, strings.NewReader(test.body))
		r.Header.Set("X-Amzn-Trace-Id", "T")
		if test.target != "" {
			r.Header.Set("X-Amz-Target", test.target)
		}
		if test.media != "" {
			r.Header.Set("Content-Type", test.media)
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		id := w.Header().Get("X-Amzn-Requestid")
		got := fmt.Sprint(w.Code, " ", w.Header().Get("Content-Type"), " ")
		if e := w.Header().Get("X-Amzn-Query-Error"); e != "" {
			got += e + " "
		}
		if got += strings.ReplaceAll(w.Body.String(), id, "ID"); got != test.want || len(id) != 36 {
			t.Errorf("%s %s %q\n got %s\nwant %s", test.method, test.url, test.target, got, test.want)
		}
	}
	if got := strings.Join(seen[:2], " "); got != "Dofalse Dofalse" {
		t.Errorf("observed %s", got)
	}
}

func many(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "&p%d=", i)
	}
	return b.String()
}

// A call whose client is gone is not answered at all.
func TestGoneClientIsNotAnswered(t *testing.T) {
	web := httptest.NewServer(NewServer(Config{Services: map[string]Service{"Stub": stub{}}}))
	defer web.Close()
	r, err := http.NewRequest("POST", web.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("X-Amz-Target", "Stub.Gone")
	if resp, err := web.Client().Do(r); err == nil {
		b, _ := io.ReadAll(resp.Body)
		t.Errorf("%d %s", resp.StatusCode, b)
	}
}

func TestTruncatedBody(t *testing.T) {
	s := NewServer(Config{Services: map[string]Service{"Stub": stub{}}})
	r := httptest.NewRequest("POST", "/", strings.NewReader("short"))
	r.ContentLength = 10
	r.Header.Set("X-Amz-Target", "Stub.Do")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != 400 || !strings.Contains(w.Body.String(), "IncompleteBody") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
