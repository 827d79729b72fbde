package stacktest

import (
	"maps"
	"slices"
	"strconv"
)

// xmlStack is a stack in DescribeStacks.
type xmlStack struct {
	StackName, StackId, StackStatus string
	StackStatusReason               string `xml:",omitempty"`
	Description                     string `xml:",omitempty"`
	ChangeSetId                     string `xml:",omitempty"`
	CreationTime                    stamp
	LastUpdatedTime, DeletionTime   stamp
	EnableTerminationProtection     bool
	Parameters                      []keyed  `xml:"Parameters>member"`
	Tags                            []keyed  `xml:"Tags>member"`
	Outputs                         []keyed  `xml:"Outputs>member"`
	Capabilities                    []string `xml:"Capabilities>member"`
}

func xmlStackOf(s *stack) xmlStack {
	x := xmlStack{
		StackName: s.name, StackId: s.id, StackStatus: s.status, StackStatusReason: s.reason, CreationTime: stamp{s.created},
		LastUpdatedTime: stamp{s.updated}, DeletionTime: stamp{s.deleted}, EnableTerminationProtection: s.protected,
		Parameters: parametersOf(s.parameters), Tags: tagsOf(s.tags),
	}
	if s.template != nil {
		x.Description = s.template.text
	}
	outputs := s.outputs()
	for _, k := range slices.Sorted(maps.Keys(outputs)) {
		v := outputs[k]
		x.Outputs = append(x.Outputs, keyed{OutputKey: k, OutputValue: &v})
	}
	return x
}

func parametersOf(values map[string]string) (all []keyed) {
	for _, k := range slices.Sorted(maps.Keys(values)) {
		v := values[k]
		all = append(all, keyed{ParameterKey: k, ParameterValue: &v})
	}
	return all
}

func tagsOf(values map[string]string) (all []keyed) {
	for _, k := range slices.Sorted(maps.Keys(values)) {
		v := values[k]
		all = append(all, keyed{Key: k, Value: &v})
	}
	return all
}

// page cuts a list as AWS does: the token is where the next page begins.
func page[T any](a *AWS, c call, all []T) (some []T, next string) {
	from, _ := strconv.Atoi(c.text("NextToken"))
	from = min(from, len(all))
	to := min(from+a.pageSize, len(all))
	if to < len(all) {
		next = strconv.Itoa(to)
	}
	return all[from:to], next
}

// describeStacks is DescribeStacks.
func (a *AWS) describeStacks(c call) (any, error) {
	type result struct {
		Stacks    []xmlStack `xml:"Stacks>member"`
		NextToken string     `xml:",omitempty"`
	}
	if name := c.text("StackName"); name != "" {
		s, err := a.must(name, "Stack with id %s does not exist")
		if err != nil {
			return nil, err
		}
		return result{Stacks: []xmlStack{xmlStackOf(s)}}, nil
	}
	var r result
	var all []xmlStack
	for _, s := range slices.Backward(a.stacks) {
		if s.exists() {
			all = append(all, xmlStackOf(s))
		}
	}
	r.Stacks, r.NextToken = page(a, c, all)
	return r, nil
}

// listStacks is ListStacks.
func (a *AWS) listStacks(c call) (any, error) {
	type summary struct {
		StackName, StackId, StackStatus             string
		StackStatusReason, TemplateDescription      string `xml:",omitempty"`
		CreationTime, LastUpdatedTime, DeletionTime stamp
	}
	filter := c.list("StackStatusFilter")
	var all []summary
	for _, s := range slices.Backward(a.stacks) {
		if len(filter) == 0 || slices.Contains(filter, s.status) {
			x := xmlStackOf(s)
			all = append(all, summary{x.StackName, x.StackId, x.StackStatus, x.StackStatusReason, x.Description, x.CreationTime, x.LastUpdatedTime, x.DeletionTime})
		}
	}
	some, next := page(a, c, all)
	return struct {
		StackSummaries []summary `xml:"StackSummaries>member"`
		NextToken      string    `xml:",omitempty"`
	}{some, next}, nil
}

// xmlEvent is an event of a stack.
type xmlEvent struct {
	StackId, StackName, EventId              string
	LogicalResourceId, PhysicalResourceId    string
	ResourceType, ResourceStatus             string
	ResourceStatusReason, ResourceProperties string `xml:",omitempty"`
	ClientRequestToken                       string `xml:",omitempty"`
	Timestamp                                stamp
}

