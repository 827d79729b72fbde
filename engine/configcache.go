package engine

import (
	"sync"

	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
)

// configCache shares the configs of entities without a record. Safe for concurrent use.
type configCache struct {
	lock    sync.RWMutex
	configs map[config]*config
}

// share returns the config that is remembered for what c says: c, or one that came first.
func (c *configCache) share(conf *config) *config {
	c.lock.RLock()
	first := c.configs[*conf]
	c.lock.RUnlock()
	if first != nil {
		return first
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if first := c.configs[*conf]; first != nil {
		return first
	}
	if c.configs == nil || len(c.configs) >= limitset.MostCached {
		c.configs = make(map[config]*config)
	}
	shared := *conf
	c.configs[shared] = &shared
	return &shared
}
