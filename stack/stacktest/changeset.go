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
	name, id, kind, token     string
	status, execution, reason string
	want                      content
	changes                   []change
	imported                  map[string]bool
	created, ready            time.Time
	failure                   string // why it will have failed when it is ready, "" if it will not
}

// change is what is done to one resource.
type change struct {
	action      string    // Add, Import, Modify or Remove
	resource    *resource // as it will be; the one that is removed
	physical    string
	replacement string
	properties  []string // that differ
	tags        bool     // whether the tags differ
}

// createChangeSet is CreateChangeSet.
func (a *AWS) createChangeSet(c call) (result, error) {
	name, kind := c.text("StackName"), c.text("ChangeSetType")
	s := a.find(name)
	isNew := s == nil || s.status == "REVIEW_IN_PROGRESS"
	switch {
	case kind == "CREATE" && !isNew:
		return nil, &Answer{400, "AlreadyExistsException", fmt.Sprintf("Stack [%s] already exists and cannot be created again with the changeSet [%s].", name, c.text("ChangeSetName"))}
	case kind == "UPDATE" && s == nil:
		return nil, invalid("Stack [%s] does not exist", name)
	case !isNew && !s.canUpdate():
		return nil, invalid("Stack:%s is in %s state and can not be updated.", s.id, s.status)
	}
	added := s == nil
	if added {
		s = a.newStack(name)
	}
	want, err := a.wanted(c, s)
	if err != nil {
		if added {
			a.stacks = a.stacks[:len(a.stacks)-1]
		}
		return nil, err
	}
	if added {
		a.record(s, nil, "REVIEW_IN_PROGRESS", "User Initiated")
	}
	if same := s.changeSets[c.text("ChangeSetName")]; same != nil && same.token != "" && same.token == c.text("ClientToken") {
		return result{"Id": same.id, "StackId": s.id}, nil // the request is sent again
	} else if same != nil {
		return nil, &Answer{400, "AlreadyExistsException", fmt.Sprintf("ChangeSet %s already exists", c.text("ChangeSetName"))}
	}
	set := &changeSet{
		name: c.text("ChangeSetName"), kind: kind, token: c.text("ClientToken"), status: "CREATE_PENDING", execution: "UNAVAILABLE",
		want: want, imported: map[string]bool{}, created: a.now(), ready: a.now().Add(a.pace),
	}
	set.id = strings.Replace(s.id, ":stack/"+s.name, ":changeSet/"+set.name, 1)
	if err := a.examine(c, s, set); err != nil {
		return nil, err
	}
	s.changeSets[set.name] = set
	return result{"Id": set.id, "StackId": s.id}, nil
}

// examine finds out what a change set does, and whether it can be executed.
func (a *AWS) examine(c call, s *stack, set *changeSet) error {
	for n := 1; c.text(fmt.Sprintf("ResourcesToImport.member.%d.LogicalResourceId", n)) != ""; n++ {
		set.imported[c.text(fmt.Sprintf("ResourcesToImport.member.%d.LogicalResourceId", n))] = true
	}
	for _, r := range set.want.resources {
		if s.resource(r.logical) == nil && a.taken(r) {
			if c.text("ImportExistingResources") == "true" {
				set.imported[r.logical] = true
			} else if !set.imported[r.logical] && a.early {
				set.failure = "The following hook(s)/validation failed: [AWS::EarlyValidation::ResourceExistenceCheck]. " +
					"To troubleshoot Early Validation errors, use the DescribeEvents API for detailed failure information."
			}
		}
		if set.imported[r.logical] && r.deletion == "" {
			return invalid("Resources %s is missing DeletionPolicy attribute. All resources to import must have a DeletionPolicy attribute.", r.logical)
		}
	}
	set.changes = changesOf(&s.content, &set.want, set.imported)
	if a.rejection != "" {
		set.failure, a.rejection = a.rejection, ""
	}
	same := s.template != nil && maps.Equal(s.tags, set.want.tags) && maps.Equal(s.outputs(&s.content), s.outputs(&set.want))
	if len(set.changes) == 0 && same {
		if a.noUpdates {
			return invalid("No updates are to be performed.")
		}
		set.failure = "The submitted information didn't contain changes. Submit different information to create a change set."
	}
	return nil
}

