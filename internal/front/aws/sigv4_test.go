package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

const (
	testAccess = "AKIDEXAMPLE"
	testSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	testStamp  = "20150830T123600Z"
)

var testTime = time.Date(2015, 8, 30, 12, 36, 0, 0, time.UTC)

// vector is a request and its signature. The first five are of AWS's own test
// suite, the others were signed by AWS's SDK for Python.
type vector struct {
	name, method, url string
	headers           []string
	body              string
	service           string
	signed            string
	signature         string
}

var vectors = []vector{
	{"get-vanilla", "GET", "https://example.amazonaws.com/", nil, "", "service", "host;x-amz-date",
		"5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{"post-vanilla", "POST", "https://example.amazonaws.com/", nil, "", "service", "host;x-amz-date",
		"5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{"get-vanilla-query-order-key-case", "GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", nil, "", "service", "host;x-amz-date",
		"b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{"get-header-value-trim", "GET", "https://example.amazonaws.com/", []string{"My-Header1", " value1", "My-Header2", ` "a   b   c"`}, "", "service",
		"host;my-header1;my-header2;x-amz-date", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{"post-x-www-form-urlencoded", "POST", "https://example.amazonaws.com/", []string{"Content-Type", "application/x-www-form-urlencoded"}, "Param1=value1", "service",
		"content-type;host;x-amz-date", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"},
	{"SQS, JSON", "POST", "http://localhost:4566/", []string{"Content-Type", jsonMediaType, "X-Amz-Target", "AmazonSQS.SendMessage"}, `{"MessageBody":"나루"}`, "sqs",
		"content-type;host;x-amz-date;x-amz-target", "aea3fea8869cce3042a144fee314da61c5cee2a056941dc5373d404088b5e4d2"},
	{"SQS, Query with escapes", "GET", "http://localhost:4566/000000000000/a%20b?Action=SendMessage&MessageBody=a%20b%2B%C3%A9~", nil, "", "sqs", "host;x-amz-date",
		"45488d72cf04903466a814f950412b0fec444646e3b138f59deeb85135c9c0d9"},
}

func (v *vector) request() *http.Request {
	r := httptest.NewRequest(v.method, v.url, strings.NewReader(v.body))
	for i := 0; i < len(v.headers); i += 2 {
		r.Header.Set(v.headers[i], v.headers[i+1])
	}
	r.Header.Set("X-Amz-Date", testStamp)
	r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/20150830/us-east-1/%s/aws4_request, SignedHeaders=%s, Signature=%s",
		algorithm, testAccess, v.service, v.signed, v.signature))
	return r
}

func testVerifier(t testing.TB) *verifier {
	keys, err := ParseKeys([]byte(testAccess + " " + testSecret + "\nOTHER other\n"))
	if err != nil {
		t.Fatal(err)
	}
	return &verifier{keys: keys}
}

func TestSignatures(t *testing.T) {
	v := testVerifier(t)
	for _, test := range vectors {
		for range 2 { // the second time with a key from the cache
			if region, err := v.check(test.request(), []byte(test.body), testTime); err != nil || region != "us-east-1" {
				t.Errorf("%s: %q, %v", test.name, region, err)
			}
		}
	}
}

