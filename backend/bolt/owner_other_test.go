//go:build !unix

package bolt

import "os"

func sameOwner(os.FileInfo, os.FileInfo) bool { return true }