// describeStackEvents is DescribeStackEvents: the newest first.
func (a *AWS) describeStackEvents(c call) (any, error) {
	s, err := a.must(c.text("StackName"), "Stack [%s] does not exist")
	if err != nil {
		return nil, err
	}
	var all []xmlEvent
	for _, e := range slices.Backward(s.events) {
		all = append(all, xmlEvent{
			StackId: s.id, StackName: s.name, EventId: e.id, LogicalResourceId: e.logical, PhysicalResourceId: e.physical,
			ResourceType: e.kind, ResourceStatus: e.status, ResourceStatusReason: e.reason, ClientRequestToken: e.token, Timestamp: stamp{e.at},
		})
	}
	some, next := page(a, c, all)
	return struct {
		StackEvents []xmlEvent `xml:"StackEvents>member"`
		NextToken   string     `xml:",omitempty"`
	}{some, next}, nil
}

// resources are those of a stack that is there, in the order in which they were made.
func (a *AWS) resources(c call) (all []xmlResource, err error) {
	s, err := a.must(c.text("StackName"), "Stack with id %s does not exist")
	if err != nil {
		return nil, err
	}
	for _, logical := range s.order {
		if r := s.resources[logical]; r != nil {
			all = append(all, xmlResource{
				LogicalResourceId: logical, PhysicalResourceId: r.physical, ResourceType: r.kind, ResourceStatus: r.status,
				ResourceStatusReason: r.reason, LastUpdatedTimestamp: stamp{r.updated}, Timestamp: stamp{r.updated},
			})
		}
	}
	return all, nil
}

type xmlResource struct {
	LogicalResourceId, PhysicalResourceId, ResourceType, ResourceStatus string
	ResourceStatusReason                                                string `xml:",omitempty"`
	LastUpdatedTimestamp, Timestamp                                     stamp
}

// listStackResources is ListStackResources.
func (a *AWS) listStackResources(c call) (any, error) {
	all, err := a.resources(c)
	some, next := page(a, c, all)
	return struct {
		Resources []xmlResource `xml:"StackResourceSummaries>member"`
		NextToken string        `xml:",omitempty"`
	}{some, next}, err
}

// describeStackResources is DescribeStackResources.
func (a *AWS) describeStackResources(c call) (any, error) {
	all, err := a.resources(c)
	if logical := c.text("LogicalResourceId"); logical != "" {
		all = slices.DeleteFunc(all, func(r xmlResource) bool { return r.LogicalResourceId != logical })
	}
	return struct {
		Resources []xmlResource `xml:"StackResources>member"`
	}{all}, err
}

// getTemplate is GetTemplate.
func (a *AWS) getTemplate(c call) (any, error) {
	s, err := a.must(c.text("StackName"), "Stack with id %s does not exist")
	if err != nil {
		return nil, err
	}
	body := ""
	if s.template != nil {
		body = s.template.body
	}
	return struct{ TemplateBody string }{body}, nil
}

// xmlParameter is a parameter of a template.
type xmlParameter struct {
	ParameterKey, ParameterType string
	DefaultValue                *string
	Description                 string   `xml:",omitempty"`
	AllowedValues               []string `xml:"ParameterConstraints>AllowedValues>member,omitempty"`
}

// summary is GetTemplateSummary and ValidateTemplate.
func (a *AWS) summary(c call) (any, error) {
	var t *template
	var err error
	switch name := c.text("StackName"); {
	case name != "":
		s, err := a.must(name, "Stack with id %s does not exist")
		if err != nil {
			return nil, err
		}
		t = s.template
	case c.text("TemplateURL") != "":
		var body string
		if body, err = a.fetch(c.text("TemplateURL")); err == nil {
			t, err = parseTemplate(body)
		}
	default:
		t, err = parseTemplate(c.text("TemplateBody"))
	}
	if err != nil {
		return nil, err
	}
	r := struct {
		Description  string
		Parameters   []xmlParameter `xml:"Parameters>member"`
		Capabilities []string       `xml:"Capabilities>member"`
	}{}
	if t == nil { // of a stack in review
		return r, nil
	}
	r.Description = t.text
	for _, p := range t.parameters {
		r.Parameters = append(r.Parameters, xmlParameter{p.name, p.kind, p.fallback, p.text, p.allowed})
	}
	if need := t.capability(); need != "" {
		r.Capabilities = []string{need}
	}
	return r, nil
}
