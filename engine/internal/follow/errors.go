package follow

import "errors"

// Why a look does not vouch for what is in memory.
var (
	errInvisible = errors.New("engine: an audit event that this process wrote is not in the index after a minute")
	errFlooded   = errors.New("engine: too many new entries in the index of audit events, again and again")
)
