package changes

import "errors"

// Errors of changes. Package engine describes these to its callers.
var (
	ErrEntityNotFound = errors.New("engine: no such entity; check the id, or create it")
	ErrHasChildren    = errors.New("engine: entity has children; move them, or delete with Force")
	ErrCycle          = errors.New("engine: parents would form a cycle or a path longer than 8")
	ErrStale          = errors.New("engine: changed meanwhile, read again")
)
