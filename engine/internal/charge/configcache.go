package charge

import (
	"sync"

	"github.com/zeroae/zae-limiter-go/engine/internal/limitset"
)

// configCache shares the configs of entities without a record. Safe for concurrent use.
type configCache struct {
	lock    sync.RWMutex
	configs map[Config]*Config
}

// share returns a config that says what conf does: for an entity without a record the one that is remembered.
func (c *configCache) share(conf Config) *Config {
	if conf.exists {
		return &conf
	}
	c.lock.RLock()
	first := c.configs[conf]
	c.lock.RUnlock()
	if first != nil {
		return first
	}
	c.lock.Lock()
	defer c.lock.Unlock()
	if first := c.configs[conf]; first != nil {
		return first
	}
	if c.configs == nil || len(c.configs) >= limitset.MostCached {
		c.configs = make(map[Config]*Config)
	}
	c.configs[conf] = &conf
	return &conf
}
