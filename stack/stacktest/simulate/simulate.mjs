// Reads questions from standard input, a line of JSON each, and prints an answer to each in a line: Allowed, ImplicitlyDenied,
// ExplicitlyDenied, or what is wrong with the question. It ends when standard input does.
import { runSimulation } from '@cloud-copilot/iam-simulate'
import { createInterface } from 'node:readline'

for await (const line of createInterface({ input: process.stdin })) {
  const q = JSON.parse(line)
  const partition = q.resource.split(':')[1] ?? 'aws'
  const root = `arn:${partition}:iam::${q.account}:root`
  const keyPolicy = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' }] }
  const reply = await runSimulation({
    request: {
      principal: `arn:${partition}:iam::${q.account}:role/caller`,
      action: q.action,
      resource: { resource: q.resource, accountId: q.account },
      contextVariables: q.context ?? {},
    },
    identityPolicies: [{ name: 'policy', policy: q.policy }],
    resourcePolicy: q.action.startsWith('kms:') ? keyPolicy : undefined, // that of a key which leaves it to IAM
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  }, {})
  const ignored = reply.result?.ignoredContextKeys ?? []
  if (reply.resultType === 'error') console.log('error: ' + JSON.stringify(reply.errors))
  else if (ignored.length > 0) console.log('error: the action has no condition key ' + ignored.join(', '))
  else console.log(reply.overallResult)
}
