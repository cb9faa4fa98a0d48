package aws

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	algorithm = "AWS4-HMAC-SHA256"
	stampForm = "20060102T150405Z"
	// skewMax is how far a request's time may be from ours.
	skewMax = 15 * time.Minute
	// presignMax is the longest life of a presigned request.
	presignMax = 7 * 24 * time.Hour
	// signingKeysMax bounds the cache of derived keys: one is made for each access
	// key, day, region and service.
	signingKeysMax = 1_000
	regionBytesMax = 64
)

// verifier checks signatures (AWS Signature Version 4). Verifying is signing
// again: some thirty lines, so the SDK's signer is not linked for it.
type verifier struct {
	keys *Keys
	mu   sync.Mutex
	made map[string][]byte // signing keys by scope; guarded by mu
}

// signature is what a request says of how it was signed.
type signature struct {
	access, date, region, service string
	signed                        []string // names of headers
	value                         string
	stamp                         string
	presigned                     bool
	expires                       time.Duration
}

func (g *signature) scope() string {
	return g.date + "/" + g.region + "/" + g.service + "/aws4_request"
}

func denied(shape, code, text string) error {
	return &Error{Shape: shape, Code: code, Message: text, Status: 403, Common: true}
}

// check is identify and verify in one. It returns the region that the request was
// signed for, "" if it does not say.
func (v *verifier) check(r *http.Request, body []byte, now time.Time) (region string, err error) {
	g, err := v.identify(r, now)
	if err == nil {
		err = v.verify(r, body, &g)
	}
	if err != nil {
		return "", err
	}
	return g.region, nil
}

// identify finds out who claims to have sent the request, and when: what can be
// known before the body is read, so that a stranger's body never is. Without keys
// everybody is welcome.
func (v *verifier) identify(r *http.Request, now time.Time) (signature, error) {
	g, ok := signatureOf(r)
	if v.keys == nil {
		return g, nil
	}
	if !ok {
		return g, denied("MissingAuthenticationTokenException", "MissingAuthenticationToken", "Request is missing Authentication Token")
	}
	if _, ok := v.keys.secret(g.access); !ok {
		return g, denied("UnrecognizedClientException", "InvalidClientTokenId", "The security token included in the request is invalid.")
	}
	at, err := time.Parse(stampForm, g.stamp)
	if err != nil || !strings.HasPrefix(g.stamp, g.date) {
		return g, denied("IncompleteSignatureException", "IncompleteSignature", "Date must be in ISO-8601 'basic format'.")
	}
	if late := now.Sub(at); late < -skewMax || !g.presigned && late > skewMax || g.presigned && late > g.expires {
		return g, denied("InvalidSignatureException", "RequestExpired", "Signature expired: "+g.stamp+" is too far from "+now.UTC().Format(stampForm)+".")
	}
	// What the request asks for must be signed: the action too, where a header says it.
	missing := ""
	switch signs := func(name string) bool { return slices.Contains(g.signed, name) }; {
	case !signs("host") && !(r.ProtoMajor == 2 && signs(":authority")):
		missing = "Host"
	case r.Header.Get("X-Amz-Target") != "" && !signs("x-amz-target"):
		missing = "X-Amz-Target"
	}
	if missing != "" {
		return g, denied("InvalidSignatureException", "SignatureDoesNotMatch", "'"+missing+"' must be a signed header.")
	}
	return g, nil
}

// verify checks the signature of a request that was identified.
func (v *verifier) verify(r *http.Request, body []byte, g *signature) error {
	if v.keys == nil {
		return nil
	}
	secret, _ := v.keys.secret(g.access)
	want := v.sign(secret, g, canonical(r, body, g))
	if subtle.ConstantTimeCompare([]byte(want), []byte(g.value)) != 1 {
		return denied("InvalidSignatureException", "SignatureDoesNotMatch",
			"The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method.")
	}
	return nil
}

