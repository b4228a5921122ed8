/**
 * Runs a scenario: a story in a few words (above the line of dashes) whose full course is committed
 * below it. Commands, one a line; `#` begins a comment:
 *
 *     cluster n1 n2 witness=w1        members; the group `db` has a mirror, a program, an address;
 *                                     failback=5s: it returns to n1 when that has been up so long
 *     start n1 n2 w1                  power on
 *     off n1 | freeze n1 | thaw n1    power off, stop in place, go on
 *     cut lan n1                      nothing passes on that link from or to n1; `mend` undoes it
 *     mute lan n1                     the same one way: nobody hears n1 there
 *     kill n1 program                 the program dies by itself
 *     break n1 program                it does not start on n1 any more
 *     move n2 | stop n1 | want n1     what an administrator asks, at the owner
 *     advance 2s
 *     say                             who serves, which copies are in sync
 *
 * About single resources (`resource-words.ts`):
 *
 *     resource log after=data on-failure=stay     before `cluster`: one more program, or other
 *                                                 words for one that is there
 *     fault n1 program stop=hangs deep=fails      how its agent misbehaves; `=well` ends it
 *     resources n1                                what its engine shows
 *
 * About hooks and reports:
 *
 *     hook before-start               before `cluster`: the group has that hook
 *     fault n1 before-start hook=veto how it answers there: veto, hangs, fails, lies, stay, ...
 *     fault n1 program hook=repaired  how the hook answers when the program has failed
 *     report n1 program ok 2s         the program says so, and promises to say so again in 2 s
 *     away n1                         the program asks to be moved away
 *     leave n1                        Tako is stopped there
 */
import { World } from '../../src/sim/world.ts';
import { parseDuration } from '../../src/protocol/config-words.ts';
import { simConfig } from '../../src/sim/sim-config.ts';
import type { GroupId, LinkId, NodeId, ResourceId } from '../../src/protocol/ids.ts';
import { must } from '../../src/base/assert.ts';
import { ResourceWords, report, setFaults, showResources } from './resource-words.ts';

const GROUP = 'db' as GroupId;

export function runScenario(text: string): string {
  const story = text.split(/^-{4,}$/mu)[0] ?? '';
  let world: World | undefined;
  const resources = new ResourceWords();
  for (const raw of story.split('\n')) {
    const line = raw.replace(/#.*$/u, '').trim();
    if (line === '') continue;
    const [command = '', ...words] = line.split(/\s+/u);
    if (command === 'cluster') {
      world = newWorld(words, resources);
      continue;
    }
    if (command === 'hook') {
      resources.addHook(words[0] ?? '');
      continue;
    }
    if (command === 'resource') {
      resources.add(words);
      continue;
    }
    const there = must(world, 'a scenario begins with `cluster`');
    if (!['start', 'say', 'resources'].includes(command)) there.note(`-- ${line}`);
    perform(there, command, words);
  }
  const done = must(world, 'a scenario begins with `cluster`');
  done.checkNothingLost();
  return `${story.trimEnd()}\n----\n${done.transcript.join('\n')}\n`;
}

function newWorld(words: readonly string[], resources: ResourceWords): World {
  const witness = words.find((word) => word.startsWith('witness='))?.slice('witness='.length);
  const failback = words.find((word) => word.startsWith('failback='))?.slice('failback='.length);
  const failbackMs = failback === undefined ? undefined : milliseconds(failback);
  const nodes = words.filter((word) => !word.includes('='));
  const groups = [{ id: GROUP, nodes, failbackMs }];
  const config = resources.applyTo(simConfig({ nodes, witness, groups }));
  return new World({ config, seed: 1, loss: 0, delayMs: { min: 0.2, max: 0.4 }, drift: 0 });
}

function perform(world: World, command: string, words: readonly string[]): void {
  const [first = '', second = ''] = words;
  switch (command) {
    case 'start':
      for (const word of words) world.powerOn(word as NodeId);
      return;
    case 'off':
      return world.powerOff(first as NodeId);
    case 'freeze':
      return world.node(first as NodeId)?.freeze();
    case 'thaw':
      return world.node(first as NodeId)?.thaw();
    case 'cut':
    case 'mend':
    case 'mute':
      return changeLink(world, command, first as LinkId, second as NodeId);
    case 'kill':
      return world.node(first as NodeId)?.kill(GROUP, second as ResourceId);
    case 'break':
      return world.breakResource(first as NodeId, GROUP, second as ResourceId);
    case 'fault':
      return setFaults(world, GROUP, words);
    case 'report':
      return report(world, GROUP, words);
    case 'leave':
      world.node(first as NodeId)?.ask(GROUP, { type: 'leave' });
      return;
    case 'away': {
      const reason = 'the program asks for it';
      world.node(first as NodeId)?.ask(GROUP, { type: 'away', reason });
      return;
    }
    case 'resources':
      return showResources(world, GROUP, first as NodeId);
    case 'move':
    case 'want':
    case 'stop':
      return ask(world, command, first as NodeId);
    case 'advance':
      return world.advance(milliseconds(first));
    case 'say':
      return say(world);
    default:
      throw new Error(`Unknown command of a scenario: ${command}`);
  }
}

function changeLink(world: World, command: string, link: LinkId, node: NodeId): void {
  for (const other of world.members()) {
    if (other === node) continue;
    if (command === 'mend') world.mend(link, node, other);
    else world.cut(link, node, other);
    if (command === 'mend') world.mend(link, other, node);
    else if (command === 'cut') world.cut(link, other, node);
  }
}

function ask(world: World, command: string, node: NodeId): void {
  const owner = world.serving(GROUP)[0] ?? node;
  const reason = 'an administrator asked for it';
  if (command === 'move') world.node(owner)?.ask(GROUP, { type: 'move', to: node, reason });
  else world.node(node)?.ask(GROUP, { type: command === 'want' ? 'start' : 'stop' });
}

function say(world: World): void {
  const serving = world.serving(GROUP).join(', ') || 'nobody';
  const views = world.members().flatMap((id) => {
    const core = world.node(id)?.core?.group(GROUP);
    return core === undefined ? [] : [`${id} ${core.phase}`];
  });
  const owner = world.serving(GROUP)[0];
  const record = owner === undefined ? undefined : world.node(owner)?.core?.group(GROUP)?.record;
  const copies = Object.values(record?.inSync ?? {})
    .flat()
    .join(', ');
  const epoch = record === undefined ? '' : ` at epoch ${record.epoch}, in sync: ${copies}`;
  world.note(`** served by ${serving}${epoch} (${views.join(', ')})`);
}

function milliseconds(text: string): number {
  return must(parseDuration(text), `a duration, not ${text}`);
}
