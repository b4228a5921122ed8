/** Makes the caller of the hooks that the configuration names. */
import { postHook } from '../../adapters/hooks/post-hook.ts';
import { createProcessRunner } from '../../adapters/process/process-runner.ts';
import { systemTimer } from '../../adapters/timer.ts';
import { CommandHook } from '../../agents/hooks/command-hook.ts';
import { messageOf } from '../../base/tako-error.ts';
import type { HookCaller } from '../../ports/hook-caller.ts';
import type { Log } from '../../ports/log.ts';
import type { HookConfig, NodeSetup } from '../../protocol/config.ts';
import { type HookCall, noAnswer } from '../../protocol/hook.ts';

/** What is still told when control ends has so long to come to its end. */
const CLOSE_MS = 5000;

export function buildHooks({ config, node, runDir }: NodeSetup, log: Log): HookCaller {
  const runner = createProcessRunner({ runDir, log });
  const commands = new Map<string, CommandHook>();
  for (const { name, hook } of hooksHere({ config, node })) {
    if (hook.call.type !== 'command') continue;
    const command = new CommandHook(runner.program(name), systemTimer);
    commands.set(name, command);
    command.end().catch((error: unknown) => {
      log.warn('cannot end what is left of a hook', { name, error: messageOf(error) });
    });
  }
  return {
    call: async (call) => {
      const hook = hookOf(config, call);
      if (hook === undefined) return noAnswer('it is not configured');
      const answer = hook.call;
      if (answer.type === 'http') return postHook(answer, call);
      const command = commands.get(nameOf(call));
      return command?.run(answer, call) ?? noAnswer('it is not configured on this node');
    },
    close: async () => {
      const all = [...commands.values()];
      const rest = new Promise<void>((resolve) => {
        setTimeout(resolve, CLOSE_MS).unref();
      });
      await Promise.race([Promise.all(all.map((command) => command.ended())), rest]);
      await Promise.all(all.map((command) => command.end()));
    },
  };
}

/** Every hook that may be called on this node, with the name of its program. */
function hooksHere({
  config,
  node,
}: Pick<NodeSetup, 'config' | 'node'>): readonly { name: string; hook: HookConfig }[] {
  const groups = config.groups.filter(({ nodes }) => nodes.includes(node));
  return groups.flatMap(({ id: group, hooks, resources }) => {
    const ofGroup = Object.entries(hooks ?? {}).flatMap(([event, hook]) =>
      event === 'on-failure' ? [] : [{ name: `${group}.hook.${event}`, hook }],
    );
    const ofResources = resources.flatMap(({ id, failureHook }) => {
      const hook = failureHook ?? hooks?.['on-failure'];
      return hook === undefined ? [] : [{ name: `${group}.${id}.on-failure`, hook }];
    });
    return [...ofGroup, ...ofResources];
  });
}

function nameOf({ event, group, resource }: HookCall): string {
  return event === 'on-failure' ? `${group}.${resource}.on-failure` : `${group}.hook.${event}`;
}

function hookOf({ groups }: NodeSetup['config'], call: HookCall): HookConfig | undefined {
  const group = groups.find(({ id }) => id === call.group);
  const resource = group?.resources.find(({ id }) => id === call.resource);
  const own = call.event === 'on-failure' ? resource?.failureHook : undefined;
  return own ?? group?.hooks?.[call.event];
}
