package stacktest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/johannesboyne/gofakes3"
)

// existing is a table, a bucket or a function that exists, in a stack or without one.
type existing struct {
	properties map[string]any
	items      map[string]values // of a table without a DynamoDB behind it
}

const (
	tableKind    = "AWS::DynamoDB::Table"
	bucketKind   = "AWS::S3::Bucket"
	functionKind = "AWS::Lambda::Function"
)

// taken reports whether a resource's name is taken.
func (a *AWS) taken(r *resource) bool {
	if r.Type == bucketKind {
		exists, _ := a.buckets.BucketExists(r.ID) // it never fails
		return exists
	}
	return a.existing[r.Type+" "+r.ID] != nil
}

// createResource creates a resource, or returns why that fails.
func (a *AWS) createResource(r *resource) (reason string) {
	if reason := a.failure("create", r.logical); reason != "" {
		return reason
	}
	if a.taken(r) {
		return fmt.Sprintf("Resource handler returned message: \"Resource of type '%s' with identifier '%s' already exists.\" (RequestToken: TEST, HandlerErrorCode: AlreadyExists)", r.Type, r.ID)
	}
	a.authorize(HandlerRequests("create", r.Rendered)...)
	e := &existing{properties: maps.Clone(r.Properties), items: map[string]values{}}
	switch r.Type {
	case bucketKind: // which is not taken, so that these calls do not fail
		_ = a.buckets.CreateBucket(r.ID)
		if e.at("VersioningConfiguration", "Status") == "Enabled" {
			_ = a.buckets.SetVersioningConfiguration(r.ID, gofakes3.VersioningConfiguration{Status: gofakes3.VersioningEnabled})
		}
	case tableKind:
		if err := a.createTable(e); err != nil {
			return err.Error()
		}
	case functionKind:
		if !slices.Contains(a.Objects(text(e.at("Code", "S3Bucket"))), text(e.at("Code", "S3Key"))) {
			return "Resource handler returned message: \"Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: The specified key does not exist.\""
		}
	default:
		return ""
	}
	a.existing[r.Type+" "+r.ID] = e
	return ""
}

// updateResource makes a resource what is wanted, or returns why that fails. Only what differs in the template is changed.
func (a *AWS) updateResource(r, want *resource, step string) (reason string) {
	if reason := a.failure(step, r.logical); reason != "" {
		return reason
	}
	changed, named := differing(r.Properties, want.Properties), kinds[r.Type].name
	if name := r.Properties[named]; name != nil && replaced(r.Type, changed) && !slices.Contains(changed, named) {
		return fmt.Sprintf("CloudFormation cannot update a stack when a custom-named resource requires replacing. Rename %v and update the stack again.", name)
	}
	a.authorize(HandlerRequests("update", want.Rendered)...)
	r.Rendered, r.deletion = want.Rendered, want.deletion
	if e := a.existing[r.Type+" "+r.ID]; e != nil {
		for _, name := range changed {
			e.properties[name] = r.Properties[name]
		}
	}
	return ""
}

// deleteResource deletes a resource, or returns why that fails.
func (a *AWS) deleteResource(r *resource) (reason string) {
	if reason := a.failure("delete", r.logical); reason != "" {
		return reason
	}
	a.authorize(HandlerRequests("delete", r.Rendered)...)
	switch {
	case r.Type == bucketKind && a.taken(r):
		if err := a.buckets.DeleteBucket(r.ID); err != nil {
			return "The bucket you tried to delete is not empty (Service: S3, Status Code: 409, Request ID: TEST)"
		}
	case r.Type == tableKind && a.existing[r.Type+" "+r.ID].protected():
		return "Resource handler returned message: \"Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.\" (Service: DynamoDb, Status Code: 400, HandlerErrorCode: InvalidRequest)"
	}
	delete(a.existing, r.Type+" "+r.ID)
	return ""
}

func (e *existing) protected() bool { return e.isOn("DeletionProtectionEnabled") }

// at returns a property, or a part of it, nil if there is none.
func (e *existing) at(names ...string) any { return at(cmp.Or(e, &existing{}).properties, names...) }

func (e *existing) isOn(names ...string) bool { return text(e.at(names...)) == "true" }

// Keep creates a bucket or a function outside of any stack, like those that a deleted stack leaves.
func (a *AWS) Keep(kind, name string) {
	defer a.enter()()
	if kind == bucketKind {
		_ = a.buckets.CreateBucket(name) // it may exist
	}
	a.existing[kind+" "+name] = &existing{properties: map[string]any{kinds[kind].name: name}}
}

// KeepTable creates a table outside of any stack, with the keys of a limiter and with properties as CloudFormation names
// them. The property TableStatus is the status that it is in.
func (a *AWS) KeepTable(name string, properties map[string]any) {
	defer a.enter()()
	attribute := func(name, key, value string) any { return map[string]any{"AttributeName": name, key: value} }
	all := map[string]any{
		"TableName": name, "BillingMode": "PAY_PER_REQUEST",
		"KeySchema":            []any{attribute("PK", "KeyType", "HASH"), attribute("SK", "KeyType", "RANGE")},
		"AttributeDefinitions": []any{attribute("PK", "AttributeType", "S"), attribute("SK", "AttributeType", "S")},
	}
	maps.Copy(all, properties)
	a.existing[tableKind+" "+name] = &existing{properties: all, items: map[string]values{}}
}

// Exists reports whether there is a table, a bucket or a function with a name, in a stack or not.
func (a *AWS) Exists(kind, name string) bool {
	defer a.enter()()
	return a.taken(&resource{Rendered: Rendered{Type: kind, ID: name}})
}

// Property returns a property, or with dots a part of it, as it is in fact, whatever the template of its stack says, or nil.
func (a *AWS) Property(kind, name, property string) any {
	defer a.enter()()
	return a.existing[kind+" "+name].at(strings.Split(property, ".")...)
}

// Objects returns the keys of the objects in a bucket, in order.
func (a *AWS) Objects(bucket string) (keys []string) {
	list, err := a.buckets.ListBucket(bucket, nil, gofakes3.ListBucketPage{})
	if err != nil {
		return nil
	}
	for _, object := range list.Contents {
		keys = append(keys, object.Key)
	}
	return keys
}
