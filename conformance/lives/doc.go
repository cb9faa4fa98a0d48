// Package lives runs a Naru server that is killed with SIGKILL again and again, on one
// data directory and one port, and started each time: what the programs that do so have in common.
package lives
