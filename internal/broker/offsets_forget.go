package broker

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/narumq/naru/internal/group"
)

// DeleteOffsets forgets committed offsets of a group. If the reply's Err is set,
// nothing was deleted: group.ErrUnknownGroup, group.ErrNonEmptyGroup (members
// whose subscriptions are not known). Errs is as of a commit; an offset that
// there was not is deleted too.
func (g *Groups) DeleteOffsets(id string, topics []WantedTopic, reply func(CommitOffsetsResponse)) {
	errs := make([][]error, len(topics))
	for i, t := range topics {
		errs[i] = make([]error, len(t.Partitions))
		for j, n := range t.Partitions {
			errs[i][j] = g.cfg.CheckPartition(t.Topic, n)
		}
	}
	g.mu.Lock()
	defer g.unlock()
	check, err := g.mayDeleteOffsets(id)
	if err != nil {
		g.send(func() { reply(CommitOffsetsResponse{Err: err}) })
		return
	}
	var cmds []group.Command
	for i, t := range topics {
		subscribed := check(t.Topic)
		for j, n := range t.Partitions {
			if errs[i][j] == nil {
				errs[i][j] = subscribed
			}
			if errs[i][j] == nil {
				cmds = append(cmds, group.ForgetOffset(id, group.PartitionKey{Topic: t.Topic, Partition: n}))
			}
		}
	}
	g.append(cmds, func(err error) {
		if err != nil {
			errs = nil
		}
		reply(CommitOffsetsResponse{Err: err, Errs: errs})
	})
}

func (g *Groups) mayDeleteOffsets(id string) (func(topic string) error, error) {
	if g.log == nil {
		return nil, group.ErrUnavailable
	}
	if !g.core.Has(id) && !g.machine.has(id) {
		return nil, fmt.Errorf("%w: %q", group.ErrUnknownGroup, id)
	}
	return g.core.CheckOffsetDelete(id)
}

// DropTopicOffsets forgets all groups' offsets of a topic that was deleted: call
// it once CheckPartition refuses the topic. done, which may be nil, is called
// when that is durable.
func (g *Groups) DropTopicOffsets(topic string, done func(error)) {
	g.mu.Lock()
	defer g.unlock()
	g.drops++
	g.append([]group.Command{group.ForgetTopic(topic)}, func(err error) {
		if done != nil {
			done(err)
		}
	})
}

// RetainTopicOffsets forgets the offsets of every topic that does not exist, to
// finish deletions that a crash interrupted. Call it once after Start.
func (g *Groups) RetainTopicOffsets(exists func(topic string) bool) {
	var topics []string
	g.machine.read(func(t *group.Table) { topics = t.Topics() })
	for _, topic := range topics {
		if !exists(topic) {
			g.DropTopicOffsets(topic, func(err error) {
				if err != nil {
					g.cfg.Log.Warn("offsets of a deleted topic not dropped", "topic", topic, "err", err)
				}
			})
		}
	}
}

// expireCommandsMax bounds one append to the state log.
const expireCommandsMax = 10_000

// expireOffsets forgets offsets that nobody used for the time of retention, and
// empty groups that have none left. g.mu is held.
func (g *Groups) expireOffsets(now time.Time) {
	var cmds []group.Command
	for _, id := range g.knownGroups() {
		if g.inFlight[id] == 0 { // a commit under way may refresh what looks old
			cmds = g.expireGroup(cmds, id, now)
		}
	}
	for some := range slices.Chunk(cmds, expireCommandsMax) {
		g.append(some, func(err error) {
			if err != nil {
				g.cfg.Log.Warn("expired offsets not dropped", "commands", len(some), "err", err)
				return
			}
			g.cfg.Log.Info("dropped expired offsets and empty groups", "commands", len(some))
		})
	}
}

func (g *Groups) knownGroups() []string {
	ids := map[string]struct{}{}
	for _, id := range g.machine.groups() {
		ids[id] = struct{}{}
	}
	for _, l := range g.core.List() {
		ids[l.Group] = struct{}{}
	}
	return slices.Sorted(maps.Keys(ids))
}

func (g *Groups) expireGroup(cmds []group.Command, id string, now time.Time) []group.Command {
	var expired []group.PartitionKey
	left := 0
	g.machine.read(func(t *group.Table) {
		expired = t.Expired(id, now, g.cfg.OffsetsRetention, g.core.UnusedSince(id))
		left = t.Count(id) - len(expired)
	})
	if left == 0 {
		err := g.core.Delete(id)
		if err == nil || errors.Is(err, group.ErrUnknownGroup) {
			return append(cmds, group.ForgetGroup(id))
		}
	}
	for _, p := range expired {
		cmds = append(cmds, group.ForgetOffset(id, p))
	}
	return cmds
}
