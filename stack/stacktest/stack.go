package stacktest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// resource is one that exists in a stack, or will.
type resource struct {
	declared
	Rendered
	status, reason string
	updated        time.Time
}

// event reports one step of an operation.
type event struct {
	id, logical, physical, kind string
	status, reason, token       string
	at                          time.Time
}

// content is what an operation changes in a stack.
type content struct {
	template   *template
	parameters map[string]string
	tags       map[string]string
	resources  []*resource // in the order in which they were created
}

// stack is one of CloudFormation.
type stack struct {
	content
	name, id       string
	status, reason string
	events         []event // the oldest first
	changeSets     map[string]*changeSet
	protected      bool
	created        time.Time
	updated        time.Time
	deleted        time.Time
	token          string   // of the current operation, or of the last one
	executed       string   // the change set that the operation came from
	before         *content // what a failed update returns to
	operation
}

func (s *stack) inProgress() bool { return strings.HasSuffix(s.status, "_IN_PROGRESS") }

// canUpdate reports whether CloudFormation accepts an update in the stack's status.
func (s *stack) canUpdate() bool {
	return !s.inProgress() && !strings.HasPrefix(s.status, "ROLLBACK_") && !strings.HasSuffix(s.status, "_FAILED")
}

// exists reports whether requests find the stack by its name.
func (s *stack) exists() bool { return s.status != "DELETE_COMPLETE" }

func (c *content) resource(logical string) *resource {
	for _, r := range c.resources {
		if r.logical == logical {
			return r
		}
	}
	return nil
}

// drop removes a resource from the stack.
func (c *content) drop(r *resource) {
	c.resources = slices.DeleteFunc(c.resources, func(of *resource) bool { return of == r })
}

// copied returns a copy that later changes of the stack leave alone.
func (c *content) copied() *content {
	of := &content{c.template, maps.Clone(c.parameters), maps.Clone(c.tags), nil}
	for _, r := range c.resources {
		same := *r
		of.resources = append(of.resources, &same)
	}
	return of
}

// outputs are those of a stack whose conditions hold, by name.
func (s *stack) outputs(c *content) map[string]string {
	values := map[string]string{}
	if c.template == nil {
		return values
	}
	scope := newScope(c.template, s.name, Region, c.parameters)
	for name, of := range c.template.outputs {
		if output := mapping(of); scope.holds(text(output["Condition"])) {
			values[name] = text(scope.evaluate(output["Value"]))
		}
	}
	return values
}

// record adds an event of a resource, or of the stack if r is nil.
func (a *AWS) record(s *stack, r *resource, status, reason string) {
	now := a.now()
	e := event{status: status, reason: reason, token: s.token, at: now}
	if r == nil {
		e.logical, e.physical, e.kind = s.name, s.id, "AWS::CloudFormation::Stack"
		s.status, s.reason = status, reason
		e.id = fmt.Sprintf("%08d-%s", len(s.events), strings.ToLower(status))
	} else {
		e.logical, e.physical, e.kind = r.logical, r.ID, r.Type
		r.status, r.reason, r.updated = status, reason, now
		e.id = fmt.Sprintf("%s-%s-%04d", r.logical, status, len(s.events))
	}
	s.events = append(s.events, e)
}

// find returns the stack of a name or an id, nil if there is none; of several with a name, the one that exists.
func (a *AWS) find(nameOrID string) *stack {
	for _, s := range slices.Backward(a.stacks) {
		if s.id == nameOrID || s.name == nameOrID && s.exists() {
			return s
		}
	}
	return nil
}

// newStack returns a stack without events.
func (a *AWS) newStack(name string) *stack {
	s := &stack{
		name: name, created: a.now(), changeSets: map[string]*changeSet{}, content: content{tags: map[string]string{}},
		id: fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/00000000-0000-4000-8000-%012d", Region, Account, name, len(a.stacks)+1),
	}
	a.stacks = append(a.stacks, s)
	return s
}

// maxBody is the size in bytes of the largest template in a request; a larger one is read from S3.
const maxBody = 51200

// wanted returns what a request wants a stack to be.
func (a *AWS) wanted(c call, s *stack) (want content, err error) {
	body := c.text("TemplateBody")
	switch address := c.text("TemplateURL"); {
	case len(body) > maxBody:
		return want, invalid("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200")
	case address != "":
		body, err = a.fetch(address)
	case c.text("UsePreviousTemplate") == "true" && s.template != nil:
		body = s.template.body
	}
	if err == nil {
		want.template, err = parseTemplate(body)
	}
	if err != nil {
		return want, err
	}
	if named := func(d declared) bool { return strings.HasPrefix(d.kind, "AWS::IAM::") }; slices.ContainsFunc(want.template.resources, named) &&
		!slices.Contains(c.list("Capabilities"), "CAPABILITY_NAMED_IAM") {
		return want, &Answer{400, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]"}
	}
	if want.tags = c.pairs("Tags", "Key", "Value"); len(want.tags) == 0 {
		want.tags = maps.Clone(s.tags)
	}
	given := c.pairs("Parameters", "ParameterKey", "ParameterValue")
	for n := range len(given) {
		if prefix := fmt.Sprintf("Parameters.member.%d.", n+1); c.text(prefix+"UsePreviousValue") == "true" {
			given[c.text(prefix+"ParameterKey")] = s.parameters[c.text(prefix+"ParameterKey")]
		}
	}
	if want.parameters, err = want.template.complete(given); err == nil {
		want.resources = newScope(want.template, s.name, Region, want.parameters).render()
	}
	return want, err
}
