package kafka

import (
	"github.com/narumq/naru/internal/catalog"
	wire "github.com/narumq/naru/internal/wire/kafka"
)

// DescribeLogDirs (35), versions 1-4.
//
// Behaviour: the data directory and the bytes of each partition that this broker has in it
// (KIP-113), with the disk's free space from version 4 on (KIP-827).
//
// Deviations: partitions share one journal: sizes are of their records, and what
// waits to be reclaimed is in none of them. The disk's total is not known: -1.
var _ = answer(wire.KeyDescribeLogDirs, describeLogDirs)

func describeLogDirs(c *call, q *wire.DescribeLogDirsRequest) wire.Response {
	s := c.conn.s
	dir := wire.DescribeLogDirsResponseDescribeLogDirsResult{LogDir: s.cfg.DataDir, TotalBytes: -1, UsableBytes: -1}
	if err := s.broker.Ready(); err != nil {
		dir.ErrorCode = c.codeOf(err)
	}
	if free, err := s.broker.FreeBytes(); err == nil {
		dir.UsableBytes = free
	}
	if q.Topics == nil {
		for _, t := range s.listed() {
			dir.Topics = append(dir.Topics, s.logDirTopic(t.Name, allPartitions(t)))
		}
	}
	for _, t := range q.Topics {
		if out := s.logDirTopic(t.Topic, t.Partitions); len(out.Partitions) > 0 {
			dir.Topics = append(dir.Topics, out)
		}
	}
	return &wire.DescribeLogDirsResponse{Results: []wire.DescribeLogDirsResponseDescribeLogDirsResult{dir}}
}

func allPartitions(t *catalog.Topic) []int32 {
	all := make([]int32, len(t.Partitions))
	for i := range all {
		all[i] = int32(i)
	}
	return all
}

// logDirTopic leaves out what does not exist or is elsewhere, as Kafka does.
func (s *Server) logDirTopic(name string, indexes []int32) wire.DescribeLogDirsResponseDescribeLogDirsTopic {
	out := wire.DescribeLogDirsResponseDescribeLogDirsTopic{Name: name}
	for _, i := range indexes {
		if p, err := s.partition(name, wire.UUID{}, i); err == nil {
			out.Partitions = append(out.Partitions, wire.DescribeLogDirsResponseDescribeLogDirsPartition{
				PartitionIndex: i, PartitionSize: p.SizeBytes(),
			})
		}
	}
	return out
}
