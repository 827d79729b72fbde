package engine

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/zeroae/zae-limiter-go/engine/bucket"
	"github.com/zeroae/zae-limiter-go/engine/internal/names"
	"github.com/zeroae/zae-limiter-go/engine/schema"
)

// checkName returns a *ValidationError unless the rule allows the name in a field.
func checkName(r *names.Rule, field, name string) error {
	if r.Allows(name) {
		return nil
	}
	return &ValidationError{field, name, r.Text}
}

func checkEntityID(field, id string) error {
	if names.Entity(id) {
		return nil
	}
	return &ValidationError{field, id, names.EntityText}
}

func checkEntity(id string) error     { return checkEntityID("Entity", id) }
func checkResource(name string) error { return checkName(names.Resource, "Resource", name) }

// checkBucket checks the names of a bucket.
func checkBucket(entity, resource string) error {
	if err := checkEntity(entity); err != nil {
		return err
	}
	return checkResource(resource)
}

// checkTarget checks an entity and a resource, which may be "" for all resources.
func checkTarget(entity, resource string) error {
	if err := checkEntity(entity); err != nil || resource == "" {
		return err
	}
	return checkResource(resource)
}

// checkFilter checks an entity and a resource, each of which may be "" for all.
func checkFilter(entity, resource string) error {
	if entity != "" {
		return checkTarget(entity, resource)
	}
	if resource != "" {
		return checkResource(resource)
	}
	return nil
}

// checkLimit returns what is wrong with a limit, nil if nothing is.
func checkLimit(l Limit) *bucket.Fault {
	if !names.Limit.Allows(l.Name) {
		return &bucket.Fault{Field: "Name", Value: l.Name, Reason: names.Limit.Text}
	}
	return l.Check()
}

// checkLimits checks limits that are to be stored, which must not be empty.
func checkLimits(field string, limits []Limit) error {
	if len(limits) == 0 {
		return &ValidationError{field, limits, "must not be empty; delete the limits instead"}
	}
	return checkGiven(field, limits)
}

// checkGiven checks the limits of a request, which may be empty.
func checkGiven(field string, limits []Limit) error {
	if len(limits) > schema.MaxLimits {
		return &ValidationError{field, len(limits), "a bucket holds at most " + strconv.Itoa(schema.MaxLimits) + " limits"}
	}
	for i, l := range limits {
		if fault := checkLimit(l); fault != nil {
			return &ValidationError{field + "[" + l.Name + "]." + fault.Field, fault.Value, fault.Reason}
		}
		same := func(o Limit) bool { return o.Name == l.Name }
		if slices.IndexFunc(limits, same) != i {
			return &ValidationError{field, l.Name, "is named twice"}
		}
	}
	return nil
}

// checkTokens returns a *ValidationError unless all amounts are from lowest to 10^15.
func checkTokens(field string, tokens Tokens, lowest int64) error {
	if len(tokens) == 0 {
		return &ValidationError{field, "", "must name at least one limit"}
	}
	for name, n := range tokens {
		if n < lowest || n > bucket.MaxAmount {
			return &ValidationError{field + "[" + name + "]", n, fmt.Sprintf("must be %d to 10^15 tokens", lowest)}
		}
	}
	return nil
}

// checkPolicy checks a policy that is to be stored.
func checkPolicy(field string, p Policy) error {
	if p > PolicyLocal {
		return &ValidationError{field, p, "must be PolicyDefault, PolicyBlock, PolicyAllow or PolicyLocal"}
	}
	return nil
}

// checkUsable checks a policy that is to decide: the last one that may be named depends on the options.
func checkUsable(field string, p, last Policy) error {
	if p == PolicyLocal && last < PolicyLocal {
		return &ValidationError{field, p, "needs Options.LocalShare: set it to the part of each limit that this process may admit by itself"}
	}
	return checkPolicy(field, p)
}

// checkRequest returns a *ValidationError for everything that is wrong whatever limits are configured.
func checkRequest(r *Request, last Policy) error {
	if err := checkScope(r, last); err != nil {
		return err
	}
	return checkTokens("Consume", r.Consume, 0)
}

// checkScope is checkRequest without the check of the amounts.
func checkScope(r *Request, last Policy) error {
	if err := checkBucket(r.Entity, r.Resource); err != nil {
		return err
	}
	if err := checkGiven("Limits", r.Limits); err != nil {
		return err
	}
	if err := checkGiven("Override", r.Override); err != nil {
		return err
	}
	return checkUsable("OnUnavailable", r.OnUnavailable, last)
}

// check returns what is wrong with the request of the attempt.
func (a *attempt) check() error {
	r := Request{Entity: a.ID.Entity, Resource: a.ID.Resource, Consume: a.Consume, Limits: a.Limits, Override: a.Override, OnUnavailable: a.onUnavailable}
	if a.Inspects && len(r.Consume) == 0 {
		return checkScope(&r, a.lastPolicy)
	}
	return checkRequest(&r, a.lastPolicy)
}
