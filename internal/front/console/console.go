package console

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

//go:embed static
var static embed.FS

// policy lets the page load from its own host and nowhere else. Styles that scripts
// set on elements are not inline styles in its sense, so the charts get along.
const policy = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// types are given here, because what the mime package knows depends on the machine.
var types = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
	".txt":  "text/plain; charset=utf-8",
}

// file is one embedded file, as it is served.
type file struct {
	content     []byte
	contentType string
	etag        string
}

// Handler serves the console's files; index.html is at /.
func Handler() http.Handler {
	files := load()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Frame-Options", "DENY")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		f, ok := files[r.URL.Path]
		switch {
		case !ok:
			http.Error(w, "nothing is here; the console is at /", http.StatusNotFound)
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD", http.StatusMethodNotAllowed)
		default:
			h.Set("Content-Type", f.contentType)
			h.Set("ETag", f.etag)
			// Asked again each time, and not sent again while it is the same: after an
			// update no module meets an older one.
			h.Set("Cache-Control", "no-cache")
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.content))
		}
	})
}

// load reads what is embedded, by the path of its URL. The files are part of the
// binary: one that cannot be read, or is of no known type, is a mistake of the build.
func load() map[string]file {
	files := map[string]file{}
	err := fs.WalkDir(static, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := static.ReadFile(name)
		if err != nil {
			return err
		}
		contentType, ok := types[path.Ext(name)]
		if !ok {
			panic("console: no content type for " + name)
		}
		sum := sha256.Sum256(content)
		files[strings.TrimPrefix(name, "static")] = file{content, contentType, `"` + hex.EncodeToString(sum[:8]) + `"`}
		return nil
	})
	if err != nil {
		panic("console: " + err.Error())
	}
	files["/"] = files["/index.html"]
	return files
}
