/** What the heart of a simulated member is started with, as the real one is by its set-up. */
import type { Instant } from '../base/time.ts';
import type { HeartOptions } from '../core/heart/heart-types.ts';
import { type Config, simulatedLinks } from '../protocol/config.ts';
import type { BootId, NodeId } from '../protocol/ids.ts';

export function heartOptions(
  config: Config,
  self: NodeId,
  start: {
    readonly boot: BootId;
    readonly startedAt: Instant;
    readonly formerTermMs: number;
    /** Whether a resource, named by group and id, runs on the node. */
    readonly runs: (key: string) => boolean;
  },
): HeartOptions {
  const { boot, startedAt, formerTermMs, runs } = start;
  const members = [...config.nodes, ...(config.witness === undefined ? [] : [config.witness])];
  return {
    self,
    boot,
    startedAt,
    formerTermMs,
    timing: config.timing,
    links: config.links,
    members: members.map((member) => ({
      id: member.id,
      links: simulatedLinks(config, member),
    })),
    leftovers: leftovers(config, runs),
  };
}

function leftovers(config: Config, runs: (key: string) => boolean): HeartOptions['leftovers'] {
  return config.groups.flatMap((group) =>
    group.resources.flatMap((resource) => {
      if (resource.agent !== 'virtual-ip' || !runs(`${group.id}/${resource.id}`)) return [];
      const { id, address, prefixLength, family, link } = resource;
      return [{ group: group.id, address: { resource: id, address, prefixLength, family, link } }];
    }),
  );
}
