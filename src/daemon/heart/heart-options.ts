/** What the heart's parts need, out of the node's setup. */
import { must } from '../../base/assert.ts';
import type { Instant } from '../../base/time.ts';
import type { HeartOptions } from '../../core/heart/heart-types.ts';
import type { Config, NodeConfig, NodeSetup } from '../../protocol/config.ts';
import { shareLink } from '../../protocol/config.ts';
import type { BootId, LinkId, NodeId } from '../../protocol/ids.ts';
import type { UdpLink } from '../../adapters/udp/udp-links.ts';

/** All voters. */
export function membersOf(config: Config): readonly NodeConfig[] {
  return config.witness === undefined ? config.nodes : [...config.nodes, config.witness];
}

export function ownConfig(setup: NodeSetup): NodeConfig {
  return must(
    membersOf(setup.config).find((member) => member.id === setup.node),
    `the configuration has the node "${setup.node}"`,
  );
}

export function coreOptions(setup: NodeSetup, boot: BootId, startedAt: Instant): HeartOptions {
  const { config, node } = setup;
  const shared = shareLink(config);
  const others = config.nodes.filter(({ id }) => id !== node);
  return {
    self: node,
    boot,
    startedAt,
    timing: config.timing,
    links: [
      ...config.links.map(({ id, direct }) => ({ id, direct })),
      ...shared.map((id) => ({ id, direct: false })),
    ],
    members: membersOf(config).map((member) => ({
      id: member.id,
      // The share is a way to the witness, and none between nodes.
      links: [...linksOf(config, member), ...(others.includes(member) ? [] : shared)],
    })),
    leftovers: config.groups
      .filter((group) => group.nodes.includes(node))
      .flatMap((group) =>
        group.resources.flatMap((resource) => {
          if (resource.agent !== 'virtual-ip') return [];
          const { id, address, prefixLength, family, link } = resource;
          return [
            { group: group.id, address: { resource: id, address, prefixLength, family, link } },
          ];
        }),
      ),
  };
}

/** The links of this node, with the addresses of those that share them. */
export function udpLinks(setup: NodeSetup): readonly UdpLink[] {
  const own = ownConfig(setup);
  return linksOf(setup.config, own).map((id) => ({
    id,
    address: must(own.addresses[id], 'linksOf gives links with an address'),
    peers: new Map(
      membersOf(setup.config).flatMap((member): [NodeId, string][] => {
        const address = member.addresses[id];
        return member.id === setup.node || address === undefined ? [] : [[member.id, address]];
      }),
    ),
  }));
}

function linksOf(config: Config, member: NodeConfig): readonly LinkId[] {
  return config.links.map((link) => link.id).filter((id) => member.addresses[id] !== undefined);
}
