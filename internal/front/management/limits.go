package management

import "time"

// Limits of a request and of what is remembered between them.
const (
	bodyBytesMax        = 2 << 20  // of a request
	publishBytesMax     = 24 << 20 // of one with a message: 16 MiB as base64
	definitionsBytesMax = 64 << 20 // of a file with definitions
	getMessagesMax      = 1_000    // of one get
	getBytesMax         = 16 << 20 // of bodies, but for the last
	pageDefault         = 100      // items
	pageMax             = 500      // items, as in RabbitMQ
	columnsMax          = 200
	patternBytesMax     = 1_024 // of a regular expression
	ratesMax            = 20_000
	rateEvery           = 5 * time.Second // between the two looks that a rate is made of
	rateKept            = time.Minute     // after which nobody has asked, and a look is too old
)
