package stacktest

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
)

// xmlStack is a stack in DescribeStacks.
type xmlStack struct {
	StackName, StackId, StackStatus             string
	StackStatusReason, Description              string `xml:",omitempty"`
	CreationTime, LastUpdatedTime, DeletionTime stamp
	EnableTerminationProtection                 bool
	Parameters                                  []keyed `xml:"Parameters>member"`
	Tags                                        []keyed `xml:"Tags>member"`
	Outputs                                     []keyed `xml:"Outputs>member"`
}

func xmlStackOf(s *stack) xmlStack {
	x := xmlStack{
		StackName: s.name, StackId: s.id, StackStatus: s.status, StackStatusReason: s.reason, CreationTime: stamp{s.created},
		LastUpdatedTime: stamp{s.updated}, DeletionTime: stamp{s.deleted}, EnableTerminationProtection: s.protected,
		Parameters: parametersOf(s.parameters), Tags: tagsOf(s.tags),
	}
	if s.template != nil {
		x.Description = s.template.description
	}
	outputs := s.outputs(&s.content)
	for _, k := range sorted(slices.Collect(maps.Keys(outputs))) {
		x.Outputs = append(x.Outputs, keyed{OutputKey: k, OutputValue: new(outputs[k])})
	}
	return x
}

func parametersOf(values map[string]string) (all []keyed) {
	for _, k := range sorted(slices.Collect(maps.Keys(values))) {
		all = append(all, keyed{ParameterKey: k, ParameterValue: new(values[k])})
	}
	return all
}

func tagsOf(values map[string]string) (all []keyed) {
	for _, k := range sorted(slices.Collect(maps.Keys(values))) {
		all = append(all, keyed{Key: k, Value: new(values[k])})
	}
	return all
}

func sorted[T cmp.Ordered](all []T) []T {
	slices.Sort(all)
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
	var r struct {
		Stacks    []xmlStack `xml:"Stacks>member"`
		NextToken string     `xml:",omitempty"`
	}
	if c.text("StackName") != "" {
		s, err := a.lookUp(c, "Stack with id %s does not exist")
		if err != nil {
			return nil, err
		}
		r.Stacks = []xmlStack{xmlStackOf(s)}
		return r, nil
	}
	var all []xmlStack
	for _, s := range slices.Backward(a.stacks) {
		if s.exists() {
			all = append(all, xmlStackOf(s))
		}
	}
	r.Stacks, r.NextToken = page(a, c, all)
	return r, nil
}

// xmlEvent is an event of a stack.
type xmlEvent struct {
	StackId, StackName, EventId              string
	LogicalResourceId, PhysicalResourceId    string
	ResourceType, ResourceStatus             string
	ResourceStatusReason, ClientRequestToken string `xml:",omitempty"`
	Timestamp                                stamp
}

// describeStackEvents is DescribeStackEvents: the newest first.
func (a *AWS) describeStackEvents(c call) (any, error) {
	s, err := a.lookUp(c, "Stack [%s] does not exist")
	if err != nil {
		return nil, err
	}
	events := slices.Clone(s.events)
	slices.Reverse(events)
	some, next := page(a, c, events)
	var r struct {
		StackEvents []xmlEvent `xml:"StackEvents>member"`
		NextToken   string     `xml:",omitempty"`
	}
	r.NextToken = next
	for _, e := range some {
		r.StackEvents = append(r.StackEvents, xmlEvent{
			StackId: s.id, StackName: s.name, EventId: e.id, LogicalResourceId: e.logical, PhysicalResourceId: e.physical,
			ResourceType: e.kind, ResourceStatus: e.status, ResourceStatusReason: e.reason, ClientRequestToken: e.token, Timestamp: stamp{e.at},
		})
	}
	return r, nil
}

type xmlResource struct {
	LogicalResourceId, PhysicalResourceId, ResourceType, ResourceStatus string
	ResourceStatusReason                                                string `xml:",omitempty"`
	LastUpdatedTimestamp                                                stamp
}

