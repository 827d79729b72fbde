//go:build !unix

package bolt

import "os"

// keepOwner does nothing on systems on which files are not compacted.
func keepOwner(string, os.FileInfo) error { return nil }
