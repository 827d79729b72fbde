package engine

import "sync"

// mostPlans bounds a planCache; configurations are few, and whoever makes more of them pays for unpacking.
const mostPlans = 4096

// planCache shares the plans of equal texts, so that comparing pointers mostly suffices. Safe for concurrent use.
type planCache struct {
	lock  sync.RWMutex
	plans map[string]*plan
}

// get is the plan of a record's L; schema.ErrFormat where it cannot be read.
func (c *planCache) get(text string) (*plan, error) {
	c.lock.RLock()
	p := c.plans[text]
	c.lock.RUnlock()
	if p != nil {
		return p, nil
	}
	p, err := unpackPlan(text)
	if err != nil {
		return nil, err
	}
	return c.share(p), nil
}

// share returns the plan that is remembered for p's text: p, or one that came first.
func (c *planCache) share(p *plan) *plan {
	c.lock.Lock()
	defer c.lock.Unlock()
	if first := c.plans[p.text]; first != nil {
		return first
	}
	if c.plans == nil || len(c.plans) >= mostPlans {
		c.plans = make(map[string]*plan)
	}
	c.plans[p.text] = p
	return p
}

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
	if c.configs == nil || len(c.configs) >= mostPlans {
		c.configs = make(map[config]*config)
	}
	shared := *conf
	c.configs[shared] = &shared
	return &shared
}
