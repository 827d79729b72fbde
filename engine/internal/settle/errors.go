package settle

import "errors"

// errAlone tells a settlement that the write for several leases is not, or was not, made for it.
var errAlone = errors.New("engine: settle alone")

// errOtherLimits tells a write-back that somebody else has made or converted the record meanwhile, to other limits.
var errOtherLimits = errors.New("engine: the bucket has other limits now")

// errLimitGone is why usage is lost whose limit the bucket has no more.
var errLimitGone = errors.New("engine: the bucket does not have the limit any more")
