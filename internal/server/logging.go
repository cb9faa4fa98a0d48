package server

import (
	"io"
	"log/slog"
)

// NewLogger writes to w as the configuration says.
func (c *Config) NewLogger(w io.Writer) *slog.Logger {
	opt := &slog.HandlerOptions{Level: c.LogLevel}
	if c.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(w, opt))
	}
	return slog.New(slog.NewTextHandler(w, opt))
}

// warn says what a careful operator would want to know about the configuration.
func (c *Config) warn(log *slog.Logger) {
	for _, e := range []struct{ flag, addr string }{{"kafka", c.KafkaAddr}, {"http", c.HTTPAddr}} {
		if e.addr != Off && !loopback(e.addr) {
			log.Warn("endpoint is open to other machines and there is no authentication: "+
				"whoever reaches it can read, write and delete", "endpoint", e.flag, "address", e.addr)
		}
	}
}
