package stacktest

import (
	"net/http"
	"strings"
)

// serveS3 passes requests on to the S3 behind, except those for settings of a bucket, which it does not have.
func (a *AWS) serveS3(w http.ResponseWriter, r *http.Request) {
	a.lock.Lock()
	defer a.lock.Unlock()
	answer := a.receive("s3:"+r.Method, s3Requests(r))
	bucket := a.existing[bucketKind+" "+strings.Trim(r.URL.Path, "/")]
	switch settings := r.URL.Query(); {
	case answer != nil:
		writeXML(w, answer.Status, "Error", result{"Code": answer.Code, "Message": answer.Message})
	case settings.Has("lifecycle"):
		rules := each(bucket.at("LifecycleConfiguration", "Rules"), func(rule any) result {
			moves := each(at(rule, "Transitions"), func(to any) result {
				return result{"Days": at(to, "TransitionInDays"), "StorageClass": at(to, "StorageClass")}
			})
			return result{"ID": at(rule, "Id"), "Status": at(rule, "Status"), "Transition": moves}
		})
		writeRules(w, "LifecycleConfiguration", "NoSuchLifecycleConfiguration", rules)
	case settings.Has("encryption"):
		rules := each(bucket.at("BucketEncryption", "ServerSideEncryptionConfiguration"), func(rule any) result {
			return result{"ApplyServerSideEncryptionByDefault": result(mapping(at(rule, "ServerSideEncryptionByDefault")))}
		})
		writeRules(w, "ServerSideEncryptionConfiguration", "ServerSideEncryptionConfigurationNotFoundError", rules)
	default:
		a.s3.ServeHTTP(w, r)
	}
}

// writeRules answers with the rules of a setting, or with an error if there are none.
func writeRules(w http.ResponseWriter, setting, missing string, rules []result) {
	if len(rules) == 0 {
		writeXML(w, http.StatusNotFound, "Error", result{"Code": missing})
		return
	}
	writeXML(w, http.StatusOK, setting, result{"Rule": rules})
}

// each converts the elements of a list in a template.
func each(list any, convert func(any) result) (all []result) {
	items, _ := list.([]any)
	for _, item := range items {
		all = append(all, convert(item))
	}
	return all
}

// s3Actions are what IAM authorizes of requests to a bucket, and, behind a slash, to an object in it.
var s3Actions = map[string][]string{
	"PUT": {"CreateBucket"}, "DELETE": {"DeleteBucket"}, "HEAD": {"ListBucket"}, "GET": {"ListBucket"}, "GET versions": {"ListBucketVersions"},
	"POST delete": {"DeleteObject", "DeleteObjectVersion"}, "PUT/": {"PutObject"}, "GET/": {"GetObject", "ListBucket"},
	"HEAD/": {"GetObject", "ListBucket"}, // without the permission to list, S3 says Forbidden of an object that is missing
}

// s3Requests returns what IAM authorizes of one request to S3.
func s3Requests(r *http.Request) (all []Request) {
	bucket, key, inside := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
	what := r.Method
	switch query := r.URL.Query(); {
	case query.Has("versions"):
		what += " versions"
	case query.Has("delete"): // of versions, if the bucket has them
		what, key = what+" delete", "*"
	case inside:
		what += "/"
	}
	for _, action := range s3Actions[what] {
		resource := "arn:aws:s3:::" + bucket
		if strings.Contains(action, "Object") {
			resource += "/" + key
		}
		all = append(all, Request{Action: "s3:" + action, Resource: resource})
	}
	return all
}
