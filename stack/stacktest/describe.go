package stacktest

import "slices"

func (a *AWS) describeStack(s *stack) result {
	r := result{
		"StackName": s.name, "StackId": s.id, "StackStatus": s.status, "StackStatusReason": s.reason, "CreationTime": s.created,
		"LastUpdatedTime": s.updated, "DeletionTime": s.deleted, "EnableTerminationProtection": s.protected,
		"Parameters": pairsOf(s.parameters, "ParameterKey", "ParameterValue"), "Tags": pairsOf(s.tags, "Key", "Value"),
		"Outputs": pairsOf(s.outputs(&s.content), "OutputKey", "OutputValue"),
	}
	if s.template != nil {
		r["Description"] = s.template.description
	}
	return r
}

// describeStacks is DescribeStacks.
func (a *AWS) describeStacks(c call) (result, error) {
	var all []*stack
	name := c.text("StackName")
	if s := a.find(name); s != nil {
		all = []*stack{s}
	} else if name != "" {
		return nil, invalid("Stack with id %s does not exist", name)
	} else {
		all = slices.DeleteFunc(slices.Clone(a.stacks), func(s *stack) bool { return !s.exists() })
		slices.Reverse(all)
	}
	stacks, next := page(a, c, all, a.describeStack)
	return result{"Stacks": stacks, "NextToken": next}, nil
}

// describeStackEvents is DescribeStackEvents: the newest first.
func (a *AWS) describeStackEvents(s *stack, c call) (result, error) {
	newest := slices.Clone(s.events)
	slices.Reverse(newest)
	events, next := page(a, c, newest, func(e event) result {
		return result{
			"StackId": s.id, "StackName": s.name, "EventId": e.id, "LogicalResourceId": e.logical, "PhysicalResourceId": new(e.physical),
			"ResourceType": e.kind, "ResourceStatus": e.status, "ResourceStatusReason": e.reason, "ClientRequestToken": e.token, "Timestamp": e.at,
		}
	})
	return result{"StackEvents": events, "NextToken": next}, nil
}

// listStackResources is ListStackResources.
func (a *AWS) listStackResources(s *stack, c call) (result, error) {
	resources, next := page(a, c, s.resources, func(r *resource) result {
		return result{
			"LogicalResourceId": r.logical, "PhysicalResourceId": new(r.ID), "ResourceType": r.Type, "ResourceStatus": r.status,
			"ResourceStatusReason": r.reason, "LastUpdatedTimestamp": r.updated,
		}
	})
	return result{"StackResourceSummaries": resources, "NextToken": next}, nil
}

// describeChangeSet is DescribeChangeSet.
func (a *AWS) describeChangeSet(c call) (result, error) {
	s, set, err := a.changeSet(c)
	if err != nil {
		return nil, err
	}
	r := result{
		"ChangeSetName": set.name, "ChangeSetId": set.id, "StackId": s.id, "StackName": s.name, "Status": set.status,
		"ExecutionStatus": set.execution, "StatusReason": set.reason, "CreationTime": set.created,
		"Parameters": pairsOf(set.want.parameters, "ParameterKey", "ParameterValue"), "Tags": pairsOf(set.want.tags, "Key", "Value"),
	}
	if set.status != "CREATE_COMPLETE" {
		return r, nil
	}
	r["Changes"], r["NextToken"] = page(a, c, set.changes, func(ch change) result {
		var details []result
		for _, name := range ch.properties {
			details = append(details, result{"Target": result{"Attribute": "Properties", "Name": name}})
		}
		if ch.tags {
			details = append(details, result{"Target": result{"Attribute": "Tags"}})
		}
		return result{"Type": "Resource", "ResourceChange": result{
			"Action": ch.action, "LogicalResourceId": ch.resource.logical, "ResourceType": ch.resource.Type, "PhysicalResourceId": ch.physical,
			"Replacement": ch.replacement, "Details": details,
		}}
	})
	return r, nil
}

// describeEvents is DescribeEvents of a change set: what failed in its early validation.
func (a *AWS) describeEvents(c call) (result, error) {
	s, set, err := a.changeSet(c)
	if err != nil {
		return nil, err
	}
	var events []result
	for _, r := range set.want.resources {
		if set.status == "FAILED" && s.resource(r.logical) == nil && a.taken(r) {
			events = append(events, result{
				"StackId": s.id, "EventId": "validation-" + r.logical, "EventType": "VALIDATION_ERROR", "OperationType": "CREATE_CHANGESET",
				"OperationStatus": "FAILED", "LogicalResourceId": r.logical, "ResourceType": r.Type, "ValidationName": "NAME_CONFLICT_VALIDATION",
				"ValidationStatus": "FAILED", "ValidationFailureMode": "FAIL", "Timestamp": set.ready,
				"ValidationStatusReason": "Resource of type '" + r.Type + "' with identifier '" + r.ID + "' already exists.",
			})
		}
	}
	return result{"OperationEvents": events}, nil
}
