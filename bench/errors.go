package bench

import "errors"

// errWorkload is a run that was not what it is named after, however fast it was.
var errWorkload = errors.New("bench: not the workload that it is named after")
