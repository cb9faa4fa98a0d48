package group

import "time"

// Saved is a group as it survives a restart: the last generation that was
// completed, with its assignments, or an empty group.
type Saved struct {
	Group        string
	Generation   int32
	ProtocolType string
	Protocol     string // "" if empty
	Leader       string // "" if empty
	Since        time.Time
	Members      []SavedMember
}

// SavedMember is one member of a Saved group.
type SavedMember struct {
	ID               string
	InstanceID       string
	ClientID         string
	ClientHost       string
	SessionTimeout   time.Duration
	RebalanceTimeout time.Duration
	Metadata         []byte // of the selected protocol
	Assignment       []byte
}
