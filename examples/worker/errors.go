package main

import "errors"

var (
	errBadJob    = errors.New(`worker: a line of the input is no job: write {"id":"…","tokens":…}`)
	errNoJobs    = errors.New("worker: --parallel must be at least 1, and --patience and --job-time must be above 0: else no job is done")
	errBadAnswer = errors.New("worker: a job failed at its URL")
)
