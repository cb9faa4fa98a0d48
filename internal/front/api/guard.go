package api

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
)

// mayCall tells why a request is refused, whatever it asks for.
func (s *Server) mayCall(r *http.Request) error {
	if !s.cfg.Remote {
		switch {
		case !loopback(r.RemoteAddr) || r.Header.Get("Forwarded") != "" || r.Header.Get("X-Forwarded-For") != "":
			return errNotLocal
		case !namedLocally(r.Host):
			return errHost
		}
	}
	if !sameOrigin(r) {
		return errOrigin
	}
	return nil
}

func loopback(remote string) bool {
	at, err := netip.ParseAddrPort(remote)
	return err == nil && at.Addr().Unmap().IsLoopback()
}

// namedLocally tells whether the request's host is an address or localhost.
func namedLocally(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	_, err := netip.ParseAddr(host)
	return err == nil || host == "localhost" || len(host) > 2 && host[0] == '['
}

// sameOrigin keeps other pages of a browser out (Fetch standard, "Origin"; Fetch
// Metadata, "Sec-Fetch-Site"). Who is no browser sends neither.
func sameOrigin(r *http.Request) bool {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
	default:
		return false
	}
	origin := r.Header.Get("Origin")
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host == r.Host
}
