package main

import (
	"errors"
	"io"
	"net"
	"testing"
)

// A connection that the server resets is reset for the client too, whoever of both ways hears of it first.
func TestLinkPassesResetsOn(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			abort(c)
		}
	}()
	l, err := newLink(ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	ends := 0
	const tries = 20_000
	for range tries {
		c, err := net.Dial("tcp", l.addr())
		if err != nil {
			continue
		}
		if _, err = c.Write([]byte("hello")); err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		if errors.Is(err, io.EOF) {
			ends++
		}
		_ = c.Close()
	}
	if ends > 0 {
		t.Errorf("%d of %d connections ended in good order", ends, tries)
	}
}
