package exchange

// Limits of a table and of a message on its way.
const (
	NameBytesMax           = 255
	KeyBytesMax            = 255
	ExchangesMax           = 20_000
	BindingsPerExchangeMax = 200_000
	ArgumentsMax           = 128       // of an exchange or a binding
	ArgumentBytesMax       = 16 << 10  // of all arguments together, encoded
	KeysPerMessageMax      = 1_024     // routing key, CC and BCC
	VisitsPerMessageMax    = 1_024     // exchanges that one message passes
	StepsPerMessageMax     = 4_000_000 // nodes and bindings that are looked at for one message
	DelayMillisMax         = 1<<32 - 1 // a longer delay counts as none, as its users know it
	DeathsMax              = 256       // entries of a message's history; the oldest go
)
