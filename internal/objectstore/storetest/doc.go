// Package storetest holds what every objectstore.Store must do, as tests. The fake
// passes them in its own package; real servers pass them in the module
// conformance/s3, which has the servers.
package storetest
