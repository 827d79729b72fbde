package main

// about is what the program says of itself.
const about = `Limits what entities (users, API keys, tenants) use of resources (models, APIs): exactly, and over as many
processes as you like.

    zae-limiter acquire user-123 gpt-4 -c rpm=1 -l rpm:100`

// cli is the tree of commands. Guidelines for help: a command's line says what it does in the imperative and ends with a
// full stop; details and an example, which a test runs, are in its Help method; a flag says what its value is, and its
// default where that is not obvious.
type cli struct {
	Acquire   acquireCmd   `cmd:"" group:"work" help:"Take tokens, once or for the time of a command."`
	Available availableCmd `cmd:"" group:"work" help:"Show how much is left of each limit."`
	Explain   explainCmd   `cmd:"" group:"work" help:"Show which limits are in force, and where they come from."`
	Reset     resetCmd     `cmd:"" group:"work" help:"Make a bucket full again."`

	System struct {
		SetDefaults    systemSetCmd    `cmd:"" help:"Store limits for whoever has none at a narrower level."`
		GetDefaults    systemGetCmd    `cmd:"" help:"Show the system's limits."`
		DeleteDefaults systemDeleteCmd `cmd:"" help:"Remove the system's limits."`
	} `cmd:"" group:"configuration" help:"Limits of the whole system."`

	Resource struct {
		SetDefaults    resourceSetCmd    `cmd:"" help:"Store limits for all who use a resource."`
		GetDefaults    resourceGetCmd    `cmd:"" help:"Show a resource's limits."`
		DeleteDefaults resourceDeleteCmd `cmd:"" help:"Remove a resource's limits."`
		List           resourceListCmd   `cmd:"" help:"List the resources that have limits."`
	} `cmd:"" group:"configuration" help:"Limits of a resource."`

	Entity struct {
		Create       entityCreateCmd       `cmd:"" help:"Make an entity."`
		Update       entityUpdateCmd       `cmd:"" help:"Change an entity."`
		SetParent    entitySetParentCmd    `cmd:"" help:"Give an entity another parent, or none."`
		Show         entityShowCmd         `cmd:"" help:"Show an entity."`
		List         entityListCmd         `cmd:"" help:"List entities."`
		Children     entityChildrenCmd     `cmd:"" help:"List the entities that have this one as their parent."`
		Delete       entityDeleteCmd       `cmd:"" help:"Delete an entity, its limits, its buckets and its usage."`
		SetLimits    entitySetLimitsCmd    `cmd:"" help:"Store limits for an entity."`
		GetLimits    entityGetLimitsCmd    `cmd:"" help:"Show the limits stored for an entity."`
		DeleteLimits entityDeleteLimitsCmd `cmd:"" help:"Remove the limits stored for an entity."`
	} `cmd:"" group:"configuration" help:"Entities and their limits."`

	Limits struct {
		Plan   limitsPlanCmd   `cmd:"" help:"Show what a manifest would change."`
		Apply  limitsApplyCmd  `cmd:"" help:"Put a manifest in force."`
		Diff   limitsDiffCmd   `cmd:"" help:"Tell whether what is stored differs from a manifest."`
		Export limitsExportCmd `cmd:"" help:"Write what is stored as a manifest."`
	} `cmd:"" group:"configuration" help:"All limits and entities as one file."`

	Namespace struct {
		Register namespaceRegisterCmd `cmd:"" help:"Make namespaces."`
		List     namespaceListCmd     `cmd:"" help:"List the namespaces."`
		Show     namespaceShowCmd     `cmd:"" help:"Show a namespace."`
		Delete   namespaceDeleteCmd   `cmd:"" help:"Take a namespace out of use; its records stay."`
		Recover  namespaceRecoverCmd  `cmd:"" help:"Bring a deleted namespace back into use."`
		Purge    namespacePurgeCmd    `cmd:"" help:"Remove a deleted namespace with all its records."`
	} `cmd:"" group:"configuration" help:"Namespaces, which never see each other's records."`

	Deploy       deployCmd       `cmd:"" group:"infrastructure" help:"Make a deployment on AWS, or change it."`
	Delete       deleteCmd       `cmd:"" group:"infrastructure" help:"Delete a deployment."`
	List         listCmd         `cmd:"" group:"infrastructure" help:"List deployments."`
	Check        checkCmd        `cmd:"" group:"infrastructure" help:"Compare a deployment with this program's version."`
	Init         initCmd         `cmd:"" group:"infrastructure" help:"Make a table usable that something else has created."`
	Upgrade      upgradeCmd      `cmd:"" group:"infrastructure" help:"Bring a deployment to this program's version."`
	CfnTemplate  cfnTemplateCmd  `cmd:"" name:"cfn-template" group:"infrastructure" help:"Write the template of CloudFormation."`
	LambdaExport lambdaExportCmd `cmd:"" name:"lambda-export" group:"infrastructure" help:"Write the function's code."`

	Local struct {
		Up     localUpCmd     `cmd:"" help:"Start DynamoDB Local, with a table for limits."`
		Down   localDownCmd   `cmd:"" help:"End it."`
		Status localStatusCmd `cmd:"" help:"Show whether it runs, and where."`
	} `cmd:"" group:"local" help:"A DynamoDB on this machine, to try things and to test."`

	Usage struct {
		List    usageListCmd    `cmd:"" help:"List what was used, window by window."`
		Summary usageSummaryCmd `cmd:"" help:"Add up what was used."`
	} `cmd:"" group:"store" help:"What was used, by whom."`
	Audit struct {
		List auditListCmd `cmd:"" help:"List what was changed, the newest first."`
	} `cmd:"" group:"store" help:"What was changed, by whom."`
	Top      topCmd      `cmd:"" group:"store" help:"Show the busiest buckets, live."`
	Loadtest loadtestCmd `cmd:"" group:"store" help:"Send load, measure it, and check that the limits hold."`
	Status   statusCmd   `cmd:"" group:"store" help:"Show which store is used, and whether it answers."`
	Compact  compactCmd  `cmd:"" group:"store" help:"Rewrite the file of an embedded store at its least size."`
	Version  versionCmd  `cmd:"" group:"store" help:"Show the version of this program."`

	Completion completionCmd `cmd:"" group:"store" help:"Print what makes a shell complete command lines."`
	Complete   completeCmd   `cmd:"" hidden:""`

	Globals
}
