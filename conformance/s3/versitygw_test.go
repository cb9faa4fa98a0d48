package s3

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/narumq/naru/internal/objectstore"
)

// gateway is a versitygw that keeps objects as files in a directory.
type gateway struct {
	dir, url string
	process  *os.Process
}

const access, secret = "naru-access", "naru-secret"

// scratch is for the program. TestMain sets and removes it.
var scratch string

// program builds versitygw once, in a minute or two the first time.
var program = sync.OnceValues(func() (string, error) {
	name := filepath.Join(scratch, "versitygw")
	cmd := exec.Command("go", "build", "-o", name, "github.com/versity/versitygw/cmd/versitygw")
	cmd.Stderr = os.Stderr
	return name, cmd.Run()
})

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "naru-s3"); err != nil {
		panic(err)
	}
	code := m.Run()
	_ = os.RemoveAll(scratch)
	os.Exit(code)
}

func start(t testing.TB) *gateway {
	name, err := program()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := l.Addr().String()
	_ = l.Close()
	g := &gateway{dir: t.TempDir(), url: "http://" + host}
	cmd := exec.Command(name, "--quiet", "--port", host, "--health", "/health", "posix", g.dir)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY_ID="+access, "ROOT_SECRET_ACCESS_KEY="+secret)
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	g.process = cmd.Process
	g.await(t)
	return g
}

// await waits until the server answers.
func (g *gateway) await(t testing.TB) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := http.Get(g.url + "/health")
		if err == nil {
			_ = r.Body.Close()
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("versitygw does not answer: %v", err)
		}
	}
}

func (g *gateway) pause(t testing.TB) { g.signal(t, syscall.SIGSTOP) }

func (g *gateway) resume(t testing.TB) { g.signal(t, syscall.SIGCONT) }

func (g *gateway) signal(t testing.TB, s syscall.Signal) {
	if err := g.process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// bucket makes a bucket, which is a directory.
func (g *gateway) bucket(t testing.TB, name, prefix string) objectstore.S3Config {
	if err := os.Mkdir(filepath.Join(g.dir, name), 0o755); err != nil {
		t.Fatal(err)
	}
	return objectstore.S3Config{
		Bucket: name, Prefix: prefix, Endpoint: g.url, PathStyle: true, AccessKey: access, SecretKey: secret,
	}
}
