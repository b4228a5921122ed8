/** Makes the agent of every resource that this node may run. */
import { systemClock } from '../../adapters/clock.ts';
import type { HeartClient } from '../../adapters/heart-client.ts';
import { createProcessRunner } from '../../adapters/process/process-runner.ts';
import { systemTimer } from '../../adapters/timer.ts';
import { MirrorAgent } from '../../agents/mirror/mirror-agent.ts';
import { createProcessAgent } from '../../agents/process/process-agent.ts';
import { createVirtualIpAgent } from '../../agents/virtual-ip/virtual-ip-agent.ts';
import { must } from '../../base/assert.ts';
import type { NodeCore } from '../../core/node/node-core.ts';
import type { Agent } from '../../ports/agent.ts';
import type { Log } from '../../ports/log.ts';
import type { MirrorControl } from '../../ports/mirror-control.ts';
import type { ProgramRunner } from '../../ports/program-runner.ts';
import type { NodeSetup, ResourceConfig } from '../../protocol/config.ts';
import { type GroupId, type MirrorId, mirrorId } from '../../protocol/ids.ts';
import { REPORT_VARIABLE, reportSocketPath } from '../../protocol/report.ts';
import { agentKey } from '../../runtime/control-runtime.ts';

export interface AgentParts {
  readonly setup: NodeSetup;
  readonly log: Log;
  readonly heart: HeartClient;
  readonly mirrors: ReadonlyMap<MirrorId, MirrorControl>;
  readonly core: NodeCore;
}

export function buildAgents(parts: AgentParts): ReadonlyMap<string, Agent> {
  const { setup, log } = parts;
  const runner = createProcessRunner({ runDir: setup.runDir, log });
  const agents = new Map<string, Agent>();
  for (const group of setup.config.groups) {
    if (!group.nodes.includes(setup.node)) continue;
    for (const resource of group.resources) {
      agents.set(agentKey(group.id, resource.id), buildAgent(parts, runner, group.id, resource));
    }
  }
  return agents;
}

function buildAgent(
  parts: AgentParts,
  runner: ProgramRunner,
  group: GroupId,
  resource: ResourceConfig,
): Agent {
  switch (resource.agent) {
    case 'mirror':
      return new MirrorAgent({
        mirror: must(parts.mirrors.get(mirrorId(group, resource.id)), 'every mirror has a client'),
        inSync: () => parts.core.group(group)?.countedCopies(resource.id) ?? [parts.setup.node],
        path: resource.path,
      });
    case 'virtual-ip': {
      const deps = { keeper: parts.heart, clock: systemClock, timer: systemTimer };
      return createVirtualIpAgent(group, resource, deps);
    }
    case 'process': {
      const path = reportSocketPath(parts.setup.runDir, group, resource.id);
      const environment = { [REPORT_VARIABLE]: path, ...resource.environment };
      return createProcessAgent(group, { ...resource, environment }, { runner });
    }
  }
}
