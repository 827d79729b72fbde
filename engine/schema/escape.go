package schema

import "strings"

// Entity ids are any text. In keys '%' and '|' are written %25 and %7C, so that '|' ends an id and no two ids meet;
// everything else stays as it is. Ids without these two, which were the only legal ones of old, are their own keys.
var (
	escapes   = strings.NewReplacer("%", "%25", "|", "%7C")
	unescapes = strings.NewReplacer("%25", "%", "%7C", "|")
)

// escape is an entity's id as it stands in keys, at most three times as long.
func escape(id string) string {
	if strings.ContainsAny(id, "%|") {
		return escapes.Replace(id)
	}
	return id
}

// unescape is the opposite of escape.
func unescape(part string) string {
	if strings.Contains(part, "%") {
		return unescapes.Replace(part)
	}
	return part
}

// EntityOf is the entity whose place in an index has that sort.
func EntityOf(sort string) string { return unescape(sort) }
