package main

import (
	"encoding/binary"
	"hash/crc32"
	"time"
)

// batch builds an uncompressed batch of three records with the given producer
// state, by the layout of Kafka's message format, version 2.
func batch(producer int64, epoch int16, sequence int32) []byte {
	const records = 3
	now := time.Now().UnixMilli()
	var body []byte
	for i := range records {
		record := []byte{0, 0}                         // attributes, timestamp delta
		record = binary.AppendVarint(record, int64(i)) // offset delta
		record = binary.AppendVarint(record, -1)       // null key
		record = binary.AppendVarint(record, 1)        // value
		record = append(record, byte('a'+i), 0)        // …, no headers
		body = binary.AppendVarint(body, int64(len(record)))
		body = append(body, record...)
	}
	sum := binary.BigEndian.AppendUint16(nil, 0)          // attributes
	sum = binary.BigEndian.AppendUint32(sum, records-1)   // last offset delta
	sum = binary.BigEndian.AppendUint64(sum, uint64(now)) // first timestamp
	sum = binary.BigEndian.AppendUint64(sum, uint64(now)) // greatest timestamp
	sum = binary.BigEndian.AppendUint64(sum, uint64(producer))
	sum = binary.BigEndian.AppendUint16(sum, uint16(epoch))
	sum = binary.BigEndian.AppendUint32(sum, uint32(sequence))
	sum = binary.BigEndian.AppendUint32(sum, records)
	sum = append(sum, body...)
	out := binary.BigEndian.AppendUint64(nil, 0) // base offset
	out = binary.BigEndian.AppendUint32(out, uint32(len(sum)+9))
	out = binary.BigEndian.AppendUint32(out, 0) // leader epoch
	out = append(out, 2)                        // magic
	out = binary.BigEndian.AppendUint32(out, crc32.Checksum(sum, crc32.MakeTable(crc32.Castagnoli)))
	return append(out, sum...)
}
