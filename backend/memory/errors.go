package memory

import (
	"fmt"

	"github.com/zeroae/zae-limiter-go/backend"
)

// errNoFeed is returned by Feed of a store that keeps no changes.
var errNoFeed = fmt.Errorf("%w: memory: the store keeps no changes: open it with Options.Feed", backend.ErrInvalid)

func errLengths(writes, out int) error {
	return fmt.Errorf("%w: memory: out has length %d for %d writes or keys: make both equally long", backend.ErrInvalid, out, writes)
}

func errSize(size int) error {
	return fmt.Errorf("%w: memory: the size is %d: use at least 1", backend.ErrInvalid, size)
}

func errPosition(after string) error {
	return fmt.Errorf("%w: memory: %q is not a position of a scan: pass the one that Scan returned", backend.ErrInvalid, after)
}

func errNoLayout(k backend.Key) error {
	return fmt.Errorf("%w: memory: the record for %v has no layout: call Reset with one", backend.ErrInvalid, k)
}

func errLayout(k backend.Key, has, wants *backend.Layout) error {
	return fmt.Errorf("%w: memory: the record of %v was written with layout %s (%p): read it with this one, not with %s (%p)", backend.ErrInvalid,
		k, has.Name(), has, wants.Name(), wants)
}
