package schema

import "errors"

// ErrFormat reports a packed value that this version cannot read: it was written by a newer version, or damaged.
var ErrFormat = errors.New("schema: limits in an unknown format; upgrade this program")
