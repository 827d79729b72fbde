package stacktest

import (
	"slices"
	"strconv"
)

func (a *AWS) describeStack(s *stack) result {
	return result{
		"StackName": s.logical, "StackId": s.ID, "StackStatus": s.status, "StackStatusReason": s.reason, "CreationTime": s.created,
		"LastUpdatedTime": s.updated, "EnableTerminationProtection": s.protected,
		"Parameters": pairsOf(s.parameters, "ParameterKey", "ParameterValue"), "Tags": pairsOf(s.tags, "Key", "Value"),
		"Outputs": pairsOf(s.outputs(&s.content), "OutputKey", "OutputValue"),
	}
}

// describeStacks is DescribeStacks: the newest first.
func (a *AWS) describeStacks(s *stack, c call) (result, *Answer) {
	all := []*stack{s}
	if name := c.Get("StackName"); name == "" {
		all = slices.DeleteFunc(slices.Clone(a.stacks), func(s *stack) bool { return !s.exists() })
	} else if s == nil {
		return nil, invalid("Stack with id %s does not exist", name)
	}
	stacks, next := page(a, c, all, a.describeStack)
	return result{"Stacks": stacks, "NextToken": next}, nil
}

func (a *AWS) describeStackEvents(s *stack, c call) (result, *Answer) {
	events, next := page(a, c, s.events, func(e event) result {
		return result{
			"StackId": s.ID, "StackName": s.logical, "EventId": strconv.Itoa(e.number), "LogicalResourceId": e.logical, "PhysicalResourceId": new(e.ID),
			"ResourceType": e.Type, "ResourceStatus": e.status, "ResourceStatusReason": e.reason, "ClientRequestToken": e.token, "Timestamp": e.changed,
		}
	})
	return result{"StackEvents": events, "NextToken": next}, nil
}

func (a *AWS) listStackResources(s *stack, c call) (result, *Answer) {
	resources, next := page(a, c, s.resources, func(r *resource) result {
		return result{
			"LogicalResourceId": r.logical, "PhysicalResourceId": new(r.ID), "ResourceType": r.Type, "ResourceStatus": r.status,
			"ResourceStatusReason": r.reason, "LastUpdatedTimestamp": r.changed,
		}
	})
	return result{"StackResourceSummaries": resources, "NextToken": next}, nil
}

func (a *AWS) describeChangeSet(_ *stack, set *changeSet, c call) (result, *Answer) {
	status, reason := a.statusOf(set)
	r := result{"ChangeSetName": set.name, "ChangeSetId": set.id, "Status": status, "StatusReason": reason}
	if status == "CREATE_COMPLETE" {
		r["Changes"], r["NextToken"] = page(a, c, set.changes, change.describe)
	}
	return r, nil
}

func (ch change) describe() result {
	var details members
	for _, name := range ch.properties {
		details.All = append(details.All, result{"Target": result{"Attribute": "Properties", "Name": name}})
	}
	if ch.tags {
		details.All = append(details.All, result{"Target": result{"Attribute": "Tags"}})
	}
	return result{"Type": "Resource", "ResourceChange": result{
		"Action": ch.action, "LogicalResourceId": ch.resource.logical, "ResourceType": ch.resource.Type, "PhysicalResourceId": ch.physical,
		"Replacement": ch.replacement, "Details": details,
	}}
}

// describeEvents is DescribeEvents of a change set: what failed in its early validation.
func (a *AWS) describeEvents(s *stack, set *changeSet, _ call) (result, *Answer) {
	var events members
	for _, ch := range set.changes {
		if r := ch.resource; a.conflicts(ch) {
			events.All = append(events.All, result{
				"StackId": s.ID, "EventId": "validation-" + r.logical, "LogicalResourceId": r.logical, "ResourceType": r.Type,
				"Timestamp": set.ready, "ValidationName": "NAME_CONFLICT_VALIDATION", "ValidationStatus": "FAILED",
				"ValidationStatusReason": "Resource of type '" + r.Type + "' with identifier '" + r.ID + "' already exists.",
			})
		}
	}
	return result{"OperationEvents": events}, nil
}
