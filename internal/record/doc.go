// Package record reads, checks, patches and builds record batches in Kafka's
// format v2 (magic 2): the unit in which the log stores and transfers records.
//
// # Bytes
//
// All integers are big-endian; offsets in the diagram are bytes from the start
// of the batch (Apache Kafka, "Implementation", section "Record Batch").
//
//	 0        8      12          16    17   21         23
//	+--------+------+-----------+-----+----+----------+----------------+
//	| base   | len  | leader    |magic| crc| attri-   | last offset    |
//	| offset | (1)  | epoch     | = 2 | (2)| butes (3)| delta          |
//	+--------+------+-----------+-----+----+----------+----------------+
//	 27         35         43        51       53         57     61
//	+----------+----------+---------+--------+----------+------+---------
//	| base     | max      | pro-    | pro-   | base     | count| records
//	| timestamp| timestamp| ducer id| ducer  | sequence |      | (4) ...
//	|          |          |         | epoch  |          |      |
//	+----------+----------+---------+--------+----------+------+---------
//
//	(1) bytes after this field: the whole batch has 12 more.
//	(2) CRC-32C of everything from attributes to the end. Base offset, length,
//	    leader epoch and magic are outside, so a broker may set the first and
//	    the third without touching the checksum.
//	(3) bits 0-2 codec, 3 log append time, 4 transactional, 5 control,
//	    6 the base timestamp is a delete horizon.
//	(4) the records, as one compressed block unless the codec is none.
//
//	record  = length varint | attributes int8 | timestamp delta varlong |
//	          offset delta varint | key | value | header count varint | header*
//	key, value = length varint (-1 = null) | bytes
//	header  = key length varint | key | value length varint (-1 = null) | value
//
// Varints are zigzag encoded, at most 5 bytes (varlong 10).
//
// # What is promised
//
//   - No input makes a function of this package panic or allocate more than
//     its Limits allow. Sizes that a batch claims are never allocated unseen.
//   - Check allocates nothing and copies nothing.
//   - A batch that Check accepts and whose codec is None can be read to its
//     last record by any correct reader. A compressed batch is passed through
//     without being decompressed: its checksum, header and codec are known to
//     be good, what the producer wrapped in it is found out by its readers.
//     (Kafka decompresses on the broker to look; Naru leaves that to those who
//     pay for it, and its own Reader is safe against what it may find.)
//   - Null and empty keys, values and header values stay apart.
//
// Functions of this package hold no locks and start no goroutines; decoders and
// encoders are pooled and safe for concurrent use. A Reader or Builder belongs
// to one goroutine at a time.
package record
