package user

// Limits of a user.
const (
	NameBytesMax     = 255
	PasswordBytesMax = 1_024
	TagsMax          = 32
	TagBytesMax      = 255
	PatternBytesMax  = 1_024
	NamespacesMax    = 1_000 // with permissions
	TopicsMax        = 1_000 // exchanges with topic permissions, of all namespaces together
)

// RoundsMax bounds what one login may cost: a hash that asks for more is refused.
const RoundsMax = 10_000_000
