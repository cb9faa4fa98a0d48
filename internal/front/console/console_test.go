package console

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, method, target string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

// eachFile calls f with the embedded files, named as in their URLs.
func eachFile(t *testing.T, f func(name, content string)) {
	t.Helper()
	err := fs.WalkDir(static, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := static.ReadFile(name)
		f(strings.TrimPrefix(name, "static"), string(content))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreServedWithTheirTypes(t *testing.T) {
	eachFile(t, func(name, content string) {
		a := get(t, "GET", name, nil)
		if a.StatusCode != 200 || a.Header.Get("Content-Type") != types[path.Ext(name)] || a.ContentLength == 0 {
			t.Errorf("%s: %s, %s, %d bytes", name, a.Status, a.Header.Get("Content-Type"), a.ContentLength)
		}
		if again := get(t, "GET", name, http.Header{"If-None-Match": {a.Header.Get("ETag")}}); again.StatusCode != 304 {
			t.Errorf("%s, asked again: %s, want 304", name, again.Status)
		}
	})
	if a := get(t, "GET", "/", nil); a.StatusCode != 200 || a.Header.Get("Content-Type") != types[".html"] {
		t.Errorf("/: %s, %s", a.Status, a.Header.Get("Content-Type"))
	}
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct {
		method, target string
		status         int
	}{
		{"GET", "/nosuch", 404}, {"GET", "/js/", 404}, {"GET", "/../console.go", 404}, {"GET", "/static/index.html", 404},
		{"POST", "/", 405}, {"HEAD", "/", 200},
	} {
		a := get(t, c.method, c.target, nil)
		if a.StatusCode != c.status {
			t.Errorf("%s %s: %s, want %d", c.method, c.target, a.Status, c.status)
		}
		for name, want := range map[string]string{
			"Content-Security-Policy": policy, "X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff",
		} {
			if got := a.Header.Get(name); got != want {
				t.Errorf("%s %s: %s is %q, want %q", c.method, c.target, name, got, want)
			}
		}
	}
}

var (
	address = regexp.MustCompile(`(?:https?|wss?):/{2}[\w.-]+|["'(]//\w+`)
	imports = regexp.MustCompile(`(?m)^import\b[^'"\n]*['"](\.[^'"]+)['"]`)
	linked  = regexp.MustCompile(`(?:src|href)="([^"#]+)"`)
	// What would be a script in the page, or would turn data into elements.
	unsafe = regexp.MustCompile(`\b(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc)\b|<script>|\son\w+="|\sstyle="`)
)

// A name space of XML is a name, not an address that anything is loaded from, and
// localhost is in an example to type.
var harmless = regexp.MustCompile(`^http://(www\.w3\.org|localhost)$`)

func TestNothingComesFromElsewhere(t *testing.T) {
	eachFile(t, func(name, content string) {
		for _, a := range address.FindAllString(content, -1) {
			if !harmless.MatchString(a) && !strings.HasPrefix(name, "/vendor/") {
				t.Errorf("%s names %s", name, a)
			}
		}
		if found := unsafe.FindString(content); found != "" && !strings.HasPrefix(name, "/vendor/") {
			t.Errorf("%s has %s", name, found)
		}
	})
}

func TestWhatFilesNameIsThere(t *testing.T) {
	named := map[string]bool{"/index.html": true}
	eachFile(t, func(name, content string) {
		found := linked.FindAllStringSubmatch(content, -1)
		if path.Ext(name) == ".js" {
			found = imports.FindAllStringSubmatch(content, -1)
		}
		for _, m := range found {
			target := path.Join(path.Dir(name), m[1])
			named[target] = true
			if a := get(t, "GET", target, nil); a.StatusCode != 200 {
				t.Errorf("%s names %s: %s", name, target, a.Status)
			}
		}
	})
	eachFile(t, func(name, _ string) {
		if !named[name] && path.Ext(name) != ".txt" {
			t.Errorf("nothing names %s", name)
		}
	})
}
