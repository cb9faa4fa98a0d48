package catalog

import "github.com/narumq/naru/internal/fault"

var (
	// ErrUnknownTopic: no topic has that name or id.
	ErrUnknownTopic = fault.New(fault.NotFound, "topic does not exist")
	// ErrTopicExists: the name is taken, or differs from one that is taken only
	// in '.' and '_' (see Create).
	ErrTopicExists = fault.New(fault.AlreadyExists, "topic already exists")
	// ErrInvalidTopicName: Kafka's rules for names, and our reserved prefix.
	ErrInvalidTopicName = fault.New(fault.InvalidArgument, "invalid topic name")
	// ErrInvalidPartitions: a number of partitions that cannot be.
	ErrInvalidPartitions = fault.New(fault.InvalidArgument, "invalid number of partitions")
	// ErrInvalidConfig: a setting that is unknown, out of range or unsupported.
	// The text says which and why, and is meant for the user.
	ErrInvalidConfig = fault.New(fault.InvalidArgument, "invalid configuration")
	// ErrInternalTopic: internal topics are not for users to change.
	ErrInternalTopic = fault.New(fault.FailedPrecondition, "topic is internal")
	// ErrUnknownQueue: no queue has that name.
	ErrUnknownQueue = fault.New(fault.NotFound, "queue does not exist")
	// ErrQueueExists: the name is taken.
	ErrQueueExists = fault.New(fault.AlreadyExists, "queue already exists")
	// ErrInvalidQueue: settings of a queue that cannot be. The text says why.
	ErrInvalidQueue = fault.New(fault.InvalidArgument, "invalid queue")
	// ErrTopicInUse: a queue reads the topic.
	ErrTopicInUse = fault.New(fault.FailedPrecondition, "topic is in use")
	// ErrUnknownUser: no user has that name.
	ErrUnknownUser = fault.New(fault.NotFound, "user does not exist")
	// ErrReshard: partitions that cannot be split or merged as asked. The text says why.
	ErrReshard = fault.New(fault.FailedPrecondition, "partitions cannot be split or merged so")
	// ErrUserExists: the name is taken.
	ErrUserExists = fault.New(fault.AlreadyExists, "user already exists")
	// ErrLimit: a named limit of the catalog is reached.
	ErrLimit = fault.New(fault.ResourceExhausted, "catalog limit reached")
	// ErrDamaged: a stored value that nobody wrote, or that contradicts another.
	ErrDamaged = fault.New(fault.DataLoss, "catalog is damaged")
	// ErrNewerVersion: written by a newer version of Naru.
	ErrNewerVersion = fault.New(fault.FailedPrecondition, "catalog was written by a newer version")
	// ErrDiskFull: the change did not fit on the disk. Changes work again when
	// there is space.
	ErrDiskFull = fault.New(fault.ResourceExhausted, "no space left for the catalog")
	// ErrStorage: the store failed a write. Sticky until it is reopened.
	ErrStorage = fault.New(fault.Unavailable, "catalog cannot be written")
	// ErrClosed: the catalog was closed.
	ErrClosed = fault.New(fault.Unavailable, "catalog is closed")
)
