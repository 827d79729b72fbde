// Command worker does the jobs of a queue as fast as limits allow, with any number of processes:
//
//	printf '%s\n' '{"id":"1","tokens":500}' '{"id":"2","tokens":800}' |
//		worker --table limits --url http://127.0.0.1:9000/jobs --limit rpm:60 --limit tpm:10000
//
// Each line of the standard input is a job, which is sent to a URL. Wait reserves a job's tokens and returns when they are due, so
// that jobs begin in the order in which they came. A job that cannot begin within --patience is late, and one that is larger than a
// limit is rejected; both are known at once. A job that takes longer than --job-time fails. On SIGTERM, the jobs
// that have begun end, and those that wait are put back. A line of the standard output tells what became of each job.
//
// Command worker is an example: it keeps no queue, so that what was put back is for the queue to keep.
package main
