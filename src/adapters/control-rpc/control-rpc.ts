/**
 * Questions and notices between the controls of the nodes, over TLS with the cluster key, on
 * `basePort + 1`. Each node keeps one connection to each other node for what it wants to say.
 */
import { must } from '../../base/assert.ts';
import { TakoError } from '../../base/tako-error.ts';
import type { Log } from '../../ports/log.ts';
import type { NodeConfig, NodeSetup } from '../../protocol/config.ts';
import type { LinkId, NodeId } from '../../protocol/ids.ts';
import { readClusterKey } from '../tls-psk.ts';
import { PeerChannel, type Route } from './peer-channel.ts';
import { type RpcHandlers, RpcServer } from './rpc-server.ts';

export const CONTROL_PORT_OFFSET = 1;
const TIMEOUT_MS_DEFAULT = 5000;

export interface ControlRpcOptions extends RpcHandlers {
  readonly setup: NodeSetup;
  readonly log: Log;
  /** The connection for this node's own questions to `node` came up or broke. */
  readonly onConnection?: ((node: NodeId, connected: boolean, reason: string) => void) | undefined;
}

export interface CallOptions {
  /** How long to wait for a connection and the answer together (5000). */
  readonly timeoutMs?: number | undefined;
}

export interface ControlRpc {
  /** Resolves when this node's addresses listen, or were tried once; they are tried on after that. */
  started(): Promise<void>;
  /**
   * The peer's answer, or its `TakoError`. `peer-refused`: it was not asked; `timed-out`: it may
   * have been asked and may have acted.
   */
  call(node: NodeId, method: string, params: unknown, options?: CallOptions): Promise<unknown>;
  /** Best effort, one way. False when there is no connection. */
  notify(node: NodeId, method: string, params: unknown): boolean;
  /** Nodes that could be asked right now, sorted. */
  connected(): readonly NodeId[];
  /** Connections refused so far. */
  refusals(): number;
  close(): Promise<void>;
}

export function createControlRpc(options: ControlRpcOptions): ControlRpc {
  const { setup, log } = options;
  const { config } = setup;
  const self = must(
    config.nodes.find(({ id }) => id === setup.node),
    'the setup names a node of its configuration',
  );
  const peers = config.nodes.filter(({ id }) => id !== setup.node);
  const identity = {
    cluster: config.cluster,
    key: readClusterKey(config.keyFile),
    node: setup.node,
    purpose: 'control',
  };
  const port = config.basePort + CONTROL_PORT_OFFSET;
  const server = new RpcServer({
    identity,
    addresses: Object.values(self.addresses),
    port,
    peers: peers.map(({ id, addresses }) => ({ node: id, addresses: Object.values(addresses) })),
    log,
    onRequest: options.onRequest,
    onNotify: options.onNotify,
  });
  const links = config.links.map(({ id }) => id);
  const channels = new Map<NodeId, PeerChannel>();
  for (const peer of peers) {
    const channel = new PeerChannel({
      peer: peer.id,
      routes: routesBetween(self, peer, links),
      port,
      identity,
      onChange: (connected, reason) => {
        log.info('control connection changed', { peer: peer.id, connected, reason });
        options.onConnection?.(peer.id, connected, reason);
      },
    });
    channels.set(peer.id, channel);
  }
  return {
    started: () => server.started(),
    call: async (node, method, params, { timeoutMs = TIMEOUT_MS_DEFAULT } = {}) => {
      const channel = channels.get(node);
      if (channel === undefined) throw noSuchNode(node, [...channels.keys()]);
      return channel.call(method, params, timeoutMs);
    },
    notify: (node, method, params) => channels.get(node)?.notify(method, params) ?? false,
    connected: () => [...channels].flatMap(([node, c]) => (c.connected ? [node] : [])).sort(),
    refusals: () => server.refusals,
    close: async () => {
      for (const channel of channels.values()) channel.close();
      await server.close();
    },
  };
}

/** The links on which both are, in the configured order. */
function routesBetween(self: NodeConfig, peer: NodeConfig, links: readonly LinkId[]): Route[] {
  return links.flatMap((link) => {
    const [localAddress, remoteAddress] = [self.addresses[link], peer.addresses[link]];
    if (localAddress === undefined || remoteAddress === undefined) return [];
    return [{ link, localAddress, remoteAddress }];
  });
}

function noSuchNode(node: NodeId, known: readonly NodeId[]): TakoError {
  return new TakoError('no-such-node', `Cannot ask "${node}": it is no other node of the cluster`, {
    next: `The other nodes are: ${known.join(', ')}`,
  });
}
