package memory

import (
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
)

// errNoFeed is what Feed answers on a store that keeps no changes.
var errNoFeed = fmt.Errorf("%w: memory: the store was opened without Options.Feed", backend.ErrInvalid)

func errLengths(writes, out int) error {
	return fmt.Errorf("%w: memory: %d outcomes or records for %d writes or keys", backend.ErrInvalid, out, writes)
}

func errSize(size int) error {
	return fmt.Errorf("%w: memory: %d at a time, at least 1", backend.ErrInvalid, size)
}

func errPosition(after string) error {
	return fmt.Errorf("%w: memory: no position of a scan: %q", backend.ErrInvalid, after)
}

func errLayout(k backend.Key, has, wants *backend.Layout) error {
	if wants == nil {
		return fmt.Errorf("%w: memory: no layout is given for the record of %v", backend.ErrInvalid, k)
	}
	return fmt.Errorf("%w: memory: the record of %v has layout %s (%p), not %s (%p)", backend.ErrInvalid,
		k, has.Name(), has, wants.Name(), wants)
}
