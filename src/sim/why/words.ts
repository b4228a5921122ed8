/** What a core was told and what it decided, each as a sentence for people. */
import { unreachable } from '../../base/assert.ts';
import type {
  CoreEvent,
  Effect,
  MirrorOrder,
  OperatorRequest,
  Standing,
} from '../../core/node/node-io.ts';
import type { PeerReport } from '../../protocol/heart-ipc.ts';
import type { NodeId } from '../../protocol/ids.ts';
import type { Ballot, OwnershipRecord, RegistryMessage } from '../../protocol/record.ts';

/** `before`: the peers as the report before told them. */
export function toldWords(told: CoreEvent, before: readonly PeerReport[]): readonly string[] {
  return told.type === 'peers' ? peerWords(told.peers, before) : [factWords(told)];
}

/** What is new about the peers; nothing for a report that says the same in what matters. */
function peerWords(peers: readonly PeerReport[], before: readonly PeerReport[]): readonly string[] {
  return peers.flatMap((peer) => {
    const old = before.find(({ node }) => node === peer.node);
    const words: string[] = [];
    if (peer.state !== old?.state) words.push(`${peer.node} is ${peer.state}: ${peer.reason}`);
    for (const { link, state } of peer.links) {
      const was = old?.links.find((one) => one.link === link)?.state;
      if (state !== was && was !== undefined) words.push(`link ${link} to ${peer.node}: ${state}`);
    }
    const claims = (of: PeerReport | undefined): string =>
      of?.claims.map(({ group, epoch }) => `${group} (epoch ${epoch})`).join(', ') ?? '';
    if (claims(peer) !== claims(old))
      words.push(`${peer.node} claims ${claims(peer) || 'nothing'}`);
    if (peer.deafSince !== old?.deafSince) {
      const hears = peer.deafSince === undefined ? 'hears others again' : 'hears nobody';
      words.push(`${peer.node} says that it ${hears}`);
    }
    return words;
  });
}

function factWords(told: Exclude<CoreEvent, { readonly type: 'peers' }>): string {
  switch (told.type) {
    case 'timePassed':
      return 'time has passed';
    case 'calendar':
      return 'the clock on the wall shows another minute';
    case 'heartConnected':
      return 'the heart is connected';
    case 'heartLost':
      return 'the heart is gone';
    case 'lease':
      return `the lease of epoch ${told.epoch} is ${told.held ? 'held' : 'not held'}: ${told.reason}`;
    case 'support': {
      const by = told.by.map(({ node }) => node).join(', ');
      return `epoch ${told.epoch} is upheld by ${by === '' ? 'nobody' : by}`;
    }
    case 'recordDiffers':
      return `the record that ${told.node} has is not that of the claim`;
    case 'registryMessage':
      return `${told.from} ${messageWords(told.message)}`;
    case 'decided':
      return `${told.from} says that it is decided: ${recordWords(told.decided.record)}`;
    case 'standing':
      return `${told.from} tells how its groups stand: ${standingWords(told.standing)}`;
    case 'flaps':
      return `${told.from} says that this node comes and goes`;
    case 'nodeCleared':
      return `an administrator says that ${told.node} is well`;
    case 'persisted':
      return `vote ${told.id} is on stable storage`;
    case 'revoked':
      return told.ok
        ? 'the heart is bound by no promise: another owner may be voted for'
        : `the heart is bound for ${ms(told.remainingMs)} more (${told.why ?? 'promise'})`;
    case 'probed': {
      const found = told.found.map(({ resource, state }) => `${resource} ${state}`).join(', ');
      return `found here: ${found === '' ? 'nothing to look at' : found}`;
    }
    case 'actionFinished': {
      const { resource, outcome, detail } = told.result;
      return `${told.action} of ${resource}: ${outcome}${because(detail)}`;
    }
    case 'observed':
      return `${told.seen.resource} is ${told.seen.state}${because(told.seen.detail)}`;
    case 'mirrorNews':
      return `mirror ${told.mirror}: ${newsWords(told.news)}`;
    case 'mirrorAnswered': {
      const answer = told.ok ? 'done' : `not done${because(told.message)}`;
      return `mirror ${told.mirror}: ${orderWords(told.order)}: ${answer}`;
    }
    case 'mirrorConnected':
      return `mirror ${told.mirror} is connected`;
    case 'hookAnswered':
      return `hook answers "${told.answer.word}"${because(told.answer.reason)}`;
    case 'reported':
      return `${told.report.resource} says of itself: ${told.report.health}${because(told.report.detail)}`;
    case 'asked':
      return `asked: ${requestWords(told.request)}`;
    default:
      return unreachable(told);
  }
}

