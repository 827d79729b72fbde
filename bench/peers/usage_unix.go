//go:build unix

package peers

import (
	"syscall"
	"time"
)

// used is the processor time that this program has had, the collector's included.
func used() time.Duration {
	var u syscall.Rusage
	must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(syscall.TimevalToNsec(u.Utime) + syscall.TimevalToNsec(u.Stime))
}
