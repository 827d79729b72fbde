package stack

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"strconv"
)

// wanted is what a call is to bring about.
type wanted struct {
	named map[string]string // parameters
	has   *state            // nil: nothing is there
	all   map[string]string // parameters after it
	tags  map[string]string
	code  *Code // nil: none, or what is there stays
	// upload tells that the code cannot be in the first change set: its bucket is made by that.
	later bool
}

// want finds out, without any effect but the settling of the stack, what there is to be done.
func (s *session) want(ctx context.Context, named map[string]string) (*wanted, error) {
	st, err := s.settle(ctx)
	if err != nil {
		return nil, err
	}
	return s.wantOf(ctx, st, named)
}

func (s *session) wantOf(ctx context.Context, st *state, named map[string]string) (*wanted, error) {
	w := &wanted{named: maps.Clone(named), has: st}
	switch {
	case s.o.CodeOnly && st == nil:
		return nil, s.errAbsent()
	case s.o.CodeOnly:
		w.named = map[string]string{}
	}
	if st == nil {
		w.has = &state{}
	} else if err := s.checkSchema(ctx); err != nil {
		return nil, err
	}
	if err := s.boundary(ctx, w.named); err != nil {
		return nil, err
	}
	w.all = effective(w.named, w.has.params)
	if err := check(s.name, w.all); err != nil {
		return nil, err
	}
	if w.all[paramAggregator] == yes {
		if err := s.wantCode(ctx, w); err != nil {
			return nil, err
		}
	}
	w.tags = s.tags(w)
	return w, nil
}

// wantCode finds the function's code, and names it and its bucket.
func (s *session) wantCode(ctx context.Context, w *wanted) (err error) {
	if w.code, err = s.findCode(ctx, w); err != nil {
		return err
	}
	if w.has.params[paramBucket] == "" {
		if err := s.identify(ctx); err != nil {
			return err
		}
		w.named[paramBucket], w.later = bucketName(s.account, s.region, s.name), true
		if w.has.id != "" {
			there, err := s.stays(ctx, w.named[paramBucket])
			if err != nil {
				return err
			}
			if there {
				return s.errBucketInTheWay(w.named[paramBucket])
			}
		}
	}
	if w.code != nil {
		w.named[paramCodeKey], w.named[paramArchitecture] = codeKey(w.code), w.code.Architecture
	}
	w.all = effective(w.named, w.has.params)
	return nil
}

// findCode is nil where what the stack has stays: it is of this version, or nothing can be found.
func (s *session) findCode(ctx context.Context, w *wanted) (*Code, error) {
	if s.o.Code != nil {
		return s.o.Code, nil
	}
	architecture, deployed := w.has.params[paramArchitecture], w.has.params[paramCodeKey] != ""
	same := s.o.Architecture == "" || s.o.Architecture == architecture
	if deployed && same && w.has.tags[tagFunction] == s.own && s.own != undated {
		return nil, nil
	}
	if s.o.Architecture != "" || !deployed {
		architecture = s.o.Architecture
	}
	found, err := FindCode(ctx, architecture)
	switch {
	case !errors.Is(err, ErrNoCode):
	case deployed && same:
		s.say("the function keeps its code: " + err.Error())
		return nil, nil
	case s.planning: // a change set names the code, and nobody looks for it before it is carried out
		s.noCode = err
		return &Code{Architecture: cmp.Or(architecture, defaultArch), Hash: "of-the-deployment"}, nil
	}
	return found, err
}

// boundary makes an ARN of the name of a policy.
func (s *session) boundary(ctx context.Context, named map[string]string) error {
	name := named[paramBoundary]
	if name == "" || len(name) > 4 && name[:4] == "arn:" {
		return nil
	}
	if err := s.identify(ctx); err != nil {
		return err
	}
	named[paramBoundary] = "arn:" + s.partition + ":iam::" + s.account + ":policy/" + name
	return nil
}

// tags are those that the stack has, those that are asked for, and our own.
func (s *session) tags(w *wanted) map[string]string {
	tags := maps.Clone(w.has.tags)
	if tags == nil {
		tags = map[string]string{}
	}
	if w.code != nil {
		tags[tagFunction] = cmp.Or(tagged(w.code.Version), undated)
	}
	if s.o.CodeOnly {
		return tags
	}
	for key, value := range s.o.Tags {
		if tags[key] = value; value == "" {
			delete(tags, key)
		}
	}
	tags[tagManagedBy], tags[tagPrefix+"name"], tags[tagPrefix+"type"] = managedBy, s.name, "limiter"
	tags[tagVersion], tags[tagSchema] = s.own, strconv.Itoa(schemaVersion)
	return tags
}
