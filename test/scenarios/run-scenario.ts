/**
 * Runs a scenario: a story in a few words (above the line of dashes) whose full course is committed
 * below it. Commands, one a line; `#` begins a comment:
 *
 *     cluster n1 n2 witness=w1        members; the group `db` has a mirror, a program, an address
 *     start n1 n2 w1                  power on
 *     off n1 | freeze n1 | thaw n1    power off, stop in place, go on
 *     kill n1 program                 the program dies by itself
 *     break n1 program                it does not start on n1 any more
 *     move n2 | stop n1 | want n1     what an administrator asks: a move at the owner, or, with
 *                                     `at n3`, there; a stop and a start at the node named
 *     standby n1 | unstandby n1       put in standby, or not any more: asked at the first node that
 *                                     is on, or, with `at n3`, there
 *     ban n1 web | unban n1 web       the same for one group
 *     maintain n1 for 5s              the node in maintenance, for so long; also `group web`, `cluster`;
 *     unmaintain n1                   no longer; see `maintenance-words.ts`
 *     clear n1                        an administrator clears n1, on all nodes
 *     civil                           control learns what the clocks on the walls show
 *     leave n1                        Tako is told to end on n1
 *     force n2 off=n1,w1 [lossy]      an administrator forces the group onto n2 and says what is off;
 *                                     lossy: and gives up what the copy there lacks
 *     calendar 02:30                  the clocks on the walls of all nodes show that, on a Monday
 *     advance 2s
 *     say                             who serves, which copies are in sync
 *     repeat 3 off n1; advance 1s     that, so many times
 *
 * About hooks and reports:
 *
 *     hook before-start               before `cluster`: the groups have that hook
 *     fault n1 before-start hook=veto how it answers there: veto, hangs, fails, lies, stay, ...
 *     fault n1 program hook=repaired  how the hook answers when the program has failed
 *     report n1 program ok 2s         the program says so, and promises to say so again in 2 s
 *     away n1                         the program asks to be moved away
 *
 * What groups there are (`cluster-words.ts`), how links, processes and disks fail (`fault-words.ts`),
 * and about single resources (`resource-words.ts`), is told there. A group is named last
 * (`move n2 web`), a resource of it as `web/program`; without a name the first group is meant.
 */
import { parseDuration } from '../../src/protocol/config-words.ts';
import type { GroupId, NodeId, ResourceId } from '../../src/protocol/ids.ts';
import { weekMinute } from '../../src/protocol/week-window.ts';
import { must } from '../../src/base/assert.ts';
import type { World } from '../../src/sim/world.ts';
import { ClusterWords } from './cluster-words.ts';
import { setMaintenance } from './maintenance-words.ts';
import { tellCivilTime } from '../../src/sim/maintenance-faults.ts';
import { harm } from './fault-words.ts';
import { report, resourceNamed, setFaults, showResources } from './resource-words.ts';
import { say, servingOf } from './say.ts';

const SILENT = ['start', 'say', 'resources'];

export function runScenario(text: string): string {
  const story = text.split(/^-{4,}$/mu)[0] ?? '';
  const cluster = new ClusterWords();
  for (const line of story.split('\n').flatMap(commandsOf)) {
    const [command = '', ...words] = line.split(/\s+/u);
    if (cluster.told(command, words)) continue;
    const { world } = cluster;
    if (!SILENT.includes(command)) world.note(`-- ${line}`);
    if (!harm(world, command, words)) perform(world, command, words);
  }
  cluster.world.checkNothingLost();
  return `${story.trimEnd()}\n----\n${cluster.world.transcript.join('\n')}\n`;
}

