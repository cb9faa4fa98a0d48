package catalog

import (
	"fmt"
	"strings"
)

// loadChanges takes in what others changed, if the store knows that: most often it is a topic among thousands. Values are
// not held against those that stay: a load of everything does that. c.mu is held.
func (c *Catalog) loadChanges() (few bool, err error) {
	ops, few := c.shared.Changes()
	if !few {
		return false, nil
	}
	l := newLoading(c.rules)
	l.nextStream, l.nextProducer, l.nextQueue = c.nextStream, c.nextProducer, c.nextQueue
	var gone []string
	for _, op := range ops {
		if op.Value == nil {
			gone = append(gone, op.Key)
		} else if err := l.value(op.Key, op.Value); err != nil {
			return true, err
		}
	}
	if err := l.checkStreams(); err != nil {
		return true, err
	}
	if !l.clusterID.IsZero() && l.clusterID != c.clusterID {
		return true, fmt.Errorf("%w: key %q: the cluster was %s and is now %s", ErrDamaged, keyCluster, c.clusterID, l.clusterID)
	}
	c.nextProducer, c.nextQueue = max(c.nextProducer, l.nextProducer), max(c.nextQueue, l.nextQueue)
	c.nextStream = max(c.nextStream, l.nextStream)
	for _, key := range gone {
		c.forget(key)
	}
	c.takeIn(&l)
	c.isLoaded()
	return true, nil
}

// forget removes what had a key; c.mu is held.
func (c *Catalog) forget(key string) {
	if name, ok := strings.CutPrefix(key, prefixTopic); ok {
		if t, err := c.Topic(name); err == nil {
			c.lost(t)
		}
	}
	if name, ok := strings.CutPrefix(key, prefixQueue); ok {
		c.dropQueue(name)
	}
	if name, ok := strings.CutPrefix(key, prefixUser); ok {
		c.dropUser(name)
	}
	if stream, err := decodeStartKey(key); err == nil {
		delete(c.orphans, stream)
	}
}

// lost removes a topic that another broker deleted, which may have missed log starts that were stored from here.
func (c *Catalog) lost(t *Topic) {
	for _, p := range t.Partitions {
		if _, ok := c.starts[p.Stream]; ok {
			c.orphans[p.Stream] = true
		}
	}
	c.removed(t)
}

// takeIn shows what was decoded beside what there is; c.mu is held.
func (c *Catalog) takeIn(l *loading) {
	for _, t := range l.topics {
		was, err := c.Topic(t.Name)
		if err == nil && was.ID != t.ID { // it was deleted, and made anew
			c.lost(was)
		}
		for i := range t.Partitions {
			p := &t.Partitions[i]
			p.LogStart = max(c.starts[p.Stream], l.starts[p.Stream])
		}
		if err == nil && was.ID == t.ID {
			c.put(t, c.nextStream)
		} else {
			c.added(t, c.nextStream)
		}
	}
	for _, q := range l.queues {
		c.putQueue(q)
	}
	for _, u := range l.users {
		c.showUser(u)
	}
	exists := c.streams(l.starts)
	for stream, o := range l.starts {
		if exists[stream] {
			c.starts[stream] = max(c.starts[stream], o)
		} else {
			c.orphans[stream] = true
		}
	}
}
