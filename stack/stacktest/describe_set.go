package stacktest

import "slices"

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
		StatusReason                                   string `xml:",omitempty"`
		OnStackFailure                                 string `xml:",omitempty"`
		CreationTime                                   stamp
		Parameters                                     []keyed     `xml:"Parameters>member"`
		Tags                                           []keyed     `xml:"Tags>member"`
		Capabilities                                   []string    `xml:"Capabilities>member"`
		Changes                                        []xmlChange `xml:"Changes>member"`
		NextToken                                      string      `xml:",omitempty"`
	}{
		ChangeSetName: set.name, ChangeSetId: set.id, StackId: s.id, StackName: s.name, Status: set.status,
		ExecutionStatus: set.execution, StatusReason: set.reason, OnStackFailure: set.onFailure, CreationTime: stamp{set.created},
		Parameters: parametersOf(set.given.parameters), Tags: tagsOf(set.given.tags), Capabilities: set.given.capabilities,
	}
	if set.status != "CREATE_COMPLETE" {
		return r, nil
	}
	var all []xmlChange
	for _, ch := range set.changes {
		x := xmlChange{Type: "Resource"}
		x.ResourceChange.Action, x.ResourceChange.LogicalResourceId, x.ResourceChange.ResourceType = ch.action, ch.logical, ch.kind
		x.ResourceChange.PhysicalResourceId, x.ResourceChange.Replacement, x.ResourceChange.Scope = ch.physical, ch.replacement, ch.scope
		for _, name := range ch.properties {
			x.ResourceChange.Details = append(x.ResourceChange.Details, xmlDetail{"Properties", name})
		}
		if slices.Contains(ch.scope, "Tags") {
			x.ResourceChange.Details = append(x.ResourceChange.Details, xmlDetail{Attribute: "Tags"})
		}
		all = append(all, x)
	}
	r.Changes, r.NextToken = page(a, c, all)
	return r, nil
}

// listChangeSets is ListChangeSets.
func (a *AWS) listChangeSets(c call) (any, error) {
	s, err := a.must(c.text("StackName"), "Stack [%s] does not exist")
	if err != nil {
		return nil, err
	}
	type summary struct {
		ChangeSetName, ChangeSetId, StackId, StackName, Status, ExecutionStatus string
		CreationTime                                                            stamp
	}
	var all []summary
	for _, set := range s.changeSets {
		a.settle(set)
		all = append(all, summary{set.name, set.id, s.id, s.name, set.status, set.execution, stamp{set.created}})
	}
	slices.SortFunc(all, func(x, y summary) int { return x.CreationTime.Compare(y.CreationTime.Time) })
	return struct {
		Summaries []summary `xml:"Summaries>member"`
	}{all}, nil
}

// describeEvents is DescribeEvents, as far as change sets go whose early validation failed.
func (a *AWS) describeEvents(c call) (any, error) {
	if c.text("ChangeSetName") == "" {
		return a.operationEvents(c)
	}
	s, set, err := a.changeSet(c)
	if err != nil {
		return nil, err
	}
	type validation struct {
		StackId, EventId, EventType, OperationType, OperationStatus                     string
		LogicalResourceId, ResourceType                                                 string
		ValidationName, ValidationStatus, ValidationStatusReason, ValidationFailureMode string
		Timestamp                                                                       stamp
	}
	var all []validation
	for _, logical := range set.future.order {
		r := set.future.resources[logical]
		if set.status == "FAILED" && s.resources[logical] == nil && a.kept(r) {
			all = append(all, validation{
				StackId: s.id, EventId: "validation-" + logical, EventType: "VALIDATION_ERROR", OperationType: "CREATE_CHANGESET",
				OperationStatus: "FAILED", LogicalResourceId: logical, ResourceType: r.kind, ValidationName: "NAME_CONFLICT_VALIDATION",
				ValidationStatus: "FAILED", ValidationFailureMode: "FAIL", Timestamp: stamp{set.ready},
				ValidationStatusReason: "Resource of type '" + r.kind + "' with identifier '" + r.physical + "' already exists.",
			})
		}
	}
	return struct {
		OperationEvents []validation `xml:"OperationEvents>member"`
	}{all}, nil
}

// operationEvents are a stack's events, as DescribeEvents has them.
func (a *AWS) operationEvents(c call) (any, error) {
	s, err := a.must(c.text("StackName"), "Stack [%s] does not exist")
	if err != nil {
		return nil, err
	}
	type operationEvent struct {
		xmlEvent
		EventType string
	}
	var all []operationEvent
	for _, e := range slices.Backward(s.events) {
		all = append(all, operationEvent{xmlEvent{
			StackId: s.id, EventId: e.id, LogicalResourceId: e.logical, PhysicalResourceId: e.physical, ResourceType: e.kind,
			ResourceStatus: e.status, ResourceStatusReason: e.reason, ClientRequestToken: e.token, Timestamp: stamp{e.at},
		}, "STACK_EVENT"})
	}
	some, next := page(a, c, all)
	return struct {
		OperationEvents []operationEvent `xml:"OperationEvents>member"`
		NextToken       string           `xml:",omitempty"`
	}{some, next}, nil
}
