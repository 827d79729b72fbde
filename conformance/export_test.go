package conformance

import "time"

// SetPatience shortens the waiting for stores that are broken on purpose.
func SetPatience(d time.Duration) { patience = d }

// Promises are the names of the subtests of Run.
func Promises() []string {
	var names []string
	for _, p := range promises {
		names = append(names, p.name)
	}
	return names
}
