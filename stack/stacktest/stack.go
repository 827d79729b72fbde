package stacktest

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// resource is one that exists in a stack, or will.
type resource struct {
	logical, deletion string // deletion is its DeletionPolicy
	imported          bool   // whether it is to be imported
	Rendered
	status, reason string
	changed        time.Time
}

// event reports one step of an operation: what it concerns, as it is then.
type event struct {
	number int
	token  string
	resource
}

// content is what an operation changes in a stack.
type content struct {
	template         *template
	parameters, tags map[string]string
	resources        []*resource // in the order in which they were created
}

// stack is one of CloudFormation. It is a resource too, whose logical id is its name.
type stack struct {
	resource
	content
	events           []event // the newest first
	changeSets       map[string]*changeSet
	protected        bool
	created, updated time.Time
	before           content                      // what a failed update returns to
	token            string                       // of the current operation, or of the last one
	next             func() (time.Duration, bool) // carries the operation on to its next pause; nil if there is none
	due              time.Time                    // the end of the current pause
}

func (s *stack) inProgress() bool { return strings.HasSuffix(s.status, "_IN_PROGRESS") }

// canUpdate reports whether CloudFormation accepts an update in the stack's status.
func (s *stack) canUpdate() bool {
	return !s.inProgress() && !strings.HasPrefix(s.status, "ROLLBACK_") && !strings.HasSuffix(s.status, "_FAILED")
}

// exists reports whether requests find the stack by its name.
func (s *stack) exists() bool { return s.status != "DELETE_COMPLETE" }

// find returns the resource of a logical id, nil if there is none.
func (c *content) find(logical string) *resource {
	for _, r := range c.resources {
		if r.logical == logical {
			return r
		}
	}
	return nil
}

// without returns the resources that something else does not have.
func (c *content) without(other *content) []*resource {
	return slices.DeleteFunc(slices.Clone(c.resources), func(r *resource) bool { return other.find(r.logical) != nil })
}

// drop removes a resource from the stack.
func (c *content) drop(r *resource) {
	c.resources = slices.DeleteFunc(c.resources, func(of *resource) bool { return of == r })
}

// outputs are those of a stack whose conditions hold, by name.
func (s *stack) outputs(c *content) map[string]string {
	values := map[string]string{}
	scope := newScope(c.template, s.logical, Region, c.parameters)
	for name, output := range c.template.Outputs {
		if scope.holds(output.Condition) {
			values[name] = text(scope.evaluate(output.Value))
		}
	}
	return values
}

// record adds an event of a resource, or of the stack itself.
func (a *AWS) record(s *stack, r *resource, status, reason string) {
	r.status, r.reason, r.changed = status, reason, a.now
	s.events = slices.Insert(s.events, 0, event{len(s.events), s.token, *r})
}

// find returns the stack of a name or an id, nil if there is none; of several with a name, the one that exists.
func (a *AWS) find(nameOrID string) *stack {
	for _, s := range a.stacks {
		if s.ID == nameOrID || s.logical == nameOrID && s.exists() {
			return s
		}
	}
	return nil
}

// newStack returns a stack without events, which is not among the account's yet.
func (a *AWS) newStack(name string) *stack {
	id := fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/00000000-0000-4000-8000-%012d", Region, Account, name, len(a.stacks)+1)
	return &stack{
		resource: resource{logical: name, Rendered: Rendered{Type: "AWS::CloudFormation::Stack", ID: id}},
		content:  content{template: &template{}, parameters: map[string]string{}}, created: a.now, changeSets: map[string]*changeSet{},
	}
}

// wanted returns the stack of a request, which is new if there is none, and what it is to be.
func (a *AWS) wanted(s *stack, c call) (of *stack, want content, problem *Answer) {
	if of = s; s == nil {
		of = a.newStack(c.Get("StackName"))
	}
	given := c.pairs("Parameters", ".ParameterKey", ".ParameterValue")
	for name, previous := range c.pairs("Parameters", ".ParameterKey", ".UsePreviousValue") {
		if previous == "true" {
			given[name] = of.parameters[name]
		}
	}
	body := c.Get("TemplateBody")
	if c.Get("UsePreviousTemplate") == "true" {
		body = of.template.body
	}
	if want, problem = render(body, of.logical, Region, given); problem != nil {
		return nil, want, problem
	}
	for _, r := range want.template.Resources {
		if strings.HasPrefix(r.Type, "AWS::IAM::") && c.set("Capabilities")["CAPABILITY_NAMED_IAM"] == "" {
			return nil, want, &Answer{400, "InsufficientCapabilitiesException", "Requires capabilities : [CAPABILITY_NAMED_IAM]"}
		}
	}
	imports := c.pairs("ResourcesToImport", ".LogicalResourceId", ".ResourceType")
	for _, r := range want.resources {
		r.imported = imports[r.logical] != ""
	}
	if want.tags = c.pairs("Tags", ".Key", ".Value"); len(want.tags) == 0 {
		want.tags = of.tags
	}
	if s == nil {
		a.stacks = slices.Insert(a.stacks, 0, of)
	}
	return of, want, nil
}

// Stack is what tests can read of a stack.
type Stack struct {
	Name, ID, Status, Template string
	Protected                  bool
	Parameters, Tags, Outputs  map[string]string
	Resources                  map[string]string // logical id to physical id
}

// Stack returns the newest stack with a name, even if it is deleted. If there is none, Status is "".
func (a *AWS) Stack(name string) Stack {
	defer a.enter()()
	for _, s := range a.stacks {
		if s.logical == name {
			resources := map[string]string{}
			for _, r := range s.resources {
				resources[r.logical] = r.ID
			}
			return Stack{name, s.ID, s.status, s.template.body, s.protected, s.parameters, s.tags, s.outputs(&s.content), resources}
		}
	}
	return Stack{}
}
