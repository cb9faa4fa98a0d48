package amqp

import (
	"context"
	"errors"
	"fmt"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/exchange"
	"github.com/narumq/naru/internal/fault"
	wire "github.com/narumq/naru/internal/wire/amqp091"
)

// refuse makes an error for the peer.
func refuse(code wire.ReplyCode, format string, args ...any) *wire.Error {
	return &wire.Error{Code: code, Text: fmt.Sprintf(format, args...)}
}

func failedPrecondition(format string, args ...any) *wire.Error {
	return refuse(wire.PreconditionFailed, format, args...)
}

// names are how RabbitMQ calls a queue or an exchange in its errors.
func queueNamed(name, vhost string) string {
	return fmt.Sprintf("queue '%s' in vhost '%s'", name, vhost)
}
func exchangeNamed(name, vhost string) string {
	return fmt.Sprintf("exchange '%s' in vhost '%s'", name, vhost)
}

// replyCodes is what the peer is told of an error that nothing finer is known of. Codes that do not close the channel, but the
// connection, are for what is wrong with the server, or with more than the channel.
var replyCodes = map[fault.Code]wire.ReplyCode{
	fault.Unknown: wire.InternalError, fault.Canceled: wire.InternalError, fault.DeadlineExceeded: wire.InternalError,
	fault.InvalidArgument: wire.PreconditionFailed, fault.NotFound: wire.NotFound, fault.AlreadyExists: wire.PreconditionFailed,
	fault.OutOfRange: wire.PreconditionFailed, fault.FailedPrecondition: wire.PreconditionFailed,
	fault.PermissionDenied: wire.AccessRefused, fault.ResourceExhausted: wire.PreconditionFailed, fault.Aborted: wire.InternalError,
	fault.Unimplemented: wire.NotImplemented, fault.Unavailable: wire.InternalError, fault.DataLoss: wire.InternalError,
	fault.Internal: wire.InternalError,
}

// refusal is what the peer is told of a broker's error: the one place where they are translated.
func refusal(err error, vhost string) *wire.Error {
	var known *wire.Error
	if errors.As(err, &known) {
		return known
	}
	var differs *exchange.InequivalentError
	switch {
	case errors.As(err, &differs):
		return inequivalentExchange(differs, vhost)
	case errors.Is(err, exchange.ErrDefaultExchange):
		return refuse(wire.AccessRefused, "operation not permitted on the default exchange")
	case errors.Is(err, broker.ErrUnknownNamespace):
		return refuse(wire.NotAllowed, "vhost %s not found", vhost)
	case errors.Is(err, broker.ErrQueueClosed), errors.Is(err, context.Canceled):
		return refuse(wire.ConnectionForced, "broker forced connection closure with reason 'shutdown'")
	}
	return refuse(replyCodes[fault.CodeOf(err)], "%v", err)
}

// inequivalent is RabbitMQ's error for what exists with another property or argument.
func inequivalent(what, property, received, current string) *wire.Error {
	return failedPrecondition("inequivalent arg '%s' for %s: received %s but current is %s", property, what, received, current)
}

func inequivalentExchange(e *exchange.InequivalentError, vhost string) *wire.Error {
	show := func(v exchange.Value) string {
		switch {
		case v.Kind() == exchange.Absent:
			return "none"
		case e.Received.Kind() != exchange.Absent && e.Current.Kind() != exchange.Absent:
			return "'" + v.String() + "'"
		}
		return fmt.Sprintf("the value '%s' of type 'longstr'", v)
	}
	return inequivalent(exchangeNamed(e.Exchange, vhost), e.Property, show(e.Received), show(e.Current))
}

func noQueue(name, vhost string) *wire.Error {
	return refuse(wire.NotFound, "no %s", queueNamed(name, vhost))
}

func noExchange(name, vhost string) *wire.Error {
	return refuse(wire.NotFound, "no %s", exchangeNamed(name, vhost))
}

// exchangeRefusal is refusal for an operation on one exchange.
func exchangeRefusal(err error, name, vhost string) *wire.Error {
	if errors.Is(err, exchange.ErrNotFound) {
		return noExchange(name, vhost)
	}
	return refusal(err, vhost)
}

// queueRefusal is refusal for an operation on one queue.
func queueRefusal(err error, name, vhost string) *wire.Error {
	if errors.Is(err, catalog.ErrUnknownQueue) || errors.Is(err, broker.ErrQueueDeleted) {
		return noQueue(name, vhost)
	}
	return refusal(err, vhost)
}
