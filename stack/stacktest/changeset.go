package stacktest

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// changeSet is what would be done to a stack.
type changeSet struct {
	name, id, kind string
	want           content
	changes        []change
	ready          time.Time
	failure        string // why it will have failed when it is ready, "" if it will not
}

// change is what is done to one resource.
type change struct {
	action                string    // Add, Import, Modify or Remove
	resource              *resource // as it will be; the one that is removed
	physical, replacement string
	properties            []string // that differ
	tags                  bool     // whether the tags differ
}

func (a *AWS) createChangeSet(s *stack, c call) (result, *Answer) {
	stackName, name, kind := c.Get("StackName"), c.Get("ChangeSetName"), c.Get("ChangeSetType")
	isNew := s == nil || s.status == "REVIEW_IN_PROGRESS"
	switch {
	case kind == "CREATE" && !isNew:
		return nil, &Answer{400, "AlreadyExistsException", fmt.Sprintf("Stack [%s] already exists and cannot be created again with the changeSet [%s].", stackName, name)}
	case kind == "UPDATE" && s == nil:
		return nil, invalid("Stack [%s] does not exist", stackName)
	case !isNew && !s.canUpdate():
		return nil, invalid("Stack:%s is in %s state and can not be updated.", s.ID, s.status)
	}
	s, want, problem := a.wanted(s, c)
	if problem != nil {
		return nil, problem
	}
	if s.status == "" {
		a.record(s, &s.resource, "REVIEW_IN_PROGRESS", "User Initiated")
	}
	id := strings.Replace(s.ID, ":stack/"+stackName, ":changeSet/"+name, 1)
	set := &changeSet{name: name, id: id, kind: kind, want: want, changes: changesOf(&s.content, &want), ready: a.now.Add(a.pace)}
	if problem := a.examine(s, set); problem != nil {
		return nil, problem
	}
	s.changeSets[name] = set
	return result{"Id": set.id, "StackId": s.ID}, nil
}

// examine finds out whether a change set can be executed.
func (a *AWS) examine(s *stack, set *changeSet) *Answer {
	for _, r := range set.want.resources {
		if r.imported && r.deletion == "" {
			return invalid("Resources %s is missing DeletionPolicy attribute. All resources to import must have a DeletionPolicy attribute.", r.logical)
		}
	}
	if a.early && slices.ContainsFunc(set.changes, a.conflicts) {
		set.failure = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. " +
			"To troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information."
	}
	same := len(set.changes) == 0 && maps.Equal(s.tags, set.want.tags) && maps.Equal(s.outputs(&s.content), s.outputs(&set.want))
	switch rejection := a.failure("propose", s.logical); {
	case rejection != "":
		set.failure = rejection
	case same && a.noUpdates:
		return invalid("No updates are to be performed.")
	case same:
		set.failure = "The submitted information didn't contain changes. Submit different information to create a change set."
	}
	return nil
}

// conflicts reports whether a change adds what exists.
func (a *AWS) conflicts(ch change) bool { return ch.action == "Add" && a.taken(ch.resource) }

// taggable are kinds that get the stack's tags.
var taggable = []string{tableKind, functionKind, bucketKind, "AWS::IAM::Role", "AWS::SQS::Queue", "AWS::Logs::LogGroup"}

// changesOf returns the differences between what a stack is and what it is to be.
func changesOf(before, want *content) (changes []change) {
	for _, r := range want.resources {
		ch := change{action: "Add", resource: r}
		if old := before.find(r.logical); old != nil {
			ch.action, ch.physical, ch.properties = "Modify", old.ID, differing(old.Properties, r.Properties)
			ch.replacement = map[bool]string{false: "False", true: "True"}[replaced(r.Type, ch.properties)]
			ch.tags = !maps.Equal(before.tags, want.tags) && slices.Contains(taggable, r.Type)
			if len(ch.properties) == 0 && !ch.tags {
				continue
			}
		} else if r.imported {
			ch.action, ch.physical = "Import", r.ID
		}
		changes = append(changes, ch)
	}
	for _, r := range slices.Backward(before.without(want)) {
		changes = append(changes, change{action: "Remove", resource: r, physical: r.ID})
	}
	return changes
}

// differing returns the names of the properties that are not the same.
func differing(before, after map[string]any) []string {
	all := maps.Clone(after)
	maps.Copy(all, before)
	same := func(name string) bool { return reflect.DeepEqual(before[name], after[name]) }
	return slices.DeleteFunc(slices.Sorted(maps.Keys(all)), same)
}

// replaced reports whether the change of these properties replaces a resource of a type.
func replaced(kind string, properties []string) bool {
	return slices.ContainsFunc(schemas[kind].Replaces, func(name string) bool { return slices.Contains(properties, name) })
}

// ofChangeSet makes an action of one on the request's change set.
func ofChangeSet(do func(*stack, *changeSet, call) (result, *Answer)) func(*stack, call) (result, *Answer) {
	return func(s *stack, c call) (result, *Answer) {
		name := c.Get("ChangeSetName")
		for _, set := range s.changeSets {
			if set.id == name || set.name == name {
				return do(s, set, c)
			}
		}
		return nil, &Answer{404, "ChangeSetNotFound", "ChangeSet [" + name + "] does not exist"}
	}
}

// statusOf returns a change set's status, and the reason if it has failed.
func (a *AWS) statusOf(set *changeSet) (status, reason string) {
	switch {
	case a.now.Before(set.ready):
		return "CREATE_PENDING", ""
	case set.failure != "":
		return "FAILED", set.failure
	}
	return "CREATE_COMPLETE", ""
}

func (a *AWS) executeChangeSet(s *stack, set *changeSet, c call) (result, *Answer) {
	switch status, _ := a.statusOf(set); {
	case status != "CREATE_COMPLETE":
		return nil, &Answer{400, "InvalidChangeSetStatus", fmt.Sprintf("ChangeSet [%s] cannot be executed in its current status of [%s]", set.id, status)}
	case s.inProgress() && s.status != "REVIEW_IN_PROGRESS":
		return nil, invalid("Stack:%s is in %s state and can not be updated.", s.ID, s.status)
	}
	clear(s.changeSets) // the others were made for what the stack no longer is
	s.token = c.Get("ClientRequestToken")
	a.apply(s, set.want, set.kind)
	return nil, nil
}

func deleteChangeSet(s *stack, set *changeSet, _ call) (result, *Answer) {
	delete(s.changeSets, set.name)
	return nil, nil
}
