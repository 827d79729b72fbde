package main

// about introduces the program in its help.
const about = `Limit how much entities (users, API keys, tenants) consume of resources (models, APIs), exactly, across any
number of processes.

    zae-limiter acquire user-123 gpt-4 -c rpm=1 -l rpm:100`

// cli is the tree of commands. Rules for help texts: a command's line starts with an imperative verb and ends with a full
// stop; its section of help.txt has the details and an example, which a test runs; a flag's help says what the value is, and
// its default if that is not obvious.
type cli struct {
	Acquire   acquireCmd   `cmd:"" group:"work" help:"Consume tokens, optionally while a command runs."`
	Available availableCmd `cmd:"" group:"work" help:"Show how many tokens each limit has left."`
	Explain   explainCmd   `cmd:"" group:"work" help:"Show which limits apply, and where they are configured."`
	Reset     resetCmd     `cmd:"" group:"work" help:"Refill a bucket to its capacity."`

	System struct {
		SetDefaults    systemSetCmd    `cmd:"" help:"Set the limits that apply where no narrower level has any."`
		GetDefaults    systemGetCmd    `cmd:"" help:"Show the system's default limits."`
		DeleteDefaults systemDeleteCmd `cmd:"" help:"Delete the system's default limits."`
	} `cmd:"" group:"configuration" help:"Configure the limits of the whole system."`

	Resource struct {
		SetDefaults    resourceSetCmd    `cmd:"" help:"Set the default limits of a resource."`
		GetDefaults    resourceGetCmd    `cmd:"" help:"Show the default limits of a resource."`
		DeleteDefaults resourceDeleteCmd `cmd:"" help:"Delete the default limits of a resource."`
		List           resourceListCmd   `cmd:"" help:"List the resources that have default limits."`
	} `cmd:"" group:"configuration" help:"Configure the limits of a resource."`

	Entity struct {
		Create       entityCreateCmd       `cmd:"" help:"Create an entity."`
		Update       entityUpdateCmd       `cmd:"" help:"Change an entity."`
		SetParent    entitySetParentCmd    `cmd:"" help:"Change or remove the parent of an entity."`
		Show         entityShowCmd         `cmd:"" help:"Show an entity."`
		List         entityListCmd         `cmd:"" help:"List entities."`
		Children     entityChildrenCmd     `cmd:"" help:"List the children of an entity."`
		Delete       entityDeleteCmd       `cmd:"" help:"Delete an entity with its limits, buckets and usage."`
		SetLimits    entitySetLimitsCmd    `cmd:"" help:"Set the limits of an entity."`
		GetLimits    entityGetLimitsCmd    `cmd:"" help:"Show the limits that are set for an entity."`
		DeleteLimits entityDeleteLimitsCmd `cmd:"" help:"Delete the limits of an entity."`
	} `cmd:"" group:"configuration" help:"Configure entities and their limits."`

	Limits struct {
		Plan   limitsPlanCmd   `cmd:"" help:"Show what a manifest would change."`
		Apply  limitsApplyCmd  `cmd:"" help:"Apply a manifest."`
		Diff   limitsDiffCmd   `cmd:"" help:"Compare the stored configuration with a manifest."`
		Export limitsExportCmd `cmd:"" help:"Export the stored configuration as a manifest."`
	} `cmd:"" group:"configuration" help:"Manage all limits and entities with one file."`

	Namespace struct {
		Register namespaceRegisterCmd `cmd:"" help:"Create namespaces."`
		List     namespaceListCmd     `cmd:"" help:"List the namespaces."`
		Show     namespaceShowCmd     `cmd:"" help:"Show a namespace."`
		Delete   namespaceDeleteCmd   `cmd:"" help:"Mark a namespace as deleted; its records are kept."`
		Recover  namespaceRecoverCmd  `cmd:"" help:"Restore a deleted namespace."`
		Purge    namespacePurgeCmd    `cmd:"" help:"Remove a deleted namespace and all its records for good."`
	} `cmd:"" group:"configuration" help:"Manage namespaces, which are isolated from each other."`

	Deploy       deployCmd       `cmd:"" group:"infrastructure" help:"Create or update a deployment on AWS."`
	Delete       deleteCmd       `cmd:"" group:"infrastructure" help:"Delete a deployment."`
	List         listCmd         `cmd:"" group:"infrastructure" help:"List deployments."`
	Check        checkCmd        `cmd:"" group:"infrastructure" help:"Compare a deployment with this program's version."`
	Init         initCmd         `cmd:"" group:"infrastructure" help:"Initialize a table that another tool has created."`
	Upgrade      upgradeCmd      `cmd:"" group:"infrastructure" help:"Upgrade a deployment to this program's version."`
	CfnTemplate  cfnTemplateCmd  `cmd:"" name:"cfn-template" group:"infrastructure" help:"Write the CloudFormation template."`
	LambdaExport lambdaExportCmd `cmd:"" name:"lambda-export" group:"infrastructure" help:"Write the code of the Lambda function."`

	Local struct {
		Up     localUpCmd     `cmd:"" help:"Start DynamoDB Local and create a table."`
		Down   localDownCmd   `cmd:"" help:"Stop DynamoDB Local."`
		Status localStatusCmd `cmd:"" help:"Show whether DynamoDB Local runs, and where."`
	} `cmd:"" group:"local" help:"Run DynamoDB on this machine, for trials and tests."`

	Usage struct {
		List    usageListCmd    `cmd:"" help:"List the tokens consumed in each window."`
		Summary usageSummaryCmd `cmd:"" help:"Sum the tokens consumed over several windows."`
	} `cmd:"" group:"store" help:"Show which entity consumed how much."`
	Audit struct {
		List auditListCmd `cmd:"" help:"List configuration changes, newest first."`
	} `cmd:"" group:"store" help:"Show who changed what."`
	Top      topCmd      `cmd:"" group:"store" help:"Show the busiest buckets, live."`
	Loadtest loadtestCmd `cmd:"" group:"store" help:"Send load, measure latency and cost, and verify the limits."`
	Status   statusCmd   `cmd:"" group:"store" help:"Show which store is used, and whether it is reachable."`
	Compact  compactCmd  `cmd:"" group:"store" help:"Shrink the file of an embedded store."`
	Version  versionCmd  `cmd:"" group:"store" help:"Show the version of this program."`

	Completion completionCmd `cmd:"" group:"store" help:"Print a shell completion script."`
	Complete   completeCmd   `cmd:"" hidden:""`

	LoadtestProcess loadProcessCmd `cmd:"" hidden:""`

	Globals
}
