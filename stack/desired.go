package stack

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
)

// desired is the desired state of a stack.
type desired struct {
	named   map[string]string // parameters to set
	current *state            // the stack; empty, not nil, if there is none
	all     map[string]string // all parameters after the change
	tags    map[string]string
	code    *Code // nil if there is no function, or it keeps its code
	// codeLater means that the first change set creates the bucket, so only a second one can set the code.
	codeLater bool
}

// desiredFor computes the desired state of a stack; st is nil if there is none.
func (s *session) desiredFor(ctx context.Context, st *state, named map[string]string) (*desired, error) {
	w := &desired{named: maps.Clone(named), current: st}
	switch {
	case s.o.CodeOnly && st == nil:
		return nil, s.errAbsent()
	case s.o.CodeOnly:
		w.named = map[string]string{}
	}
	if st == nil {
		w.current = &state{}
	} else if _, err := s.readSupported(ctx); err != nil {
		return nil, err
	} else if err := s.checkRelease(st); err != nil {
		return nil, err
	}
	if err := s.boundary(ctx, w.named); err != nil {
		return nil, err
	}
	w.all = effectiveParameters(w.named, w.current.params)
	if err := checkTogether(s.name, w.all); err != nil {
		return nil, err
	}
	if w.all[paramAggregator] == valueTrue {
		if err := s.setCode(ctx, w); err != nil {
			return nil, err
		}
	}
	w.tags = s.tags(w)
	return w, nil
}

// checkRelease rejects a stack that a newer release has deployed, or given newer code: this program's template and code would
// change it back.
func (s *session) checkRelease(st *state) error {
	for _, deployed := range []string{st.tags[tagVersion], st.tags[tagFunction]} {
		if olderRelease(s.version, deployed) && !s.o.Downgrade {
			return s.errOlder(deployed)
		}
	}
	return nil
}

// setCode finds the function's code, and sets the parameters for it and its bucket.
func (s *session) setCode(ctx context.Context, w *desired) (err error) {
	if w.code, err = s.findCode(ctx, w); err != nil {
		return err
	}
	if w.current.params[paramBucket] == "" {
		if err := s.readAccount(ctx); err != nil {
			return err
		}
		w.named[paramBucket], w.codeLater = bucketName(s.account, s.region, s.name), true
		if w.current.id != "" {
			exists, err := s.bucketExistsStably(ctx, w.named[paramBucket])
			if err != nil {
				return err
			}
			if exists {
				return fmt.Errorf("%w: the bucket %s of an earlier deployment is not part of the stack %s: delete it, or adopt it: "+
					"run zae-limiter delete --name %s --keep-data, then deploy again", ErrForeign, w.named[paramBucket], s.name, s.name)
			}
		}
	}
	if w.code != nil {
		w.named[paramCodeKey], w.named[paramArchitecture] = codeKey(w.code), w.code.Architecture
	}
	w.all = effectiveParameters(w.named, w.current.params)
	return nil
}

// findCode returns the function's code. It returns nil if the stack keeps its code: that has this version, or there is none.
func (s *session) findCode(ctx context.Context, w *desired) (*Code, error) {
	if s.o.Code != nil {
		return s.o.Code, nil
	}
	architecture, deployed := w.current.params[paramArchitecture], w.current.params[paramCodeKey] != ""
	same := s.o.Architecture == "" || s.o.Architecture == architecture
	if deployed && same && w.current.tags[tagFunction] == s.version && s.version != UnreleasedVersion {
		return nil, nil
	}
	if s.o.Architecture != "" || !deployed {
		architecture = s.o.Architecture
	}
	found, err := FindCode(ctx, architecture)
	switch {
	case !errors.Is(err, ErrNoCode):
	case deployed && same:
		s.report("the function keeps its code: " + err.Error())
		return nil, nil
	case s.planning: // a change set needs the key of the code only; the code is read when it is executed
		s.noCode = err
		return &Code{Architecture: cmp.Or(architecture, defaultArch), Hash: "of-the-deployment"}, nil
	}
	return found, err
}

// boundary replaces the name of a permissions boundary by its ARN.
func (s *session) boundary(ctx context.Context, named map[string]string) error {
	name := named[paramBoundary]
	if name == "" || len(name) > 4 && name[:4] == "arn:" {
		return nil
	}
	if err := s.readAccount(ctx); err != nil {
		return err
	}
	named[paramBoundary] = "arn:" + s.partition + ":iam::" + s.account + ":policy/" + name
	return nil
}

// tags returns the stack's tags, those of the options and this package's own.
func (s *session) tags(w *desired) map[string]string {
	tags := maps.Clone(w.current.tags)
	if tags == nil {
		tags = map[string]string{}
	}
	if w.code != nil {
		tags[tagFunction] = cmp.Or(tagValue(w.code.Version), UnreleasedVersion)
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
	tags[tagVersion], tags[tagSchema] = s.version, strconv.Itoa(schemaVersion)
	return tags
}
