package peer

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// pair is both ends of a tunnel.
func pair(t *testing.T) (r *rig, here, there net.Conn) {
	accepted := make(chan net.Conn, 1)
	r = newRig(t, func(name string, c net.Conn) {
		if name != "front" {
			t.Errorf("a tunnel to %q", name)
		}
		accepted <- c
	})
	local, remote := &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1).To4(), Port: 5672}, &net.TCPAddr{IP: net.IPv4(10, 0, 0, 2).To4(), Port: 40000}
	here, err := r.client.Tunnel(t.Context(), "front", local, remote)
	if err != nil {
		t.Fatal(err)
	}
	there = <-accepted
	if got, ok := there.RemoteAddr().(*net.TCPAddr); !ok || got.String() != "10.0.0.2:40000" || there.LocalAddr().String() != "10.0.0.1:5672" {
		t.Errorf("it comes from %v to %v", there.RemoteAddr(), there.LocalAddr())
	}
	t.Cleanup(func() { here.Close(); there.Close() })
	return r, here, there
}

// Both directions carry, and end, by themselves; a reader that is slow loses nothing.
func TestTunnel(t *testing.T) {
	for _, turned := range []bool{false, true} {
		_, a, b := pair(t)
		if turned {
			a, b = b, a
		}
		data := bytes.Repeat([]byte("0123456789"), 500_000)
		go func() {
			a.Write(data)
			a.(interface{ CloseWrite() error }).CloseWrite()
		}()
		got, err := io.ReadAll(b)
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		go func() {
			b.Write(data)
			b.Close()
		}()
		if got, err = io.ReadAll(a); err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes back, %v", len(got), err)
		}
		a.Close()
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
	}
}

func TestTunnelDeadline(t *testing.T) {
	_, a, b := pair(t)
	a.SetReadDeadline(time.Unix(1, 0))
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error(err)
	}
	a.SetDeadline(time.Time{})
	go b.Write([]byte("x"))
	if _, err := a.Read(make([]byte, 1)); err != nil {
		t.Error(err)
	}
	// Nobody reads: what is written is held back.
	a.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	if n, err := a.Write(make([]byte, 64<<20)); !errors.Is(err, os.ErrDeadlineExceeded) || n > 8<<20 {
		t.Error(n, err)
	}
}

// A tunnel that is cut does not look as if it ended.
func TestTunnelCut(t *testing.T) {
	r, a, b := pair(t)
	r.cut()
	for _, c := range []net.Conn{a, b} {
		if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Error(err)
		}
	}
	for {
		if _, err := a.Write([]byte("x")); err != nil {
			break
		}
	}
}

// Each side notices that the other one closed.
func TestTunnelClose(t *testing.T) {
	for _, turned := range []bool{false, true} {
		_, a, b := pair(t)
		if turned {
			a, b = b, a
		}
		a.Close()
		if _, err := b.Read(make([]byte, 1)); err != io.EOF {
			t.Error(err)
		}
		b.Close()
	}
}
