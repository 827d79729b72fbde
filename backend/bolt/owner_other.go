//go:build !unix

package bolt

import "os"

// keepOwner has nothing to do where files are not compacted.
func keepOwner(string, os.FileInfo) error { return nil }
