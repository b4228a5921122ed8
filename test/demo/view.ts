/** Draws the live screen: figures in, lines of text out. Pure, so that a test can look at it. */
import { styleText } from 'node:util';
import type { GroupStatus, ResourceStatus } from '../../src/protocol/api.ts';
import type { MirrorPeerStatus } from '../../src/protocol/mirror-ipc.ts';
import type { DemoView, HostView } from './model.ts';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

export interface KeyHelp {
  readonly key: string;
  readonly what: string;
}

const BARS = ' ▁▂▃▄▅▆▇█';
const KEY_COLUMNS = 3;
const SILENCE_SHOWN_MS = 300;

/** As many lines as the terminal has rows at most, each no wider than it. */
export function drawView(view: DemoView, keys: readonly KeyHelp[], size: Size): string[] {
  const group = latestGroup(view);
  const top = [
    styleText('bold', `Tako: ${view.title}`) + styleText('dim', `   clients use ${view.address}`),
    '',
    ...view.hosts.map((host) => hostLine(host, group)),
    '',
    ...groupLines(group, view),
    '',
    ...clientLines(view),
    '',
  ];
  const bottom = ['', ...keyLines(keys, size.columns), styleText('yellow', view.message)];
  const room = Math.max(0, size.rows - top.length - bottom.length - 1);
  const events = view.events.slice(-room).map((event) => {
    const time = event.time.slice(11, 19);
    const text = `${time} ${event.node.padEnd(3)} ${event.text}`;
    if (event.level === 'error') return styleText('red', text);
    return event.level === 'warning' ? styleText('yellow', text) : text;
  });
  const middle = room === 0 ? [] : [styleText('bold', 'What happened, and why'), ...events];
  return [...top, ...middle, ...bottom].slice(0, size.rows).map((line) => clip(line, size.columns));
}

function latestGroup(view: DemoView): GroupStatus | undefined {
  const seen = view.hosts.flatMap(({ status }) => status?.groups ?? []);
  const owned = seen.filter(({ id }) => id === view.group);
  const latest = owned.toSorted((a, b) => (b.epoch ?? 0) - (a.epoch ?? 0))[0];
  // The owner knows its own resources best.
  const teller = view.hosts.find(({ name }) => name === latest?.owner);
  const own = teller?.status?.groups.find(({ id }) => id === view.group);
  return own?.epoch === latest?.epoch ? own : latest;
}

function hostLine(host: HostView, group: GroupStatus | undefined): string {
  const links = host.links.map(({ name, cut }) => linkText(name, cut, host.powered)).join('  ');
  return `${host.name.padEnd(4)}${stateOf(host, group)}${links}`;
}

function stateOf(host: HostView, group: GroupStatus | undefined): string {
  const pad = (text: string): string => text.padEnd(26);
  if (!host.powered) return styleText('red', pad('no power'));
  if (host.frozen) return styleText('cyan', pad('frozen'));
  const full = host.fullDisk ? ', disk full' : '';
  if (host.name === group?.owner) return styleText('green', pad(`owner${full}`));
  const inSync = Object.values(group?.inSync ?? {}).some((nodes) =>
    nodes.some((node) => node === host.name),
  );
  if (host.links.length === 1) return pad('witness');
  return inSync ? pad(`copy, in sync${full}`) : styleText('yellow', pad(`copy, behind${full}`));
}

function linkText(name: string, cut: boolean, powered: boolean): string {
  if (!powered) return styleText('dim', `○ ${name}`);
  return cut ? styleText('red', `✖ ${name} cut`) : `${styleText('green', '●')} ${name}`;
}

function groupLines(group: GroupStatus | undefined, view: DemoView): string[] {
  if (group === undefined) return [styleText('red', `Nobody knows about ${view.group}`)];
  const colour = group.state === 'online' ? 'green' : 'yellow';
  const head = `${group.id} is ${styleText(colour, group.state)} on ${group.owner ?? 'no node'}`;
  const waits = silenceMs(view) > SILENCE_SHOWN_MS;
  return [
    `${head}, epoch ${group.epoch ?? '-'}`,
    styleText('dim', `  why: ${group.reason}`),
    ...group.resources.map((resource) => resourceLine(resource, waits)),
  ];
}

/** `waits`: clients get no answers, so what a mirror waits for is of interest. */
function resourceLine(resource: ResourceStatus, waits: boolean): string {
  const words = `  ${resource.id.padEnd(9)}${resource.agent.padEnd(12)}${resource.state.padEnd(10)}`;
  const copies = resource.mirror?.peers.map(copyText).join('; ') ?? '';
  const frozen = waits ? resource.mirror?.frozen : undefined;
  return words + (frozen ?? (copies === '' ? resource.detail : copies));
}

/** How long the client has had no answer. */
function silenceMs({ client }: DemoView): number {
  return client?.lastAckAt === undefined ? 0 : client.at - client.lastAckAt;
}

function copyText(peer: MirrorPeerStatus): string {
  const { resync } = peer;
  if (peer.state !== 'resync' || resync === undefined) return `${peer.node} ${peer.state}`;
  const part = resync.bytesTotal === 0 ? 1 : resync.bytesDone / resync.bytesTotal;
  const bar = '█'.repeat(Math.round(part * 20)).padEnd(20, '░');
  return `${peer.node} catches up ${bar} ${Math.round(part * 100)} %`;
}

function clientLines(view: DemoView): string[] {
  const { client } = view;
  if (client === undefined) return ['The client has not begun', ''];
  const count = client.acknowledged.toLocaleString('en');
  const lost = client.lost + client.violations.length;
  const verdict = lost === 0 ? styleText('green', '0 lost') : styleText('red', `${lost} LOST`);
  const silentMs = silenceMs(view);
  const now =
    silentMs > SILENCE_SHOWN_MS
      ? styleText('red', `no answer for ${seconds(silentMs)}`)
      : 'answers come';
  const last = client.lastOutage === undefined ? 'none yet' : seconds(client.lastOutage.ms);
  const most = Math.max(1, ...view.rates);
  const bars = view.rates.map((rate) => BARS[Math.ceil((rate / most) * (BARS.length - 1))] ?? ' ');
  return [
    `${styleText('bold', `${count} ${view.records} acknowledged`)}, ${verdict}; ${now}`,
    `last outage ${last}, longest ${seconds(view.longestOutageMs)}  ${bars.join('')}`,
    ...client.violations.slice(0, 2).map((text) => styleText('red', text)),
  ];
}

function keyLines(keys: readonly KeyHelp[], columns: number): string[] {
  const width = Math.floor(columns / KEY_COLUMNS);
  const lines: string[] = [];
  for (let i = 0; i < keys.length; i += KEY_COLUMNS) {
    const cells = keys.slice(i, i + KEY_COLUMNS).map(({ key, what }) => {
      const plain = `${key} ${what}`.slice(0, width - 1);
      return styleText('bold', plain.slice(0, 1)) + plain.slice(1).padEnd(width - 1);
    });
    lines.push(cells.join(''));
  }
  return lines;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(2)} s`;
}

/** Cuts a line at the width of the terminal, not counting what only colours it. */
export function clip(line: string, columns: number): string {
  let out = '';
  let width = 0;
  for (const part of line.split(/(\x1b\[[0-9;]*m)/)) {
    if (part.startsWith('\x1b')) {
      out += part;
      continue;
    }
    const room = Math.max(0, columns - width);
    const letters = Array.from(part).slice(0, room);
    out += letters.join('');
    width += letters.length;
  }
  return out;
}
