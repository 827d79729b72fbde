//go:build unix

package bolt

import (
	"os"
	"syscall"
)

// keepOwner gives a file the owner and the group of another one, so that a program can still use its file after an
// administrator has compacted it.
func keepOwner(path string, as os.FileInfo) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	own, ok := info.Sys().(*syscall.Stat_t)
	want, known := as.Sys().(*syscall.Stat_t)
	if !ok || !known || own.Uid == want.Uid && own.Gid == want.Gid {
		return nil
	}
	return os.Chown(path, int(want.Uid), int(want.Gid))
}
