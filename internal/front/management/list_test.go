package management

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/narumq/naru/internal/fault"
)

// A list is shown as its parameters want it.
func TestList(t *testing.T) {
	items := func() []object {
		return []object{
			{"name": "b", "n": int64(2), "in": object{"x": 1, "y": 2}},
			{"name": "A1", "n": 10},
			{"name": "c", "n": 1.5, "in": object{"x": 3}},
		}
	}
	for _, c := range []struct{ query, want string }{
		{"", `[{"in":{"x":1,"y":2},"n":2,"name":"b"},{"n":10,"name":"A1"},{"in":{"x":3},"n":1.5,"name":"c"}]`},
		{"columns=name", `[{"name":"b"},{"name":"A1"},{"name":"c"}]`},
		{"columns=in.x,nothing&sort=n", `[{"in":{"x":3}},{"in":{"x":1}},{}]`},
		{"columns=in,in.x&sort=in.x&sort_reverse=true", `[{"in":{"x":3}},{"in":{"x":1,"y":2}},{}]`},
		{"columns=name&sort=name&sort_reverse=true", `[{"name":"c"},{"name":"b"},{"name":"A1"}]`},
		{"columns=name&name=b", `[{"name":"b"},{"name":"A1"},{"name":"c"}]`}, // names filter pages only
		{"page=1&page_size=2&columns=name&sort=name", `{"filtered_count":3,"item_count":2,"items":[{"name":"A1"},{"name":"b"}],"page":1,"page_count":2,"page_size":2,"total_count":3}`},
		{"page=2&page_size=2&columns=name&sort=name", `{"filtered_count":3,"item_count":1,"items":[{"name":"c"}],"page":2,"page_count":2,"page_size":2,"total_count":3}`},
		{"page=1&columns=name&name=a", `{"filtered_count":1,"item_count":1,"items":[{"name":"A1"}],"page":1,"page_count":1,"page_size":100,"total_count":3}`},
		{"page=1&columns=name&name=^[bc]$&use_regex=true", `{"filtered_count":2,"item_count":2,"items":[{"name":"b"},{"name":"c"}],"page":1,"page_count":1,"page_size":100,"total_count":3}`},
		{"page=1&name=none", `{"filtered_count":0,"item_count":0,"items":[],"page":1,"page_count":1,"page_size":100,"total_count":3}`},
		{"page=3&page_size=2", `400 page_out_of_range: Page out of range, page: 3 page size: 2, len: 3`},
		{"page=0", `400 invalid_pagination_parameters: Invalid pagination parameters: page number 0, page size 100`},
		{"page=1&page_size=501", `400 invalid_pagination_parameters: Invalid pagination parameters: page number 1, page size 501`},
		{"page=one", `400 bad_request: Pagination parameters are invalid`},
		{"page=1&name=(&use_regex=true", "400 bad_request: error parsing regexp: missing closing ): `(?i)(`"},
	} {
		query, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		out, err := (&call{query: query}).list(items())
		b, _ := json.Marshal(out.body)
		got := string(b)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.query, got, c.want)
		}
	}
}

func TestPaths(t *testing.T) {
	list := routes()
	for path, want := range map[string]map[string]string{
		"queues/%2F/a%2Fb%20c":                     {"vhost": "/", "queue": "a/b c"},
		"queues/%2F/a/":                            {"vhost": "/", "queue": "a"},
		"exchanges/%2F//bindings/source":           {"vhost": "/", "exchange": ""},
		"bindings/v/e/x/q/y/a.%252A~abc":           {"vhost": "v", "source": "x", "queue": "y", "props": "a.%2A~abc"},
		"connections/1.2.3.4:5%20-%3E%206.7.8.9:1": {"connection": "1.2.3.4:5 -> 6.7.8.9:1"},
		"queues/%2F/a/b/c":                         nil,
		"queues/%zz":                               nil,
		"":                                         nil,
	} {
		_, vars := find(list, path)
		if diff := cmp.Diff(want, vars); diff != "" {
			t.Errorf("%s: %s", path, diff)
		}
	}
}

// Each path is one route's, so that none hides another.
func TestRoutesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range routes() {
		if seen[r.path] {
			t.Errorf("%s is there twice", r.path)
		}
		seen[r.path] = true
		for method, op := range r.methods {
			if op.do == nil {
				t.Errorf("%s %s does nothing", method, r.path)
			}
		}
	}
}

func TestRates(t *testing.T) {
	now := time.Unix(1000, 0)
	r := rates{now: func() time.Time { return now }}
	look := func(after time.Duration, n int64) float64 {
		now = now.Add(after)
		return r.of("x", map[string]int64{"n": n}).rate["n"]
	}
	for i, c := range []struct {
		after time.Duration
		n     int64
		want  float64
	}{
		{0, 100, 0}, {time.Second, 200, 0}, {9 * time.Second, 300, 20}, {time.Second, 400, 20}, {4 * time.Second, 300, 0},
		{rateKept + time.Second, 9000, 0}, {rateEvery, 9050, 10},
	} {
		if got := look(c.after, c.n); got != c.want {
			t.Errorf("look %d: %v, want %v", i, got, c.want)
		}
	}
	for i := range ratesMax {
		r.of(i, nil)
	}
	if len(r.seen) > ratesMax {
		t.Errorf("%d are remembered", len(r.seen))
	}
}

// Every code of an error has a status, and every status that is an error's a word.
func TestStatuses(t *testing.T) {
	for _, code := range fault.Codes() {
		if words[faultStatus[code]] == "" {
			t.Errorf("%v: status %d has no word", code, faultStatus[code])
		}
	}
	for code, status := range replyStatus {
		if words[status] == "" {
			t.Errorf("reply code %d: status %d has no word", code, status)
		}
	}
}

// Who is let in while there are no users, and whom a browser's page may not speak for.
func TestGuard(t *testing.T) {
	ask := func(remote, host string, headers ...string) (may, here bool) {
		r := httptest.NewRequest(http.MethodGet, "http://"+host+"/api/overview", nil)
		r.RemoteAddr = remote
		for i := 0; i < len(headers); i += 2 {
			r.Header.Set(headers[i], headers[i+1])
		}
		return mayAsk(r) == nil, local(r)
	}
	for _, c := range []struct {
		remote, host string
		headers      []string
		may, here    bool
	}{
		{remote: "127.0.0.1:5", host: "localhost:15672", may: true, here: true},
		{remote: "[::1]:5", host: "[::1]:15672", may: true, here: true},
		{remote: "10.0.0.1:5", host: "127.0.0.1:15672", may: true},
		{remote: "127.0.0.1:5", host: "evil.example:15672", may: true}, // a name that resolves to this machine
		{remote: "127.0.0.1:5", host: "localhost", headers: []string{"X-Forwarded-For", "10.0.0.1"}, may: true},
		{remote: "127.0.0.1:5", host: "localhost", headers: []string{"Origin", "http://evil.example"}, here: true},
		{remote: "127.0.0.1:5", host: "localhost", headers: []string{"Sec-Fetch-Site", "cross-site"}, here: true},
		{remote: "127.0.0.1:5", host: "localhost:1", headers: []string{"Origin", "http://localhost:1"}, may: true, here: true},
	} {
		if may, here := ask(c.remote, c.host, c.headers...); may != c.may || here != c.here {
			t.Errorf("%+v: may ask %v, from here %v", c, may, here)
		}
	}
}
