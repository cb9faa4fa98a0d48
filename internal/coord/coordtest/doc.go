// Package coordtest holds what every coord.Store must do, as tests. The fake passes
// them in its own package; a real etcd passes them in the module conformance/etcd,
// which has the server.
package coordtest
