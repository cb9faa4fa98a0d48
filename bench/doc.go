// Command bench runs Naru and Apache Kafka side by side on this machine, with
// one and the same client, and prints a table of ratios.
//
//	cd bench && go run .            # about a quarter of an hour
//	cd bench && go run . --quick    # three to four minutes, one round
//	cd bench && go run . --write    # and put the table into README.md
//
// It needs Go, Java 17 or later, and Maven, which fetches Kafka from Maven
// Central. README.md says what is measured and how.
package main
