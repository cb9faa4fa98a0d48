package group

import "github.com/narumq/naru/internal/fault"

// The answers that are not successes. A front end translates them by identity;
// those that it does not know it translates by their code.
var (
	// ErrInvalidGroupID says that a group id is empty or longer than the limit.
	ErrInvalidGroupID = fault.New(fault.InvalidArgument, "group: invalid group id")
	// ErrUnknownGroup says that no group of that name exists.
	ErrUnknownGroup = fault.New(fault.NotFound, "group: no such group")
	// ErrUnknownMember says that the member is not, or no longer, part of the
	// group. The member forgets its id and joins anew.
	ErrUnknownMember = fault.New(fault.NotFound, "group: no such member")
	// ErrMemberIDRequired tells a new member the id with which to join again
	// (KIP-394).
	ErrMemberIDRequired = fault.New(fault.FailedPrecondition, "group: join again with the member id given")
	// ErrFencedInstance says that another member has taken this instance id
	// since (KIP-345). It is fatal to the one that is told.
	ErrFencedInstance = fault.New(fault.Aborted, "group: the instance id belongs to another member")
	// ErrIllegalGeneration says that the call speaks for a generation that is
	// not the current one.
	ErrIllegalGeneration = fault.New(fault.Aborted, "group: not the current generation")
	// ErrRebalanceInProgress asks the member to join again.
	ErrRebalanceInProgress = fault.New(fault.Aborted, "group: rebalance in progress")
	// ErrInconsistentProtocol says that the member and the group have no
	// protocol in common, or that it speaks of another than the one selected.
	ErrInconsistentProtocol = fault.New(fault.InvalidArgument, "group: no protocol in common with the group")
	// ErrInvalidSessionTimeout says that a session timeout is outside of the
	// configured bounds.
	ErrInvalidSessionTimeout = fault.New(fault.InvalidArgument, "group: session timeout out of bounds")
	// ErrInvalidCall says that a call contradicts itself or lacks what it needs.
	ErrInvalidCall = fault.New(fault.InvalidArgument, "group: invalid call")
	// ErrGroupFull says that the group has as many members as it may have.
	ErrGroupFull = fault.New(fault.ResourceExhausted, "group: too many members")
	// ErrTooManyGroups says that the broker keeps as many groups as it may.
	ErrTooManyGroups = fault.New(fault.ResourceExhausted, "group: too many groups")
	// ErrTooLarge says that member metadata or assignments exceed a limit.
	ErrTooLarge = fault.New(fault.ResourceExhausted, "group: metadata or assignment too large")
	// ErrNonEmptyGroup says that the group still has members.
	ErrNonEmptyGroup = fault.New(fault.FailedPrecondition, "group: the group has members")
	// ErrGroupSubscribed says that a member of the group subscribes to the topic.
	ErrGroupSubscribed = fault.New(fault.FailedPrecondition, "group: a member subscribes to the topic")
	// ErrMetadataTooLarge says that the text beside a committed offset is longer
	// than Limits.OffsetMetadataBytes.
	ErrMetadataTooLarge = fault.New(fault.InvalidArgument, "group: the offset's metadata is too large")
	// ErrUnavailable says that the coordinator is starting, stopping, or could
	// not store the group: the caller may try again.
	ErrUnavailable = fault.New(fault.Unavailable, "group: coordinator not available")
	// ErrCorrupt says that stored bytes cannot be decoded.
	ErrCorrupt = fault.New(fault.DataLoss, "group: corrupt state")
	// ErrNewerFormat says that stored bytes were written by a newer version.
	ErrNewerFormat = fault.New(fault.Unimplemented, "group: state written by a newer version")
)
