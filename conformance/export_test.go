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

// Meaning is the sentence of a promise.
func Meaning(name string) string {
	for _, p := range promises {
		if p.name == name {
			return p.means
		}
	}
	return ""
}

// Needs are the promises that the outcomes of RunEngine name.
func Needs() (needs []string) {
	for _, o := range outcomes {
		needs = append(needs, o.needs...)
	}
	return needs
}
