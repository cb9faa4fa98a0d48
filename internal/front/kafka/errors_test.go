package kafka

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/record"
	"github.com/twmb/franz-go/pkg/kerr"
)

func TestEveryClassOfErrorHasACode(t *testing.T) {
	for _, class := range fault.Codes() {
		code, ok := classes[class]
		if !ok || code == codeNone {
			t.Errorf("%v has no code", class)
		}
		if got := codeOf(fault.New(class, "x")); got != code {
			t.Errorf("%v: code %d, want %d", class, got, code)
		}
	}
	if len(classes) != len(fault.Codes()) {
		t.Errorf("%d classes have codes, there are %d", len(classes), len(fault.Codes()))
	}
}

func TestEveryCodeIsOneOfKafkas(t *testing.T) {
	check := func(err error, code int16) {
		if kerr.ErrorForCode(code) == nil || errors.Is(kerr.ErrorForCode(code), kerr.UnknownServerError) && code != codeUnknownServerError {
			t.Errorf("%v: %d is no code of Kafka's", err, code)
		}
	}
	for _, s := range sentinels {
		check(s.err, s.code)
		if got := codeOf(fmt.Errorf("partition 3: %w", s.err)); got != s.code {
			t.Errorf("%v wrapped: %d, want %d", s.err, got, s.code)
		}
	}
	for class, code := range classes {
		check(errors.New(class.String()), code)
	}
	for err, code := range adminCodes {
		check(err, code)
	}
}

func TestCodesOfErrors(t *testing.T) {
	for _, c := range []struct {
		err  error
		want *kerr.Error
	}{
		{commitlog.ErrOffsetOutOfRange, kerr.OffsetOutOfRange},
		{record.ErrCorrupt, kerr.CorruptMessage},
		{fault.New(fault.DataLoss, "damaged on disk"), kerr.KafkaStorageError},
		{fault.New(fault.ResourceExhausted, "disk full"), kerr.KafkaStorageError},
		{fault.New(fault.Unavailable, "closed"), kerr.KafkaStorageError},
		{errors.New("whatever"), kerr.UnknownServerError},
	} {
		if got := codeOf(c.err); got != c.want.Code {
			t.Errorf("%v: %d, want %v", c.err, got, c.want)
		}
	}
	if got := partitionCode(catalog.ErrUnknownTopic, true); got != kerr.UnknownTopicID.Code {
		t.Errorf("unknown by id: %d", got)
	}
	if codeOf(nil) != 0 || textOf(nil) != nil {
		t.Error("nil is an error")
	}
}

func TestATopicThatCannotBeLookedUpIsWaitedFor(t *testing.T) {
	for _, byID := range []bool{false, true} {
		if got := topicCode(fault.New(fault.Unavailable, "the catalog does not answer"), byID); got != kerr.LeaderNotAvailable.Code {
			t.Errorf("by id %v: %d", byID, got)
		}
	}
	if got := topicCode(catalog.ErrUnknownTopic, false); got != kerr.UnknownTopicOrPartition.Code {
		t.Errorf("one that is not there: %d", got)
	}
	if got := topicCode(catalog.ErrUnknownTopic, true); got != kerr.UnknownTopicID.Code {
		t.Errorf("one that is not there, by id: %d", got)
	}
}

// Consumers give up on an error that no coordinator of Kafka's answers with.
func TestStorageErrorsOfGroupsAreTheCoordinators(t *testing.T) {
	for _, c := range []struct {
		err  error
		want *kerr.Error
	}{
		{fault.New(fault.Unavailable, "the bucket was away for too long"), kerr.NotCoordinator},
		{fault.New(fault.ResourceExhausted, "disk full"), kerr.NotCoordinator},
		{broker.ErrNotOwner, kerr.NotCoordinator},
		{broker.ErrQueueClosed, kerr.NotCoordinator},
		{group.ErrUnavailable, kerr.CoordinatorNotAvailable},
		{group.ErrUnknownMember, kerr.UnknownMemberID},
		{catalog.ErrUnknownTopic, kerr.UnknownTopicOrPartition},
		{errors.New("a surprise"), kerr.UnknownServerError},
	} {
		if got := (&call{}).groupCode(fmt.Errorf("commit: %w", c.err)); got != c.want.Code {
			t.Errorf("%v: %d, want %v", c.err, got, c.want)
		}
	}
	if got := (&call{}).groupCode(nil); got != codeNone {
		t.Errorf("nil: %d", got)
	}
}

func TestProducersWaitForAnID(t *testing.T) {
	for err, want := range map[error]*kerr.Error{
		fault.New(fault.Unavailable, "the coordinator does not answer"): kerr.CoordinatorLoadInProgress,
		fault.New(fault.ResourceExhausted, "disk full"):                 kerr.CoordinatorLoadInProgress,
		errors.New("a surprise"):                                        kerr.UnknownServerError,
	} {
		if got := producerIDCode(err); got != want.Code {
			t.Errorf("%v: %d, want %v", err, got, want)
		}
	}
}

func TestErrorTextFitsTheProtocol(t *testing.T) {
	s := *textOf(errors.New(strings.Repeat("\xff", 1<<20)))
	if len(s) > 2*errorTextMax || strings.ToValidUTF8(s, "") != s {
		t.Errorf("%d bytes: %q", len(s), s)
	}
}
