package settle

import "errors"

// errAlone tells a settlement that the write for several leases is not, or was not, made for it.
var errAlone = errors.New("engine: settle alone")
