// Reads a list of questions from standard input, as JSON, and prints a list of answers: Allowed, ImplicitlyDenied,
// ExplicitlyDenied, or what is wrong with the question.
import { runSimulation } from '@cloud-copilot/iam-simulate'
import { readFileSync } from 'node:fs'

const answers = []
for (const q of JSON.parse(readFileSync(0, 'utf8'))) {
  const partition = q.resource.split(':')[1] ?? 'aws'
  const root = `arn:${partition}:iam::${q.account}:root`
  const keyPolicy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' }] }
  const reply = await runSimulation({
    request: {
      principal: `arn:${partition}:iam::${q.account}:role/caller`,
      action: q.action,
      resource: { resource: q.resource, accountId: q.account },
      contextVariables: q.context,
    },
    identityPolicies: q.policies.map((policy, i) => ({ name: `policy${i}`, policy })),
    permissionBoundaryPolicies: q.boundary ? [{ name: 'boundary', policy: q.boundary }] : undefined,
    resourcePolicy: q.action.startsWith('kms:') ? keyPolicy : undefined, // that of a key which leaves it to IAM
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  }, {})
  const ignored = reply.result?.ignoredContextKeys ?? []
  if (reply.resultType === 'error') answers.push('error: ' + JSON.stringify(reply.errors))
  else if (ignored.length > 0) answers.push('error: the action has no condition key ' + ignored.join(', '))
  else answers.push(reply.overallResult)
}
console.log(JSON.stringify(answers))
