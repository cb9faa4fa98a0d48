package sdk

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// closing is a body as the SDK makes them: it ends when it is closed, and whoever
// looks for more of it learns that as an error.
type closing struct {
	*strings.Reader
	closed chan struct{}
	once   *sync.Once
}

func (c closing) WriteTo(io.Writer) (int64, error) {
	<-c.closed
	return 0, io.EOF
}

func (c closing) Close() error {
	c.once.Do(func() { close(c.closed) })
	return nil
}

// TestQuickAnswer closes a request's body when the answer has begun, which must not end the answer.
func TestQuickAnswer(t *testing.T) {
	const half = 1 << 20
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.ReadAll(r.Body)
		io.WriteString(w, strings.Repeat("a", half))
		w.(http.Flusher).Flush()
		<-release
		io.WriteString(w, strings.Repeat("b", half))
	}))
	defer server.Close()
	client := HTTP()
	for range 20 {
		body := closing{strings.NewReader("question"), make(chan struct{}), new(sync.Once)}
		r, err := http.NewRequest("POST", server.URL, body)
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = int64(len("question"))
		answer, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body.Close()
		release <- struct{}{}
		got, err := io.ReadAll(answer.Body)
		if err != nil || len(got) != 2*half {
			t.Fatalf("%d bytes of the answer, %v", len(got), err)
		}
		answer.Body.Close()
	}
}