// listStackResources is ListStackResources.
func (a *AWS) listStackResources(c call) (any, error) {
	s, err := a.lookUp(c, "Stack with id %s does not exist")
	if err != nil {
		return nil, err
	}
	var all []xmlResource
	for _, r := range s.resources {
		all = append(all, xmlResource{r.logical, r.physical, r.kind, r.status, r.reason, stamp{r.updated}})
	}
	some, next := page(a, c, all)
	return struct {
		Resources []xmlResource `xml:"StackResourceSummaries>member"`
		NextToken string        `xml:",omitempty"`
	}{some, next}, nil
}

// xmlChange is a change of a change set.
type xmlChange struct {
	Type           string
	ResourceChange struct {
		Action, LogicalResourceId, ResourceType string
		PhysicalResourceId, Replacement         string      `xml:",omitempty"`
		Scope                                   []string    `xml:"Scope>member"`
		Details                                 []xmlDetail `xml:"Details>member"`
	}
}

// xmlDetail tells of one property.
type xmlDetail struct {
	Attribute string `xml:"Target>Attribute"`
	Name      string `xml:"Target>Name,omitempty"`
}

// describeChangeSet is DescribeChangeSet.
func (a *AWS) describeChangeSet(c call) (any, error) {
	s, set, err := a.changeSet(c)
	if err != nil {
		return nil, err
	}
	r := struct {
		ChangeSetName, ChangeSetId, StackId, StackName string
		Status, ExecutionStatus                        string
		StatusReason, OnStackFailure                   string `xml:",omitempty"`
		CreationTime                                   stamp
		Parameters                                     []keyed     `xml:"Parameters>member"`
		Tags                                           []keyed     `xml:"Tags>member"`
		Changes                                        []xmlChange `xml:"Changes>member"`
		NextToken                                      string      `xml:",omitempty"`
	}{
		ChangeSetName: set.name, ChangeSetId: set.id, StackId: s.id, StackName: s.name, Status: set.status,
		ExecutionStatus: set.execution, StatusReason: set.reason, OnStackFailure: set.onFailure, CreationTime: stamp{set.created},
		Parameters: parametersOf(set.want.parameters), Tags: tagsOf(set.want.tags),
	}
	if set.status != "CREATE_COMPLETE" {
		return r, nil
	}
	var all []xmlChange
	for _, ch := range set.changes {
		x := xmlChange{Type: "Resource"}
		of := &x.ResourceChange
		of.Action, of.LogicalResourceId, of.ResourceType, of.PhysicalResourceId = ch.action, ch.resource.logical, ch.resource.kind, ch.physical
		of.Replacement, of.Scope = ch.replacement, ch.scope
		for _, name := range ch.properties {
			of.Details = append(of.Details, xmlDetail{"Properties", name})
		}
		if slices.Contains(ch.scope, "Tags") {
			of.Details = append(of.Details, xmlDetail{Attribute: "Tags"})
		}
		all = append(all, x)
	}
	r.Changes, r.NextToken = page(a, c, all)
	return r, nil
}

// xmlValidation is a failure of a change set's early validation.
type xmlValidation struct {
	StackId, EventId, EventType, OperationType, OperationStatus                     string
	LogicalResourceId, ResourceType                                                 string
	ValidationName, ValidationStatus, ValidationStatusReason, ValidationFailureMode string
	Timestamp                                                                       stamp
}

// describeEvents is DescribeEvents of a change set: what failed in its early validation.
func (a *AWS) describeEvents(c call) (any, error) {
	s, set, err := a.changeSet(c)
	if err != nil {
		return nil, err
	}
	var all []xmlValidation
	for _, r := range set.want.resources {
		if set.status == "FAILED" && s.resource(r.logical) == nil && a.taken(r) {
			all = append(all, xmlValidation{
				StackId: s.id, EventId: "validation-" + r.logical, EventType: "VALIDATION_ERROR", OperationType: "CREATE_CHANGESET",
				OperationStatus: "FAILED", LogicalResourceId: r.logical, ResourceType: r.kind, ValidationName: "NAME_CONFLICT_VALIDATION",
				ValidationStatus: "FAILED", ValidationFailureMode: "FAIL", Timestamp: stamp{set.ready},
				ValidationStatusReason: "Resource of type '" + r.kind + "' with identifier '" + r.physical + "' already exists.",
			})
		}
	}
	return struct {
		OperationEvents []xmlValidation `xml:"OperationEvents>member"`
	}{all}, nil
}