export function effectWords(effect: Effect): string {
  switch (effect.type) {
    case 'persist':
      return `stores its vote (${effect.id}): ${entryWords(effect.entry.accepted?.record)}`;
    case 'send': {
      const { message, to } = effect;
      if (message.type === 'decided') return `to ${to}: decided is ${recordWords(message.record)}`;
      if (message.type === 'flaps') return `tells ${to} that it comes and goes`;
      if (message.type !== 'standing') return `to ${to}: ${messageWords(message)}`;
      return `tells ${to} how its groups stand: ${standingWords(message)}`;
    }
    case 'revoke':
      return `asks the heart whether it is bound to ${effect.owner}`;
    case 'records':
      return 'tells the heart what is voted for here';
    case 'claim':
      return `claims the lease of epoch ${effect.epoch}`;
    case 'release':
      return 'gives the lease up';
    case 'action': {
      const mode = effect.action === 'stop' ? ` (${effect.mode})` : '';
      return `${effect.action} ${effect.resource}${mode}`;
    }
    case 'probe':
      return 'looks at what runs here';
    case 'mirrorOrder':
      return `mirror ${effect.mirror}: ${orderWords(effect.order)}`;
    case 'hook':
      return `calls the hook ${effect.call.event}`;
    case 'event':
      return effect.draft.text;
    case 'vote':
      return 'begins a vote';
    case 'reply':
      return `answers: ${effect.text}`;
    default:
      return unreachable(effect);
  }
}

function messageWords(message: RegistryMessage): string {
  switch (message.type) {
    case 'prepare':
      return `asks for a promise for ballot ${ballotWords(message.ballot)}`;
    case 'prepared':
      return `promises ballot ${ballotWords(message.ballot)}: ${entryWords(message.accepted?.record)}`;
    case 'accept':
      return `asks to accept ballot ${ballotWords(message.ballot)}: ${recordWords(message.record)}`;
    case 'accepted':
      return `has accepted ballot ${ballotWords(message.ballot)}`;
    case 'refused':
      return `refuses (${message.why}${message.remainingMs > 0 ? `, ${ms(message.remainingMs)} left` : ''})`;
    default:
      return unreachable(message);
  }
}

function newsWords(news: Extract<CoreEvent, { readonly type: 'mirrorNews' }>['news']): string {
  switch (news.type) {
    case 'peerSilent':
      return `${news.peer} is silent for ${ms(news.silentMs)}${because(news.reason)}`;
    case 'peerAnswers':
      return `${news.peer} answers`;
    case 'peerFailed':
      return `${news.peer} failed${because(news.reason)}`;
    case 'peerCaughtUp':
      return `${news.peer} has caught up`;
    case 'failed':
      return `it failed${because(news.reason)}`;
    case 'bypassed':
      return `it is bypassed by ${news.by.join(', ')}`;
    default:
      return unreachable(news);
  }
}

function orderWords(order: MirrorOrder): string {
  switch (order.type) {
    case 'follow':
      return `follow ${order.primary} (epoch ${order.epoch})`;
    case 'seal':
      return `seal the copy for epoch ${order.epoch}`;
    case 'unseal':
      return 'unseal the copy';
    case 'expel':
      return `wait for the copy on ${order.peer} no longer`;
    case 'admit':
      return `wait for the copy on ${order.peer} from now on`;
    default:
      return unreachable(order);
  }
}

function requestWords(request: OperatorRequest): string {
  switch (request.type) {
    case 'move':
      return `move to ${request.to}${because(request.reason)}`;
    case 'away':
      return `move away${because(request.reason)}`;
    case 'force':
      return `take over by force; off: ${namesOf(request.off)}`;
    case 'bar':
      return `${request.on ? '' : 'end of '}${request.kind} of ${request.node}`;
    case 'maintain': {
      const where = request.scope === 'node' ? `node ${request.node}` : `the ${request.scope}`;
      return `${request.entry === undefined ? 'end of ' : ''}maintenance of ${where}`;
    }
    case 'start':
    case 'stop':
    case 'leave':
      return request.type;
    default:
      return unreachable(request);
  }
}

function standingWords({ groups }: Standing): string {
  return groups.map(({ group, state }) => `${group} ${state}`).join(', ') || 'it has none';
}

function entryWords(record: OwnershipRecord | undefined): string {
  return record === undefined ? 'nothing accepted yet' : recordWords(record);
}

function recordWords({ owner, epoch, want, inSync }: OwnershipRecord): string {
  const copies = Object.entries(inSync).map(([mirror, nodes]) => `${mirror} on ${namesOf(nodes)}`);
  const sync = copies.length === 0 ? '' : `, in sync: ${copies.join('; ')}`;
  return `epoch ${epoch} of ${owner}, ${want}${sync}`;
}

function ballotWords({ counter, node }: Ballot): string {
  return `${counter}.${node}`;
}

function namesOf(nodes: readonly NodeId[]): string {
  return nodes.length === 0 ? 'nobody' : nodes.join(', ');
}

function because(reason: string): string {
  return reason === '' ? '' : `: ${reason}`;
}

function ms(value: number): string {
  return `${Math.ceil(value)} ms`;
}