// signatureOf finds the signature in the Authorization header or in the URL.
func signatureOf(r *http.Request) (g signature, ok bool) {
	fields := map[string]string{}
	if auth, found := strings.CutPrefix(r.Header.Get("Authorization"), algorithm); found {
		for part := range strings.SplitSeq(auth, ",") {
			k, v, _ := strings.Cut(strings.TrimSpace(part), "=")
			fields[k] = v
		}
		g.stamp = r.Header.Get("X-Amz-Date")
	} else if q := r.URL.Query(); q.Get("X-Amz-Algorithm") == algorithm {
		fields["Credential"], fields["SignedHeaders"], fields["Signature"] = q.Get("X-Amz-Credential"), q.Get("X-Amz-SignedHeaders"), q.Get("X-Amz-Signature")
		g.stamp, g.presigned = q.Get("X-Amz-Date"), true
		if n, err := strconv.ParseInt(q.Get("X-Amz-Expires"), 10, 32); err == nil && n > 0 {
			g.expires = min(time.Duration(n)*time.Second, presignMax)
		}
	}
	scope := strings.Split(fields["Credential"], "/")
	if n := len(scope); n >= 5 && scope[n-1] == "aws4_request" && validRegion(scope[n-3]) {
		g.access = strings.Join(scope[:n-4], "/")
		g.date, g.region, g.service = scope[n-4], scope[n-3], scope[n-2]
		ok = true
	}
	g.signed, g.value = strings.Split(fields["SignedHeaders"], ";"), fields["Signature"]
	return g, ok
}

// validRegion keeps ARNs well formed: answers contain the region.
func validRegion(s string) bool {
	for _, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_') {
			return false
		}
	}
	return s != "" && len(s) <= regionBytesMax
}

// canonical is the request in the form that is signed.
func canonical(r *http.Request, body []byte, g *signature) string {
	var b strings.Builder
	b.WriteString(r.Method + "\n")
	path := r.URL.EscapedPath()
	if path == "" {
		path = "/"
	}
	b.WriteString(escapePath(path) + "\n")
	query := r.URL.Query()
	query.Del("X-Amz-Signature")
	b.WriteString(canonicalQuery(query) + "\n")
	for _, name := range g.signed {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host", ":authority": // which is what AWS's SDK for JavaScript signs over HTTP/2
			value = r.Host
		case "content-length":
			value = r.Header.Get("Content-Length")
		}
		b.WriteString(name + ":" + strings.Join(strings.Fields(value), " ") + "\n")
	}
	b.WriteString("\n" + strings.Join(g.signed, ";") + "\n")
	payload := r.Header.Get("X-Amz-Content-Sha256")
	if payload != "UNSIGNED-PAYLOAD" || !slices.Contains(g.signed, "x-amz-content-sha256") {
		payload = hexSHA256(body)
	}
	b.WriteString(payload)
	return b.String()
}

// escapePath escapes what is escaped already once more, as all services but S3
// want it.
func escapePath(path string) string {
	parts := strings.Split(path, "/")
	for i := range parts {
		parts[i] = escape(parts[i])
	}
	return strings.Join(parts, "/")
}

func canonicalQuery(q url.Values) string {
	var pairs []string
	for k, values := range q {
		for _, v := range values {
			pairs = append(pairs, escape(k)+"="+escape(v))
		}
	}
	slices.Sort(pairs)
	return strings.Join(pairs, "&")
}

// escape is RFC 3986's percent-encoding of everything that is not unreserved.
func escape(s string) string {
	return strings.ReplaceAll(url.QueryEscape(s), "+", "%20")
}

// sign computes the signature of a canonical request.
func (v *verifier) sign(secret string, g *signature, request string) string {
	text := algorithm + "\n" + g.stamp + "\n" + g.scope() + "\n" + hexSHA256([]byte(request))
	return hex.EncodeToString(hmacSHA256(v.signingKey(secret, g), text))
}

// signingKey derives the key of a day, region and service, which takes four
// HMACs, once.
func (v *verifier) signingKey(secret string, g *signature) []byte {
	name := g.access + "/" + g.scope()
	v.mu.Lock()
	defer v.mu.Unlock()
	if k := v.made[name]; k != nil {
		return k
	}
	if v.made == nil || len(v.made) >= signingKeysMax {
		v.made = make(map[string][]byte)
	}
	k := []byte("AWS4" + secret)
	for _, part := range []string{g.date, g.region, g.service, "aws4_request"} {
		k = hmacSHA256(k, part)
	}
	v.made[name] = k
	return k
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
