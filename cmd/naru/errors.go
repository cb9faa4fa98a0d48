package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"

	"github.com/twmb/franz-go/pkg/kerr"
)

// unreachable is a broker that does not answer at all.
type unreachable struct {
	server string
	flag   string // that names another
	kind   string // of port that is wanted there
	err    error
}

func (e unreachable) Error() string { return fmt.Sprintf("no broker at %s: %v", e.server, e.err) }
func (e unreachable) Unwrap() error { return e.err }

// flagEnv are the environment variables of the flags that name a server.
var flagEnv = map[string]string{"--server": "NARU_SERVER", "--http": "NARU_HTTP_SERVER",
	"--management": "NARU_AMQP_MANAGEMENT_SERVER"}

// explain turns what a library says into what a person can act on. It is the
// one place for that; an error it does not know passes unchanged.
func explain(err error, server string) error {
	var u unreachable
	var dns *net.DNSError
	switch {
	case errors.As(err, &u) && errors.Is(err, syscall.ECONNREFUSED):
		return coded{fmt.Errorf("no broker at %s: connection refused; is `naru serve` running? "+
			"(%s or %s names another address)", u.server, u.flag, flagEnv[u.flag]), exitUnreachable}
	case errors.As(err, &u) && errors.As(err, &dns):
		return coded{fmt.Errorf("no broker at %s: there is no host %q (see %s)", u.server, dns.Name, u.flag), exitUnreachable}
	case errors.As(err, &u) && (errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded)):
		return coded{fmt.Errorf("no broker at %s: no answer in time; is it the %s port? (%s, --timeout)",
			u.server, u.kind, u.flag), exitUnreachable}
	case errors.As(err, &u):
		return coded{fmt.Errorf("no broker at %s: %w (is it the %s port? see %s)", u.server, u.err, u.kind, u.flag), exitUnreachable}
	case errors.Is(err, context.Canceled):
		return coded{errors.New("interrupted"), exitInterrupted}
	}
	return err
}

// refusal is a broker's error about one thing, in its own words if it sent any.
type refusal struct {
	what string // such as: topic "orders"
	err  error
	text string
}

func (r refusal) Error() string {
	if hint := refusalHint(r.err); hint != "" {
		return r.what + " " + hint
	}
	if r.text != "" {
		return r.what + ": " + r.text
	}
	var ke *kerr.Error
	if errors.As(r.err, &ke) {
		return fmt.Sprintf("%s: %s (%s)", r.what, ke.Description, ke.Message)
	}
	return r.what + ": " + r.err.Error()
}

func (r refusal) Unwrap() error { return r.err }

// refused returns nil if err is nil.
func refused(err error, text, what string, args ...any) error {
	if err == nil {
		return nil
	}
	return refusal{fmt.Sprintf(what, args...), err, text}
}

// refusalHint completes a sentence that begins with what was refused.
func refusalHint(err error) string {
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return "does not exist (`naru topic list` shows what does)"
	case errors.Is(err, kerr.TopicAlreadyExists):
		return "exists already (--if-not-exists accepts that)"
	case errors.Is(err, kerr.GroupIDNotFound):
		return "does not exist (`naru group list` shows what does)"
	case errors.Is(err, kerr.NonEmptyGroup):
		return "has members: stop its consumers first"
	case errors.Is(err, kerr.GroupSubscribedToTopic):
		return "is in use by a member: stop its consumers first"
	case errors.Is(err, kerr.KafkaStorageError):
		return "cannot be read or written: the broker's storage failed or is damaged; see its log, and `naru check` on its data directory"
	}
	return ""
}
