/** Makes the fences that the configuration names. */
import { readFenceOptions } from '../../adapters/fence/read-options.ts';
import { createProcessRunner } from '../../adapters/process/process-runner.ts';
import { systemClock } from '../../adapters/clock.ts';
import { systemTimer } from '../../adapters/timer.ts';
import { CommandFence } from '../../agents/fence/command-fence.ts';
import type { Fence } from '../../ports/fence.ts';
import type { Log } from '../../ports/log.ts';
import type { NodeSetup } from '../../protocol/config.ts';
import type { FenceAnswer } from '../../protocol/fence.ts';
import type { NodeId } from '../../protocol/ids.ts';

export function buildFences({ config, runDir }: NodeSetup, log: Log): Fence {
  const { withoutWitness } = config;
  const configured = withoutWitness?.by === 'fence' ? withoutWitness.fences : [];
  const runner = createProcessRunner({ runDir, log });
  const fences = new Map(
    configured.map((fence) => {
      const program = runner.program(`fence.${fence.node}`);
      const parts = { program, timer: systemTimer, clock: systemClock };
      return [fence.node, new CommandFence(fence, { ...parts, readOptions: readFenceOptions })];
    }),
  );
  const asked = async (
    node: NodeId,
    ask: (fence: CommandFence) => Promise<FenceAnswer>,
  ): Promise<FenceAnswer> => {
    const fence = fences.get(node);
    if (fence === undefined) return { state: 'unknown', detail: `${node} has no fence` };
    const answer = await ask(fence);
    log.info('a fence was asked', { of: node, ...answer });
    return answer;
  };
  return {
    turnOff: (node) => asked(node, (fence) => fence.turnOff()),
    status: (node) => asked(node, (fence) => fence.status()),
    close: async () => {
      await Promise.all([...fences.values()].map((fence) => fence.end()));
    },
  };
}