/** `repeat N A; B` is A and B, N times. */
function commandsOf(raw: string): readonly string[] {
  const line = raw.replace(/#.*$/u, '').trim();
  const [, times, repeated = ''] = /^repeat (\d+) (.*)$/u.exec(line) ?? [];
  if (times === undefined) return line === '' ? [] : [line];
  const commands = repeated.split(';').map((command) => command.trim());
  return Array.from({ length: Number(times) }, () => commands).flat();
}

function perform(world: World, command: string, words: readonly string[]): void {
  const [first = '', second = ''] = words;
  const node = first as NodeId;
  switch (command) {
    case 'start':
      for (const word of words) world.powerOn(word as NodeId);
      return;
    case 'kill':
    case 'break':
      return failResource(world, command, node, second);
    case 'fault':
      return setFaults(world, words);
    case 'report':
      return report(world, words);
    case 'away': {
      const group = must(world.config.groups[0], 'a cluster has a group').id;
      return world.ask(node, group, { type: 'away', reason: 'the program asks for it' });
    }
    case 'calendar':
      return setCalendars(world, first);
    case 'resources':
      return showResources(world, node, second);
    case 'move':
    case 'want':
    case 'stop':
      return ask(world, command, words);
    case 'force': {
      const group = must(world.config.groups[0], 'a cluster has a group').id;
      const off = words.flatMap((word) => /^off=(.+)$/u.exec(word)?.[1]?.split(',') ?? []);
      const acceptLoss = words.includes('lossy');
      return world.ask(node, group, { type: 'force', off: off as NodeId[], acceptLoss });
    }
    case 'standby':
    case 'unstandby':
    case 'ban':
    case 'unban':
      return bar(world, command, words);
    case 'maintain':
    case 'unmaintain':
      return setMaintenance(world, command, words);
    case 'clear':
      for (const { id } of world.config.nodes) world.node(id)?.tell({ type: 'nodeCleared', node });
      return;
    case 'civil':
      return tellCivilTime(world);
    case 'leave':
      for (const { id } of world.config.groups) world.ask(node, id, { type: 'leave' });
      return;
    case 'advance':
      return world.advance(must(parseDuration(first), `a duration, not ${first}`));
    case 'say':
      return say(world);
    default:
      throw new Error(`Unknown command of a scenario: ${command}`);
  }
}

/** `02:30`, on a Monday: what the clocks on the walls of all nodes show from now on. */
function setCalendars(world: World, time: string): void {
  const [hour, minute] = time.split(':').map(Number);
  const told = weekMinute(0, must(hour, 'hours'), must(minute, 'minutes'));
  for (const { id } of world.config.nodes)
    world.node(id)?.tell({ type: 'calendar', weekMinute: told });
}

function failResource(world: World, command: string, node: NodeId, name: string): void {
  const [group, resource] = resourceNamed(world, name).split('/') as [GroupId, ResourceId];
  if (command === 'break') return world.breakResource(node, group, resource);
  world.node(node)?.kill(group, resource);
}

function bar(world: World, command: string, words: readonly string[]): void {
  const at = words.indexOf('at');
  const [node = '', name] = at === -1 ? words : words.slice(0, at);
  const { groups, nodes } = world.config;
  const on = !command.startsWith('un');
  const kind = command.endsWith('ban') ? 'ban' : 'standby';
  const first = must(
    nodes.find(({ id }) => world.node(id)?.answers),
    'a node is on',
  );
  const asked = at === -1 ? first.id : (words[at + 1] as NodeId);
  const concerned = groups.filter(({ id, nodes: own }) =>
    kind === 'ban' ? id === (name ?? groups[0]?.id) : own.includes(node as NodeId),
  );
  for (const { id } of concerned) {
    world.ask(asked, id, { type: 'bar', kind, node: node as NodeId, on });
  }
}

/** `move NODE [GROUP] [at NODE]`, `stop NODE [GROUP]`, `want NODE [GROUP]`. */
function ask(world: World, command: string, words: readonly string[]): void {
  const at = words.indexOf('at');
  const [node = '', name] = at === -1 ? words : words.slice(0, at);
  const { groups } = world.config;
  const group = must(
    groups.find(({ id }) => id === (name ?? groups[0]?.id)),
    `a group, not ${name}`,
  );
  const to = node as NodeId;
  if (command !== 'move') {
    return world.ask(to, group.id, { type: command === 'want' ? 'start' : 'stop' });
  }
  const asked = at === -1 ? (servingOf(world, group)[0] ?? to) : (words[at + 1] as NodeId);
  world.ask(asked, group.id, { type: 'move', to, reason: 'an administrator asked for it' });
}
