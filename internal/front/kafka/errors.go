package kafka

import (
	"errors"
	"strings"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/catalog"
	"github.com/narumq/naru/internal/commitlog"
	"github.com/narumq/naru/internal/fault"
	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/record"
)

// sentinels are the errors for which the protocol has a code that says more
// than their class does. The first that matches counts.
var sentinels = []struct {
	err  error
	code int16
}{
	{commitlog.ErrOffsetOutOfRange, codeOffsetOutOfRange},
	{commitlog.ErrOutOfOrderSequence, codeOutOfOrderSequence},
	{commitlog.ErrInvalidProducerEpoch, codeInvalidProducerEpoch},
	{commitlog.ErrDeleted, codeUnknownTopicOrPartition},
	{commitlog.ErrClosed, codePolicyViolation}, // final: to send it there again is no use

	{errNotCoordinator, codeNotCoordinator},
	{broker.ErrNotOwner, codeNotLeader},
	{broker.ErrUnknownPartition, codeUnknownTopicOrPartition},
	{broker.ErrForeignBatch, codeInvalidRecord},

	{record.ErrCorrupt, codeCorruptMessage},
	{record.ErrTooLarge, codeMessageTooLarge},
	{record.ErrUnsupportedMagic, codeInvalidRecord},
	{record.ErrInvalidRecord, codeInvalidRecord},
	{record.ErrInvalidTimestamp, codeInvalidTimestamp},

	{catalog.ErrUnknownTopic, codeUnknownTopicOrPartition},
	{catalog.ErrTopicExists, codeTopicAlreadyExists},
	{catalog.ErrInvalidTopicName, codeInvalidTopic},
	{catalog.ErrInternalTopic, codeInvalidTopic},
	{catalog.ErrInvalidPartitions, codeInvalidPartitions},
	{catalog.ErrInvalidConfig, codeInvalidConfig},
	{catalog.ErrLimit, codePolicyViolation},
	{catalog.ErrClosed, codeNotController},

	{group.ErrInvalidGroupID, codeInvalidGroupID},
	{group.ErrUnknownGroup, codeGroupIDNotFound},
	{group.ErrUnknownMember, codeUnknownMemberID},
	{group.ErrMemberIDRequired, codeMemberIDRequired},
	{group.ErrFencedInstance, codeFencedInstanceID},
	{group.ErrIllegalGeneration, codeIllegalGeneration},
	{group.ErrRebalanceInProgress, codeRebalanceInProgress},
	{group.ErrInconsistentProtocol, codeInconsistentProtocol},
	{group.ErrInvalidSessionTimeout, codeInvalidSessionTimeout},
	{group.ErrGroupFull, codeGroupMaxSize},
	{group.ErrTooManyGroups, codePolicyViolation},
	{group.ErrTooLarge, codeInvalidRequest},
	{group.ErrNonEmptyGroup, codeNonEmptyGroup},
	{group.ErrGroupSubscribed, codeGroupSubscribed},
	{group.ErrMetadataTooLarge, codeOffsetMetadataTooLarge},
	{group.ErrUnavailable, codeCoordinatorNotAvailable},
}

// classes are the codes for all other errors. Every class of fault has one; a
// test holds the table to that. Storage errors are retriable, and make clients
// look for the leader again.
var classes = map[fault.Code]int16{
	fault.Unknown:            codeUnknownServerError,
	fault.Canceled:           codeRequestTimedOut,
	fault.DeadlineExceeded:   codeRequestTimedOut,
	fault.InvalidArgument:    codeInvalidRequest,
	fault.NotFound:           codeUnknownTopicOrPartition,
	fault.AlreadyExists:      codeTopicAlreadyExists,
	fault.OutOfRange:         codeOffsetOutOfRange,
	fault.FailedPrecondition: codeInvalidRequest,
	fault.PermissionDenied:   codeClusterAuthorization,
	fault.ResourceExhausted:  codeStorageError, // a full disk
	fault.Aborted:            codeRequestTimedOut,
	fault.Unimplemented:      codeUnsupportedVersion,
	fault.Unavailable:        codeStorageError,
	fault.DataLoss:           codeStorageError, // damage on disk; never served
	fault.Internal:           codeUnknownServerError,
}

// codeOf translates an error; nil is codeNone.
func codeOf(err error) int16 {
	if err == nil {
		return codeNone
	}
	for i := range sentinels {
		if errors.Is(err, sentinels[i].err) {
			return sentinels[i].code
		}
	}
	return classes[fault.CodeOf(err)]
}

// storageAs is a code, or another one in the place of KAFKA_STORAGE_ERROR, where that would be taken for final.
func storageAs(instead, code int16) int16 {
	if code == codeStorageError {
		return instead
	}
	return code
}

// errorTextMax bounds the text that goes with a code.
const errorTextMax = 1000

// textOf is the text that goes with an error, nil for none.
func textOf(err error) *string {
	if err == nil {
		return nil
	}
	return text(err.Error())
}

func text(s string) *string {
	if len(s) > errorTextMax {
		s = s[:errorTextMax] + "…"
	}
	s = strings.ToValidUTF8(s, "?")
	return &s
}
