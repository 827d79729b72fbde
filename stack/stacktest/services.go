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
		rules := each(bucket.at("LifecycleConfiguration", "Rules"), lifecycle)
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

// lifecycle returns by which rule objects move to another storage.
func lifecycle(rule any) result {
	moves := each(at(rule, "Transitions"), func(to any) result {
		return result{"Days": at(to, "TransitionInDays"), "StorageClass": at(to, "StorageClass")}
	})
	return result{"ID": at(rule, "Id"), "Status": at(rule, "Status"), "Transition": moves}
}

// each converts the elements of a list in a template.
func each(list any, convert func(any) result) (all []result) {
	items, _ := list.([]any)
	for _, item := range items {
		all = append(all, convert(item))
	}
	return all
}