// taggable are kinds that get the stack's tags.
var taggable = []string{tableKind, functionKind, bucketKind, "AWS::IAM::Role", "AWS::SQS::Queue", "AWS::Logs::LogGroup"}

// changesOf returns the differences between what a stack is and what it is to be.
func changesOf(before, want *content, imported map[string]bool) (changes []change) {
	for _, r := range want.resources {
		old := before.resource(r.logical)
		switch {
		case old == nil && imported[r.logical]:
			changes = append(changes, change{action: "Import", resource: r, physical: r.ID})
			continue
		case old == nil:
			changes = append(changes, change{action: "Add", resource: r})
			continue
		}
		ch := change{action: "Modify", resource: r, physical: old.ID, replacement: "False", properties: differing(old.Properties, r.Properties)}
		replacing, _ := Replaces(r.Type)
		if slices.ContainsFunc(replacing, func(name string) bool { return slices.Contains(ch.properties, name) }) {
			ch.replacement = "True"
		}
		ch.tags = !maps.Equal(before.tags, want.tags) && slices.Contains(taggable, r.Type)
		if len(ch.properties) > 0 || ch.tags {
			changes = append(changes, ch)
		}
	}
	for _, r := range slices.Backward(before.resources) {
		if want.resource(r.logical) == nil {
			changes = append(changes, change{action: "Remove", resource: r, physical: r.ID})
		}
	}
	return changes
}

// differing returns the names of the properties that are not the same.
func differing(before, after map[string]any) (names []string) {
	all := maps.Clone(after)
	maps.Copy(all, before)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !reflect.DeepEqual(before[name], after[name]) {
			names = append(names, name)
		}
	}
	return names
}

// changeSet returns a request's change set in its present status.
func (a *AWS) changeSet(c call) (*stack, *changeSet, error) {
	name := c.text("ChangeSetName")
	for _, s := range slices.Backward(a.stacks) {
		for _, set := range s.changeSets {
			if set.id != name && (set.name != name || c.text("StackName") != s.name && c.text("StackName") != s.id) {
				continue
			}
			if set.status == "CREATE_PENDING" && !a.now().Before(set.ready) {
				set.status, set.execution = "CREATE_COMPLETE", "AVAILABLE"
				if set.failure != "" {
					set.status, set.execution, set.reason = "FAILED", "UNAVAILABLE", set.failure
				}
			}
			return s, set, nil
		}
	}
	return nil, nil, &Answer{404, "ChangeSetNotFound", "ChangeSet [" + name + "] does not exist"}
}

// executeChangeSet is ExecuteChangeSet.
func (a *AWS) executeChangeSet(c call) (result, error) {
	s, set, err := a.changeSet(c)
	switch {
	case err != nil && a.executed(c):
		return nil, nil // the request is sent again
	case err != nil:
		return nil, err
	case set.status != "CREATE_COMPLETE":
		return nil, &Answer{400, "InvalidChangeSetStatus", fmt.Sprintf("ChangeSet [%s] cannot be executed in its current status of [%s]", set.id, set.status)}
	case s.inProgress() && s.status != "REVIEW_IN_PROGRESS":
		return nil, invalid("Stack:%s is in %s state and can not be updated.", s.id, s.status)
	}
	clear(s.changeSets) // the others were made for what the stack no longer is
	s.token, s.executed = c.text("ClientRequestToken"), c.text("ChangeSetName")
	if set.kind == "CREATE" {
		a.create(s, set.want, set.imported)
	} else {
		a.update(s, set.want, set.imported, set.kind)
	}
	return nil, nil
}

// executed reports whether the same request was made before.
func (a *AWS) executed(c call) bool {
	token := c.text("ClientRequestToken")
	return token != "" && slices.ContainsFunc(a.stacks, func(s *stack) bool { return s.token == token && s.executed == c.text("ChangeSetName") })
}

// deleteChangeSet is DeleteChangeSet.
func (a *AWS) deleteChangeSet(c call) (result, error) {
	s, set, err := a.changeSet(c)
	if err == nil {
		delete(s.changeSets, set.name)
	} else if a.find(c.text("StackName")) != nil {
		err = nil // as AWS has it
	}
	return nil, err
}
