package group

import (
	"fmt"
	"time"
)

// Config are the settings of a Coordinator. The zero value of a field stands
// for its default, except for InitialRebalanceDelay: start from Defaults.
type Config struct {
	// InitialRebalanceDelay is how long the first members of an empty group
	// wait for others, so that consumers started together share one rebalance.
	// Each newcomer extends it by as much, up to the rebalance timeout.
	// 0 = the first member starts at once.
	//
	// Default 250 ms: enough for the consumers of one process and for
	// containers that start together, and too short for a person who tries
	// things out to notice. (Kafka waits 3 s, and 0 in its quick start.)
	InitialRebalanceDelay time.Duration
	SessionTimeoutMin     time.Duration // default 6 s
	SessionTimeoutMax     time.Duration // default 30 min
	// NewMemberTimeout ends the wait of a member whose first join lasts longer:
	// its connection may be gone, and it cannot send heartbeats. Default 5 min.
	NewMemberTimeout time.Duration
	// RebalanceTimeoutMax bounds what members ask for. Default 24 h.
	RebalanceTimeoutMax time.Duration
	Limits              Limits
}

// Limits bound what peers can make a coordinator hold.
type Limits struct {
	Groups              int // default 100,000
	MembersPerGroup     int // default 5,000; joins beyond get ErrGroupFull
	ProtocolsPerMember  int // default 64
	MemberBytes         int // names and metadata of one member's protocols, default 1 MiB
	GroupBytes          int // the same of a group's members, and their assignments; default 16 MiB
	TotalBytes          int // the same of all groups, default 256 MiB
	IDBytes             int // group, instance and client ids, protocol types; default 1,024
	OffsetMetadataBytes int // text beside a committed offset, default 4,096
}

// Defaults returns the default settings.
func Defaults() Config {
	return Config{
		InitialRebalanceDelay: 250 * time.Millisecond,
		SessionTimeoutMin:     6 * time.Second,
		SessionTimeoutMax:     30 * time.Minute,
		NewMemberTimeout:      5 * time.Minute,
		RebalanceTimeoutMax:   24 * time.Hour,
		Limits: Limits{
			Groups:              100_000,
			MembersPerGroup:     5_000,
			ProtocolsPerMember:  64,
			MemberBytes:         1 << 20,
			GroupBytes:          16 << 20,
			TotalBytes:          256 << 20,
			IDBytes:             1024,
			OffsetMetadataBytes: 4096,
		},
	}
}

func orDefault[T int | time.Duration](v *T, d T) {
	if *v == 0 {
		*v = d
	}
}

// withDefaults fills in what is zero and refuses what cannot work.
func (c Config) withDefaults() (Config, error) {
	d := Defaults()
	orDefault(&c.SessionTimeoutMin, d.SessionTimeoutMin)
	orDefault(&c.SessionTimeoutMax, d.SessionTimeoutMax)
	orDefault(&c.NewMemberTimeout, d.NewMemberTimeout)
	orDefault(&c.RebalanceTimeoutMax, d.RebalanceTimeoutMax)
	orDefault(&c.Limits.Groups, d.Limits.Groups)
	orDefault(&c.Limits.MembersPerGroup, d.Limits.MembersPerGroup)
	orDefault(&c.Limits.ProtocolsPerMember, d.Limits.ProtocolsPerMember)
	orDefault(&c.Limits.MemberBytes, d.Limits.MemberBytes)
	orDefault(&c.Limits.GroupBytes, d.Limits.GroupBytes)
	orDefault(&c.Limits.TotalBytes, d.Limits.TotalBytes)
	orDefault(&c.Limits.IDBytes, d.Limits.IDBytes)
	orDefault(&c.Limits.OffsetMetadataBytes, d.Limits.OffsetMetadataBytes)
	if c.InitialRebalanceDelay < 0 {
		return c, fmt.Errorf("%w: initial rebalance delay %v is negative", ErrInvalidCall, c.InitialRebalanceDelay)
	}
	if c.SessionTimeoutMin < 0 || c.SessionTimeoutMax < c.SessionTimeoutMin {
		return c, fmt.Errorf("%w: session timeouts from %v to %v", ErrInvalidCall, c.SessionTimeoutMin, c.SessionTimeoutMax)
	}
	return c, nil
}
