package main

import "errors"

var (
	errBadJob    = errors.New(`worker: a line of the input is no job: write {"id":"…","tokens":…}`)
	errBadAnswer = errors.New("worker: a job failed at its URL")
)
