//go:build !(linux || darwin || freebsd || netbsd || openbsd)

package dynamolocal

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// Lock only makes the folder: on this system two processes that fetch at once both do the work, and the second fails.
func Lock(_ context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("dynamolocal: %w", err)
	}
	return func() {}, nil
}
