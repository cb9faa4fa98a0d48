// Package amqp091 is the codec of AMQP 0-9-1 as RabbitMQ speaks it: frames, methods, content headers, field tables and
// reply codes.
//
// methods.txt says which methods there are; ./gen turns it into the zz_*.go files, one per class. The package does no I/O,
// knows no broker and has no state of its own. Numbers in comments are sections of the specification,
// AMQP 0-9-1 of November 2008.
//
// A frame on the wire, either way:
//
//	 0      1         3             7                7+size
//	 +------+---------+-------------+------------------+------+
//	 | type | channel | size        | payload          | 0xCE |
//	 | 8    | 16 bits | 32 bits     |                  |      |
//	 +------+---------+-------------+------------------+------+
//
//	method     class 16 | method 16 | arguments
//	header     class 16 | weight 16, 0 | body size 64 | property flags 16 | properties
//	body       bytes of the content
//	heartbeat  nothing
//
// # Methods
//
// Each method is a struct named after class and method, with the protocol's own fields: BasicPublish. DecodeMethod makes a
// new one. Who reads many of the same kind keeps a Reader and the struct: SplitMethod, then Reader.Arguments, which
// allocates nothing for basic.publish and basic.ack once the Reader's Interner has seen the names. Append writes what it is
// given; only a short string that is too long is cut at 255 bytes, since no frame can hold more. Callers who take names
// from elsewhere than AMQP check them first.
//
// A content's properties are passed on as the bytes that came, or parsed into Properties, where Has keeps what is absent
// apart from what is empty.
//
// # Tables
//
// A Table keeps the bytes of the wire. It is checked once, when it is read, and then walked in place: no maps, order and
// duplicates kept, nothing allocated for a header that nobody asks for. RabbitMQ's types of fields differ from the
// specification's; value.go lists them.
//
// # Errors
//
// All errors that decoding returns are *Error, with the code that the peer is to be told: FrameError for a frame that
// cannot be one, SyntaxError for arguments that do not fit, NotImplemented for a method that does not exist.
//
// # What a peer cannot do
//
// A Reader keeps the first error and stays there. It checks each length against the bytes that are left before it uses
// it. Strings and tables are copied out of the frame, each byte once, so that decoding n bytes allocates at most n, plus
// the method itself; and takes time proportional to n. Tables nest at most TableDepthMax deep, and have TableEntriesMax
// fields in all. Nothing here panics on any input.
package amqp091

//go:generate go run ./gen -dir .
