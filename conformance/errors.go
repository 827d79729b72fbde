package conformance

import "errors"

// errBroken is what a helper reports of a store that breaks the contract.
var errBroken = errors.New("conformance: broken promise")
