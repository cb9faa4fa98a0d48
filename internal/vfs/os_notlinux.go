//go:build !linux

package vfs

// writevAt writes one buffer after the other where no vectored write is used.
func writevAt(o *osFile, bufs [][]byte, off int64) error {
	for _, b := range bufs {
		n, err := o.f.WriteAt(b, off)
		if err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}