// Whatever of a signed request changes, its signature is wrong.
func TestForgedRequests(t *testing.T) {
	const mismatch, expired = "SignatureDoesNotMatch", "RequestExpired"
	good := vectors[5]
	authorization := func(old, to string) func(*http.Request) {
		return func(r *http.Request) {
			was := r.Header.Get("Authorization")
			if r.Header.Set("Authorization", strings.Replace(was, old, to, 1)); r.Header.Get("Authorization") == was {
				panic(old)
			}
		}
	}
	for _, test := range []struct {
		name   string
		change func(*http.Request)
		body   string
		at     time.Time
		want   string
	}{
		{"body", nil, `{"MessageBody":"나라"}`, testTime, mismatch},
		{"method", func(r *http.Request) { r.Method = "PUT" }, good.body, testTime, mismatch},
		{"path", func(r *http.Request) { r.URL.Path = "/x" }, good.body, testTime, mismatch},
		{"query", func(r *http.Request) { r.URL.RawQuery = "a=b" }, good.body, testTime, mismatch},
		{"host", func(r *http.Request) { r.Host = "other" }, good.body, testTime, mismatch},
		{"action", func(r *http.Request) { r.Header.Set("X-Amz-Target", "AmazonSQS.DeleteQueue") }, good.body, testTime, mismatch},
		{"header added to a signed one", func(r *http.Request) { r.Header.Add("X-Amz-Target", "AmazonSQS.DeleteQueue") }, good.body, testTime, mismatch},
		{"date", func(r *http.Request) { r.Header.Set("X-Amz-Date", "20150830T123601Z") }, good.body, testTime, mismatch},
		{"signature", authorization("Signature=aea3", "Signature=aea4"), good.body, testTime, mismatch},
		{"no signature", authorization(good.signature, ""), good.body, testTime, mismatch},
		{"another key", authorization(testAccess, "OTHER"), good.body, testTime, mismatch},
		{"region", authorization("us-east-1", "us-east-2"), good.body, testTime, mismatch},
		{"host is not signed", authorization("host;", ""), good.body, testTime, mismatch},
		{"action is not signed", authorization(";x-amz-target", ""), good.body, testTime, mismatch},
		{"unsigned payload", func(r *http.Request) { r.Header.Set("X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD") }, "other", testTime, mismatch},
		{"unknown key", authorization(testAccess, "NOBODY"), good.body, testTime, "InvalidClientTokenId"},
		{"no authorization", func(r *http.Request) { r.Header.Del("Authorization") }, good.body, testTime, "MissingAuthenticationToken"},
		{"another algorithm", authorization(algorithm, "AWS4-HMAC-SHA1"), good.body, testTime, "MissingAuthenticationToken"},
		{"no credential", authorization("Credential", "Credence"), good.body, testTime, "MissingAuthenticationToken"},
		{"no date", func(r *http.Request) { r.Header.Del("X-Amz-Date") }, good.body, testTime, "IncompleteSignature"},
		{"date of another day", authorization("20150830", "20150831"), good.body, testTime, "IncompleteSignature"},
		{"old", nil, good.body, testTime.Add(skewMax + time.Second), expired},
		{"from the future", nil, good.body, testTime.Add(-skewMax - time.Second), expired},
		{"nearly old", nil, good.body, testTime.Add(skewMax), ""},
		{"nearly from the future", nil, good.body, testTime.Add(-skewMax), ""},
	} {
		r := good.request()
		if test.change != nil {
			test.change(r)
		}
		_, err := testVerifier(t).check(r, []byte(test.body), test.at)
		var e *Error
		if errors.As(err, &e); err == nil && test.want != "" || err != nil && (e == nil || e.Code != test.want || e.status() != http.StatusForbidden) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// A signature that is right is not enough if it does not cover what is asked for.
func TestWhatMustBeSigned(t *testing.T) {
	v := testVerifier(t)
	for _, test := range []struct {
		signed []string
		ok     bool
	}{
		{[]string{"host", "x-amz-date", "x-amz-target"}, true}, {[]string{"host", "x-amz-target"}, true},
		{[]string{"host", "x-amz-date"}, false}, {[]string{"x-amz-date", "x-amz-target"}, false},
	} {
		r := httptest.NewRequest("POST", "http://localhost:4566/", nil)
		r.Header.Set("X-Amz-Date", testStamp)
		r.Header.Set("X-Amz-Target", "AmazonSQS.PurgeQueue")
		g := signature{access: testAccess, date: testStamp[:8], region: "r", service: "sqs", signed: test.signed, stamp: testStamp}
		r.Header.Set("Authorization", fmt.Sprintf("%s Credential=%s/%s, SignedHeaders=%s, Signature=%s",
			algorithm, testAccess, g.scope(), strings.Join(test.signed, ";"), v.sign(testSecret, &g, canonical(r, nil, &g))))
		if _, err := v.check(r, nil, testTime); (err == nil) != test.ok {
			t.Errorf("%v: %v", test.signed, err)
		}
	}
}

// The URL was presigned by AWS's SDK for Python, for a minute.
func TestPresigned(t *testing.T) {
	const url = "http://localhost:4566/000000000000/q?Action=ReceiveMessage&Version=2012-11-05&X-Amz-Algorithm=AWS4-HMAC-SHA256&" +
		"X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Fus-east-1%2Fsqs%2Faws4_request&X-Amz-Date=20150830T123600Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host&" +
		"X-Amz-Signature=ba8eecb1bf7e2d74638bba1abb3fba3890168569e3d4b92e0dd849a81e57c016"
	for _, test := range []struct {
		url   string
		after time.Duration
		want  string
	}{
		{url, 0, ""}, {url, time.Minute, ""}, {url, time.Minute + time.Second, "RequestExpired"},
		{strings.Replace(url, "Expires=60", "Expires=600", 1), 0, "SignatureDoesNotMatch"},
		{strings.Replace(url, "ReceiveMessage", "PurgeQueue", 1), 0, "SignatureDoesNotMatch"},
		{url + "&More=1", 0, "SignatureDoesNotMatch"},
	} {
		_, err := testVerifier(t).check(httptest.NewRequest("GET", test.url, nil), nil, testTime.Add(test.after))
		var e *Error
		if errors.As(err, &e); err == nil && test.want != "" || err != nil && (e == nil || e.Code != test.want) {
			t.Errorf("%s after %v: %v, want %q", test.url, test.after, err, test.want)
		}
	}
}

// Without keys everything passes, and the region is the one named.
func TestNoKeys(t *testing.T) {
	var v verifier
	r := vectors[0].request()
	r.Header.Set("Authorization", strings.Replace(r.Header.Get("Authorization"), "us-east-1", "ap-northeast-2", 1))
	if region, err := v.check(r, nil, time.Now()); region != "ap-northeast-2" || err != nil {
		t.Error(region, err)
	}
	if region, err := v.check(httptest.NewRequest("GET", "/", nil), nil, time.Now()); region != "" || err != nil {
		t.Error(region, err)
	}
}

func TestSigningKeysAreBounded(t *testing.T) {
	v := testVerifier(t)
	for i := range 3 * signingKeysMax {
		v.signingKey(testSecret, &signature{access: testAccess, date: fmt.Sprint(i)})
	}
	if len(v.made) > signingKeysMax {
		t.Errorf("%d keys are remembered", len(v.made))
	}
}

func TestParseKeys(t *testing.T) {
	k, err := ParseKeys([]byte("# ours\n\nA secret/+=\n\tB\tother \r\n"))
	if err != nil {
		t.Fatal(err)
	}
	for access, want := range map[string]string{"A": "secret/+=", "B": "other", "C": "", "#": ""} {
		if got, ok := k.secret(access); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %v", access, got, ok)
		}
	}
	for _, wrong := range []string{"", "# only\n", "A\n", "A b c\n", "A b\nA c\n"} {
		if _, err := ParseKeys([]byte(wrong)); err == nil {
			t.Errorf("%q was taken", wrong)
		} else if strings.Contains(err.Error(), " b") {
			t.Errorf("%q tells a secret", err)
		}
	}
}

// FuzzAuthorization: nothing that a stranger sends passes or panics.
func FuzzAuthorization(f *testing.F) {
	for _, v := range vectors {
		f.Add(v.request().Header.Get("Authorization"), testStamp, "")
	}
	f.Add(algorithm, "", "X-Amz-Algorithm="+algorithm+"&X-Amz-Credential=a/b/c/d/aws4_request")
	f.Add(algorithm+" Credential=////aws4_request,SignedHeaders=;;,Signature=", "x", "%zz")
	v := testVerifier(f)
	f.Fuzz(func(t *testing.T, authorization, stamp, query string) {
		r := httptest.NewRequestWithContext(context.Background(), "DELETE", "http://nowhere/", nil)
		r.URL.RawQuery = query
		r.Header["Authorization"], r.Header["X-Amz-Date"] = []string{authorization}, []string{stamp}
		if _, err := v.check(r, []byte("never signed"), testTime); err == nil {
			t.Error("it passed")
		}
	})
}
