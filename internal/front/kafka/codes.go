package kafka

// The protocol's error codes that are sent; see "Error codes" in the Kafka
// protocol guide. On the wire: never renumber.
const (
	codeNone                    int16 = 0
	codeUnknownServerError      int16 = -1
	codeOffsetOutOfRange        int16 = 1
	codeCorruptMessage          int16 = 2
	codeUnknownTopicOrPartition int16 = 3
	codeLeaderNotAvailable      int16 = 5
	codeNotLeader               int16 = 6
	codeRequestTimedOut         int16 = 7
	codeMessageTooLarge         int16 = 10
	codeOffsetMetadataTooLarge  int16 = 12
	codeCoordinatorLoading      int16 = 14
	codeCoordinatorNotAvailable int16 = 15
	codeNotCoordinator          int16 = 16
	codeInvalidTopic            int16 = 17
	codeInvalidRequiredAcks     int16 = 21
	codeIllegalGeneration       int16 = 22
	codeInconsistentProtocol    int16 = 23
	codeInvalidGroupID          int16 = 24
	codeUnknownMemberID         int16 = 25
	codeInvalidSessionTimeout   int16 = 26
	codeRebalanceInProgress     int16 = 27
	codeClusterAuthorization    int16 = 31
	codeInvalidTimestamp        int16 = 32
	codeUnsupportedVersion      int16 = 35
	codeTopicAlreadyExists      int16 = 36
	codeInvalidPartitions       int16 = 37
	codeInvalidReplication      int16 = 38
	codeInvalidAssignment       int16 = 39
	codeInvalidConfig           int16 = 40
	codeNotController           int16 = 41
	codeInvalidRequest          int16 = 42
	codePolicyViolation         int16 = 44
	codeOutOfOrderSequence      int16 = 45
	codeInvalidProducerEpoch    int16 = 47
	codeStorageError            int16 = 56
	codeNonEmptyGroup           int16 = 68
	codeGroupIDNotFound         int16 = 69
	codeSessionNotFound         int16 = 70
	codeInvalidSessionEpoch     int16 = 71
	codeFencedLeaderEpoch       int16 = 74
	codeUnknownLeaderEpoch      int16 = 75
	codeUnsupportedCompression  int16 = 76
	codeMemberIDRequired        int16 = 79
	codeGroupMaxSize            int16 = 81
	codeFencedInstanceID        int16 = 82
	codeGroupSubscribed         int16 = 86
	codeInvalidRecord           int16 = 87
	codeUnknownTopicID          int16 = 100
	codeSessionTopicID          int16 = 106
	codeMismatchedEndpoint      int16 = 114
	codeUnsupportedEndpoint     int16 = 115
)
