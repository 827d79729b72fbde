package stacktest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// resource is one that exists in a stack.
type resource struct {
	declared
	physical   string
	status     string
	reason     string
	properties string // resolved, as JSON
	updated    time.Time
}

// event tells of one step of an operation.
type event struct {
	id, logical, physical, kind string
	status, reason, token       string
	at                          time.Time
}

// stack is one of CloudFormation.
type stack struct {
	name, id       string
	status, reason string
	template       *template
	parameters     map[string]string
	tags           map[string]string
	resources      map[string]*resource
	order          []string // logical ids, as they were made
	events         []event  // the oldest first
	changeSets     map[string]*changeSet
	protected      bool
	policy         string
	created        time.Time
	updated        time.Time
	deleted        time.Time
	steps          []step // of the operation under way
	token          string // of the operation under way, or of the last one
	executed       string // the change set that it came of
	before         *stack // what a failed update goes back to
}

// step is what happens at an instant of an operation.
type step struct {
	at time.Time
	do func()
}

func (s *stack) inProgress() bool { return strings.HasSuffix(s.status, "_IN_PROGRESS") }

// exists tells whether calls find the stack by its name.
func (s *stack) exists() bool { return s.status != "DELETE_COMPLETE" }

func (s *stack) scope() *scope {
	return &scope{t: s.template, stack: s.name, stackID: s.id, parameters: s.parameters, resources: s.resources}
}

// note records an event of a resource; "" is the stack itself.
func (a *AWS) note(s *stack, logical, status, reason string) {
	now := a.now()
	e := event{
		logical: logical, status: status, reason: reason, token: s.token, at: now,
		id: fmt.Sprintf("%s-%s-%04d", logical, status, len(s.events)),
	}
	if logical == "" {
		e.logical, e.physical, e.kind = s.name, s.id, "AWS::CloudFormation::Stack"
		s.status, s.reason = status, reason
		e.id = fmt.Sprintf("%08d-%s", len(s.events), strings.ToLower(status))
	} else if r := s.resources[logical]; r != nil {
		e.physical, e.kind = r.physical, r.kind
		r.status, r.reason, r.updated = status, reason, now
	}
	s.events = append(s.events, e)
}

// find is the stack of a name or an id; of several with a name, the one that exists.
func (a *AWS) find(nameOrID string) *stack {
	for _, s := range slices.Backward(a.stacks) {
		if s.id == nameOrID || s.name == nameOrID && s.exists() {
			return s
		}
	}
	return nil
}

// must is find for calls that fail without a stack.
func (a *AWS) must(nameOrID, form string) (*stack, error) {
	if s := a.find(nameOrID); s != nil {
		return s, nil
	}
	return nil, invalid(form, nameOrID)
}

// newStack is a stack that nothing has happened to.
func (a *AWS) newStack(name string) *stack {
	a.serial++
	s := &stack{
		name: name, created: a.now(), resources: map[string]*resource{}, changeSets: map[string]*changeSet{}, tags: map[string]string{},
		id: fmt.Sprintf("arn:aws:cloudformation:%s:%s:stack/%s/00000000-0000-4000-8000-%012d", Region, Account, name, a.serial),
	}
	a.stacks = append(a.stacks, s)
	return s
}

// given is what a call says of a stack's future.
type given struct {
	template     *template
	parameters   map[string]string
	tags         map[string]string
	capabilities []string
}

// gather reads template, parameters, tags and capabilities of a call, against what the stack has, nil for nothing.
func (a *AWS) gather(c call, s *stack) (given, error) {
	g := given{tags: c.pairs("Tags", "Key", "Value"), capabilities: c.list("Capabilities")}
	var err error
	switch body, address := c.text("TemplateBody"), c.text("TemplateURL"); {
	case body != "" && len(body) > 51200:
		return g, invalid("1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have length less than or equal to 51200")
	case body != "":
		g.template, err = parseTemplate(body)
	case address != "":
		if body, err = a.fetch(address); err == nil {
			g.template, err = parseTemplate(body)
		}
	case c.text("UsePreviousTemplate") == "true" && s != nil && s.template != nil:
		g.template = s.template
	default:
		err = invalid("Either Template URL or Template Body must be specified.")
	}
	if err != nil {
		return g, err
	}
	if len(g.tags) == 0 && s != nil {
		g.tags = maps.Clone(s.tags)
	}
	if need := g.template.capability(); need != "" && !slices.Contains(g.capabilities, need) && !slices.Contains(g.capabilities, "CAPABILITY_NAMED_IAM") {
		return g, &Answer{400, "InsufficientCapabilitiesException", "Requires capabilities : [" + need + "]"}
	}
	g.parameters, err = g.template.values(c, s)
	return g, err
}

// values are the parameters of a call, with what they leave to defaults and to the stack.
func (t *template) values(c call, s *stack) (map[string]string, error) {
	values, named := map[string]string{}, map[string]bool{}
	for n := 1; ; n++ {
		prefix := "Parameters.member." + strconv.Itoa(n) + "."
		name := c.text(prefix + "ParameterKey")
		if name == "" {
			break
		}
		named[name] = true
		values[name] = c.text(prefix + "ParameterValue")
		if c.text(prefix+"UsePreviousValue") == "true" {
			previous, ok := "", false
			if s != nil {
				previous, ok = s.parameters[name]
			}
			if !ok {
				return nil, invalid("Invalid input for parameter key %s. Cannot specify usePreviousValue as true for a parameter key not in the previous template", name)
			}
			values[name] = previous
		}
	}
	var missing []string
	for _, p := range t.parameters {
		_, ok := values[p.name]
		if !ok && p.fallback != nil {
			values[p.name], ok = *p.fallback, true
		}
		if !ok {
			missing = append(missing, p.name)
		} else if len(p.allowed) > 0 && !slices.Contains(p.allowed, values[p.name]) {
			return nil, invalid("Parameter '%s' must be one of AllowedValues", p.name)
		}
		delete(named, p.name)
	}
	unknown := slices.Sorted(maps.Keys(named))
	switch {
	case len(unknown) > 0:
		return nil, invalid("Parameters: [%s] do not exist in the template", strings.Join(unknown, ", "))
	case len(missing) > 0:
		return nil, invalid("Parameters: [%s] must have values", strings.Join(missing, ", "))
	}
	return values, nil
}

// future is the stack as the call wants it: its resources, in order, resolved.
func (g given) future(s *stack) *stack {
	f := &stack{
		name: s.name, id: s.id, template: g.template, parameters: g.parameters, tags: g.tags, resources: map[string]*resource{},
	}
	scope := f.scope()
	for _, d := range g.template.resources {
		if !scope.holds(d.condition) {
			continue
		}
		properties, _ := scope.resolve(d.properties).(map[string]any)
		text, _ := json.Marshal(properties) // maps, slices and scalars
		f.resources[d.logical] = &resource{declared: d, physical: physicalOf(scope, d, properties), properties: string(text)}
		f.order = append(f.order, d.logical)
	}
	return f
}

// outputs are those of a stack whose conditions hold, by name.
func (s *stack) outputs() map[string]string {
	values := map[string]string{}
	if s.template == nil {
		return values
	}
	scope := s.scope()
	for _, name := range s.template.outputs.keys {
		output := s.template.outputs.object(name)
		if scope.holds(output.text("Condition")) {
			values[name] = fmt.Sprint(scope.resolve(output.at("Value")))
		}
	}
	return values
}
