package server

import (
	"fmt"
	"net"
	"strconv"

	"github.com/narumq/naru/internal/broker"
	"github.com/narumq/naru/internal/front/kafka"
	"github.com/narumq/naru/internal/group"
	"github.com/narumq/naru/internal/journal"
)

// brokerConfig is the broker's part of the configuration.
func (s *Server) brokerConfig(dir string, opt Options) broker.Config {
	groups := group.Defaults()
	groups.InitialRebalanceDelay = s.cfg.GroupInitialDelay
	cfg := broker.Config{
		Dir: dir, FS: opt.FS, Store: opt.Store, Locked: true,
		Journal: journal.Options{
			SegmentBytes: s.cfg.SegmentBytes,
			CacheBytes:   s.cfg.CacheBytes,
			Sync:         s.cfg.Sync,
			Observer:     s.metrics.journalObserver(),
		},
		Groups:            broker.GroupsConfig{Group: groups},
		AutoCreate:        s.cfg.AutoCreateTopics,
		DefaultPartitions: s.cfg.DefaultPartitions,
		Logger:            s.log,
	}
	if m := s.member; m != nil {
		cfg.BatchBytesMax = m.openFlusher(s.metrics).EntryBytesMax()
		cfg.NodeID, cfg.Store, cfg.Slots, cfg.Cluster = m.tenure.Node, m.catalog(), m.cluster.slots(), m
	}
	return cfg
}

// kafkaConfig is the Kafka endpoint's part.
func (s *Server) kafkaConfig() kafka.Config {
	return kafka.Config{
		Broker:     s.broker,
		Advertised: s.advertised(),
		Settings:   s.kafkaSettings(),
		DataDir:    s.cfg.keptIn(),
		Limits: kafka.Limits{
			ConnectionsMax:  s.cfg.ConnectionsMax,
			RequestBytesMax: s.cfg.RequestBytesMax, PipelineBytesMax: s.pipelineBytes(),
		},
		Logger:   s.log,
		Observer: s.metrics.kafkaObserver(),
	}
}

// pipelineBytes is what one connection may have in flight. In a cluster answers take long: a producer that could not fill all objects
// that are stored at a time would leave most of the bucket's time unused.
func (s *Server) pipelineBytes() int64 {
	if s.member == nil {
		return 0 // the default
	}
	return max(kafka.PipelineBytesDefault, s.member.flusher.Load().GatheredBytesMax())
}

// advertised is what clients are told to connect to; nil is the address that
// each of them has connected to already.
func (s *Server) advertised() func(net.Addr) (string, int32) {
	host, port, err := net.SplitHostPort(s.cfg.KafkaAdvertised)
	if err != nil {
		return nil // empty: Load has refused what is malformed
	}
	n, _ := strconv.ParseUint(port, 10, 16)
	return func(net.Addr) (string, int32) { return host, int32(n) }
}

// kafkaSettings are the settings of this process by the names that Kafka's
// tools know, for DescribeConfigs.
func (s *Server) kafkaSettings() map[string]string {
	node := strconv.Itoa(int(s.broker.NodeID()))
	listener := "PLAINTEXT://" + s.kafkaAddr.String()
	advertised := listener
	if s.cfg.KafkaAdvertised != "" {
		advertised = "PLAINTEXT://" + s.cfg.KafkaAdvertised
	}
	groups := group.Defaults()
	return map[string]string{
		"broker.id": node, "node.id": node,
		"process.roles": "broker",
		"listeners":     listener, "advertised.listeners": advertised,
		"log.dir": s.cfg.keptIn(), "log.dirs": s.cfg.keptIn(),
		"auto.create.topics.enable":        strconv.FormatBool(s.cfg.AutoCreateTopics),
		"num.partitions":                   fmt.Sprint(s.cfg.DefaultPartitions),
		"default.replication.factor":       "1",
		"offsets.topic.replication.factor": "1",
		"socket.request.max.bytes":         fmt.Sprint(s.cfg.RequestBytesMax),
		"group.initial.rebalance.delay.ms": fmt.Sprint(s.cfg.GroupInitialDelay.Milliseconds()),
		"group.min.session.timeout.ms":     fmt.Sprint(groups.SessionTimeoutMin.Milliseconds()),
		"group.max.session.timeout.ms":     fmt.Sprint(groups.SessionTimeoutMax.Milliseconds()),
	}
}
