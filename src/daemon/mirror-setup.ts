/** What a mirror process knows about itself and its peers, from the setup file. */
import { join } from 'node:path';
import type { LinkTarget } from '../adapters/mirror/stream/link-race.ts';
import { must } from '../base/assert.ts';
import { TakoError } from '../base/tako-error.ts';
import type { MirrorConfig, NodeConfig, NodeSetup } from '../protocol/config.ts';
import { type GroupId, type MirrorId, mirrorId, type NodeId } from '../protocol/ids.ts';

const MIRROR_PORT_OFFSET = 10;

export interface MirrorPeer {
  readonly node: NodeId;
  readonly links: readonly LinkTarget[];
}

export interface MirrorSetup {
  readonly id: MirrorId;
  readonly group: GroupId;
  readonly node: NodeId;
  readonly cluster: string;
  readonly config: MirrorConfig;
  readonly port: number;
  /** This node's addresses, one per link. */
  readonly addresses: readonly string[];
  readonly peers: readonly MirrorPeer[];
  readonly keyFile: string;
  readonly secondaryLostMs: number;
  readonly socketPath: string;
  readonly heartSocketPath: string;
  readonly leaseMarkPath: string;
  readonly notePath: string;
  readonly activityPath: string;
  /** Paths of the other mirrors of this node. */
  readonly otherPaths: readonly string[];
}

export function mirrorSetup(setup: NodeSetup, id: MirrorId): MirrorSetup {
  const { config, node } = setup;
  for (const group of config.groups) {
    for (const resource of group.resources) {
      if (resource.agent !== 'mirror' || mirrorId(group.id, resource.id) !== id) continue;
      const self = nodeConfig(setup, node);
      const port = config.basePort + MIRROR_PORT_OFFSET + resource.index;
      return {
        id,
        group: group.id,
        node,
        cluster: config.cluster,
        config: resource,
        port,
        addresses: config.links
          .map((link) => self.addresses[link.id])
          .filter((address) => address !== undefined),
        peers: group.nodes
          .map((peer) => ({
            node: peer,
            links: linksTo(setup, { self, peer: nodeConfig(setup, peer), port }),
          }))
          .filter((peer) => peer.node !== node),
        keyFile: config.keyFile,
        secondaryLostMs: config.timing.secondaryLostMs,
        socketPath: join(setup.runDir, `mirror-${id}.sock`),
        heartSocketPath: join(setup.runDir, 'heart.sock'),
        leaseMarkPath: join(setup.runDir, 'lease', group.id),
        notePath: join(setup.stateDir, 'mirrors', `${id}.json`),
        activityPath: join(setup.stateDir, 'mirrors', `${id}.activity`),
        otherPaths: otherMirrorPaths(setup, id),
      };
    }
  }
  throw new TakoError('config-invalid', `Cannot run mirror "${id}": the setup has no such mirror`);
}

function nodeConfig(setup: NodeSetup, node: NodeId): NodeConfig {
  const found = setup.config.nodes.find((candidate) => candidate.id === node);
  return must(found, 'a checked configuration has every node that its groups name');
}

function linksTo(
  setup: NodeSetup,
  ends: { self: NodeConfig; peer: NodeConfig; port: number },
): readonly LinkTarget[] {
  const targets: LinkTarget[] = [];
  for (const { id } of setup.config.links) {
    const localAddress = ends.self.addresses[id];
    const host = ends.peer.addresses[id];
    if (localAddress === undefined || host === undefined) continue;
    targets.push({ link: id, localAddress, host, port: ends.port });
  }
  return targets;
}

function otherMirrorPaths(setup: NodeSetup, id: MirrorId): readonly string[] {
  return setup.config.groups
    .filter((group) => group.nodes.includes(setup.node))
    .flatMap((group) =>
      group.resources
        .filter((resource) => resource.agent === 'mirror')
        .filter((resource) => mirrorId(group.id, resource.id) !== id)
        .map((resource) => resource.path),
    );
}
